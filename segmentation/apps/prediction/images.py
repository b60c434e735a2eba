"""Pictures and videos for predict.py: which there are, and what becomes of each."""

import logging
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from segmentation.apps.config.prediction import POST_PROCESSING
from segmentation.apps.prediction.large import LargePictures
from segmentation.apps.prediction.models import Opened, refuse_probabilities
from segmentation.apps.prediction.output import OutputFolder, Row
from segmentation.apps.prediction.pictures import COCO_PARTS, Pictures, Wanted
from segmentation.apps.prediction.pipeline import overlapped
from segmentation.apps.prediction.progress import Progress
from segmentation.apps.prediction.subject import Subject
from segmentation.apps.prediction.summary import write_summary
from segmentation.apps.prediction.truth import Truth
from segmentation.apps.prediction.videos import Videos
from segmentation.classes import Classes
from segmentation.data.image.inputs import Inputs, Picture, find_inputs
from segmentation.data.image.results.coco import join_coco
from segmentation.data.image.results.overlay import Overlay
from segmentation.data.image.videos import VideoFile
from segmentation.errors import UserError
from segmentation.inference.options import post_processing
from segmentation.inference.postprocessing import PostProcessing
from segmentation.reports.predictions import PICTURES
from segmentation.runtime.console import progress_bar
from segmentation.runtime.files import write_json

log = logging.getLogger("segmentation")


@dataclass(frozen=True)
class ImageTask:
    """A `Task`: the pictures and videos that `cfg.input` names, by the model that was opened."""

    cfg: DictConfig
    opened: Opened
    post: PostProcessing
    inputs: Inputs
    truth: Truth | None

    @classmethod
    def of(cls, cfg: DictConfig, opened: Opened) -> "ImageTask":
        """Raises `UserError` for what cannot be: options, the input, the labels."""
        post = post_processing(_options(cfg), opened.classes)
        if opened.only_says:
            refuse_probabilities(cfg, post)
        inputs = find_inputs(cfg.input, opened.pixels, leave_out=Path(cfg.output))
        keys = [picture.key for picture in inputs.pictures]
        truth = None if cfg.labels is None else Truth(Path(cfg.labels), cfg.labels_format, opened.classes, keys)
        return cls(cfg, opened, post, inputs, truth)

    @property
    def identity(self) -> Mapping[str, str]:
        return self.opened.identity

    @property
    def keys(self) -> Sequence[str]:
        return [each.key for each in self._every]

    @property
    def _every(self) -> list[Picture | VideoFile]:
        return [*self.inputs.pictures, *self.inputs.videos]

    @property
    def unreadable(self) -> Sequence[str]:
        return self.inputs.unreadable

    @property
    def without_effect(self) -> Sequence[str]:
        """Options of what is not asked for."""
        cfg = self.cfg
        asked = {
            "crf": cfg.crf.iterations,
            "smoothing": cfg.smoothing.keep,
            "tta": any(cfg.tta.values()),
            "confidence": cfg.pseudo_labels,
            "overlay_alpha": cfg.overlay,
            "polygon_tolerance": cfg.polygons,
        }
        return [name for name, is_asked in asked.items() if not is_asked]

    def predict(self, folder: OutputFolder) -> list[str]:
        cfg, opened = self.cfg, self.opened
        left = folder.left(self._every)
        videos = [each for each in left if isinstance(each, VideoFile)]
        pictures = [each for each in left if not isinstance(each, VideoFile)]
        if not left:
            return []
        parts = (opened.load(), self.post, _wanted(cfg, opened.classes), folder.path, self.truth)
        way, faults = Pictures(*parts), list[str]()
        with progress_bar("predicting", len(pictures) + sum(video.promised for video in videos)) as bar:
            progress = Progress(bar, "images")
            usual = [picture for picture in pictures if not picture.is_large]
            with closing(overlapped(usual, way.read, way.ask, way.write, cfg.threads)) as rows:
                for _, row in rows:
                    folder.take(row, faults)
                    progress.advance()
            for picture in (picture for picture in pictures if picture.is_large):
                folder.take(_large_row(LargePictures(*parts), picture, progress), faults)
                progress.advance()
            for video in videos:
                _predict_video(Videos(way, cfg.smoothing.keep, cfg.smoothing.cut), video, progress, folder, faults)
        return faults

    def conclude(
        self, folder: OutputFolder, rows: Sequence[Row], about: Mapping[str, Any], faults: Sequence[str]
    ) -> None:
        classes = self.opened.classes
        if self.cfg.polygons == "coco":
            parts = [folder.path / COCO_PARTS / f"{row['key']}.json" for row in rows if "frames" not in row]
            join_coco(folder.path / "polygons" / "coco.json", parts, classes)
        if self.cfg.pseudo_labels:
            entries = {"classes": classes.to_entries(), "ignore_index": classes.ignore_index}
            write_json(folder.path / "pseudo_labels" / "classes.json", entries)
            other = "" if classes.ignore_index == 255 else f" dataset.ignore_index={classes.ignore_index}"
            log.info("to train on them: dataset=folder dataset.root=%s%s", folder.path / "pseudo_labels", other)
        write_summary(folder, rows, classes, about, faults, PICTURES)


def _options(cfg: DictConfig) -> dict[str, Any]:
    """Of the post-processing; the confidence is for pseudo-labels alone."""
    options: dict[str, Any] = OmegaConf.to_container(cfg, resolve=True)  # type: ignore[assignment]
    names = [name for name in POST_PROCESSING if name != "confidence" or cfg.pseudo_labels]
    return {name: options[name] for name in names}


def _wanted(cfg: DictConfig, classes: Classes) -> Wanted:
    overlay = Overlay(classes, float(cfg.overlay_alpha), cfg.contours) if cfg.overlay else None
    polygons = cfg.polygons, float(cfg.polygon_tolerance)
    return Wanted(cfg.masks, cfg.colour, overlay, cfg.probabilities, *polygons, cfg.pseudo_labels)


def _large_row(large: LargePictures, picture: Picture, progress: Progress) -> Row | UserError:
    subject = Subject.of(picture, ())
    try:
        return large.predict(picture, subject, lambda share: progress.tell(f"{picture.key} {share:.0%}"))
    except UserError as error:
        return error
    finally:
        picture.close()


def _predict_video(
    videos: Videos, video: VideoFile, progress: Progress, folder: OutputFolder, faults: list[str]
) -> None:
    """What could be read of it is kept, and that there was no more is told."""
    try:
        row, fault = videos.predict(video, progress.advance)
    except UserError as error:
        folder.take(error, faults)
        return
    folder.take(row if fault is None else {**row, "fault": str(fault)}, faults)
