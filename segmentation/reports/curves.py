"""The curves of a run as one picture."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from segmentation.reports.figure import pyplot, save_figure


def panels(place: str) -> list[tuple[str, str]]:
    """Key and title of what is drawn by epoch; `place` is what a pixel or a face is called."""
    return [("loss", "loss"), ("mIoU", "mIoU"), ("pixel_accuracy", f"{place} accuracy")]


def draw_curves(history: Sequence[dict[str, Any]], monitor: str, mode: str, path: Path, place: str) -> None:
    """Loss, mIoU, pixel accuracy and learning rate by epoch, for training and validation; the best epoch is marked."""
    shown = panels(place)
    figure, axes = pyplot().subplots(1, len(shown) + 1, figsize=(4 * (len(shown) + 1), 3.2), layout="constrained")
    for axis, (score, title) in zip(axes, shown, strict=False):
        for split in ("train", "val"):
            points = [(row["epoch"], row[f"{split}/{score}"]) for row in history if f"{split}/{score}" in row]
            if points:
                axis.plot(*zip(*points, strict=True), marker=".", label=split)
        if monitor.endswith(f"/{score}"):
            _mark_best(axis, history, monitor, mode)
        axis.set(title=title, xlabel="epoch")
        axis.legend(frameon=False)
    axes[-1].plot([row["epoch"] for row in history], [row["lr"] for row in history], marker=".", color="tab:green")
    axes[-1].set(title="learning rate (head)", xlabel="epoch", yscale="log")
    for axis in axes:
        axis.grid(alpha=0.25)
        axis.xaxis.get_major_locator().set_params(integer=True)
    save_figure(figure, path)


def _mark_best(axis: Any, history: Sequence[dict[str, Any]], monitor: str, mode: str) -> None:
    points = [(row[monitor], row["epoch"]) for row in history if row.get(monitor, float("nan")) == row.get(monitor)]
    if points:
        value, epoch = (min if mode == "min" else max)(points)
        axis.plot(epoch, value, "o", markersize=9, fillstyle="none", color="black", label=f"best {value:.3f}")
