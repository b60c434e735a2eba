"""What a run tells of itself while it trains: console, events, TensorBoard, history and pictures."""

import logging
import math
import time
from collections.abc import Iterable, Mapping
from typing import Any

import cv2
import numpy as np
import torch

from segmentation.engine.state import Progress, Row
from segmentation.runtime.console import Bar, table_text
from segmentation.runtime.device import memory_use
from segmentation.runtime.files import write_atomically, write_json
from segmentation.runtime.run_folder import RunFolder
from segmentation.runtime.tracking import Tracker

log = logging.getLogger("segmentation")
HEADLINES = ("loss", "mIoU", "mDice", "pixel_accuracy", "mean_accuracy", "FWIoU")
BY_AREA = ("area_mIoU", "area_mDice", "area_accuracy")  # told where they are scored
PER_CLASS = ("IoU", "Dice", "precision", "recall")
Pictures = Iterable[tuple[str, np.ndarray]]


class Recorder:
    """Everything goes through here once an interval or once an epoch, never within a step; people read of `samples` a
    second, programs of `images_per_second` whatever the samples are.
    """

    def __init__(
        self,
        folder: RunFolder,
        tracker: Tracker,
        class_names: tuple[str, ...],
        device: torch.device,
        samples: str = "images",
    ) -> None:
        self.folder, self.tracker, self.class_names, self.device = folder, tracker, class_names, device
        self.samples = samples
        self._since = time.perf_counter()

    def start_epoch(self) -> None:
        self._since = time.perf_counter()

    def interval(self, progress: Progress, bar: Bar, losses: Mapping[str, float], lr: float, samples: int) -> None:
        """After `log_every_n_steps` steps: their mean losses, the head's learning rate and the samples seen in them."""
        now = time.perf_counter()
        speed, self._since = samples / (now - self._since), now
        memory = memory_use(self.device)
        step_losses = {f"step/{name}": value for name, value in losses.items()}
        self.tracker.scalars(progress.step, {**step_losses, "step/lr": lr, "step/images_per_second": speed})
        self.tracker.scalars(progress.step, {f"memory/{name}_mb": value for name, value in memory.items()})
        told = {"epoch": progress.epoch + 1, **losses, "lr": lr, "images_per_second": speed, "memory_mb": memory}
        self.tracker.event("step", progress.step, told)
        held = " ".join(f"{name} {value / 1000:.1f} GB" for name, value in memory.items())
        bar.tell(f"loss {losses['loss']:.4f}  {speed:.1f} {self.samples}/s  {held}")

    def epoch(self, progress: Progress, epochs: int, row: Row, seconds: Mapping[str, float]) -> None:
        """After an epoch: its row goes to history.json, events.jsonl and TensorBoard, the scores to the console."""
        scores = {name: value for name, value in row.items() if "/" in name}
        self.tracker.scalars(progress.step, scores)
        self.tracker.scalars(progress.step, {f"epoch/{name}": row[name] for name in row.keys() - scores.keys()})
        self.tracker.event("epoch", progress.step, row)
        self.write_history(progress)
        spent = ", ".join(f"{name} {value:.1f} s" for name, value in seconds.items())
        best = "" if progress.best_value is None else f"  best {progress.best_value:.4f} (epoch {progress.best_epoch})"
        for split in ("train", "val"):
            if f"{split}/loss" in row:
                log.info("epoch %d/%d %-5s %s", progress.epoch, epochs, split, headline(row, split))
        log.info("%.1f %s/s; %s%s", row["images_per_second"], self.samples, spent, best)
        if "val/loss" in row:
            log.info("%s", class_table(row, "val", self.class_names))

    def write_history(self, progress: Progress) -> None:
        write_json(self.folder.history, progress.history)

    def pictures(self, progress: Progress, drawn: Pictures) -> None:
        """Under visualizations/epoch_XXX and in TensorBoard."""
        for name, rgb in drawn:
            self.save_picture(f"epoch_{progress.epoch:03d}/{name.replace('/', '_')}.png", rgb)
            self.tracker.picture(progress.step, f"predictions/{name}", rgb)

    def save_picture(self, name: str, rgb: np.ndarray) -> None:
        encoded = cv2.imencode(".png", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))[1]
        write_atomically(self.folder.visualizations / name, lambda temporary: encoded.tofile(temporary))


def headline(scores: Mapping[str, Any], split: str) -> str:
    """The numbers over all classes, in one line."""
    by_area = [name for name in BY_AREA if f"{split}/{name}" in scores]
    values = {name: scores.get(f"{split}/{name}", math.nan) for name in (*HEADLINES, *by_area)}
    return "  ".join(f"{name} {value:.4f}" for name, value in values.items())


def class_table(scores: Mapping[str, Any], split: str, class_names: Iterable[str]) -> str:
    """A row a class; a class that does not occur shows a dash."""
    names = list(class_names)
    columns = [*PER_CLASS, *(["area_IoU"] if f"{split}/area_IoU/{names[0]}" in scores else [])]

    def cell(score: str, name: str) -> str:
        value = scores[f"{split}/{score}/{name}"]
        return "-" if value is None or math.isnan(value) else f"{value:.4f}"

    rows = [[name, *(cell(score, name) for score in columns)] for name in names]
    return table_text(f"{split} by class", ["class", *columns], rows)
