"""predict.py: masks of whatever is given, by the model of a run, by several, or by an exported file.

Nothing here imports PyTorch: an exported file is used without it.
"""

import errno
import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from segmentation.apps.config.faults import raise_faults
from segmentation.apps.config.prediction import POST_PROCESSING, faults_in_prediction
from segmentation.apps.prediction.large import LargePictures
from segmentation.apps.prediction.models import Opened, open_exported, refuse_probabilities
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
from segmentation.errors import UserError, gathered
from segmentation.inference.options import post_processing
from segmentation.inference.postprocessing import PostProcessing
from segmentation.runtime.console import progress_bar
from segmentation.runtime.files import write_json

log = logging.getLogger("segmentation")
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
ANY_TIME = (
    "input",
    "output",
    "skip_existing",
    "overwrite",
    "threads",
    "device",
    "tile_batch",
)


def predict(cfg: DictConfig) -> None:
    """Write what `cfg` asks for into `cfg.output`. What can be refused is refused before the model is loaded.

    What cannot be read is told and passed over, and in the end a `UserError` says how many there were.
    """
    raise_faults(faults_in_prediction(cfg))
    opened = _opened(cfg)
    post = post_processing(_options(cfg), opened.classes)
    if opened.only_says:
        refuse_probabilities(cfg, post)
    output = Path(cfg.output)
    inputs = find_inputs(cfg.input, opened.pixels, leave_out=output)
    pictures = [picture.key for picture in inputs.pictures]
    truth = None if cfg.labels is None else Truth(Path(cfg.labels), cfg.labels_format, opened.classes, pictures)
    with _failing_in_one_line(output):
        about = _about(cfg, opened)
        folder = OutputFolder.open(output, about, cfg.skip_existing, cfg.overwrite)
        faults = [*inputs.unreadable, *_predicted(cfg, opened, post, inputs, folder, truth)]
        _conclude(cfg, folder, opened.classes, [*pictures, *(video.key for video in inputs.videos)], about, faults)
    if faults:
        number = len(inputs.pictures) + len(inputs.videos) + len(inputs.unreadable)
        raise gathered(f"{len(faults)} of {number} inputs could not be done in whole; all else is in {output}", faults)


def _opened(cfg: DictConfig) -> Opened:
    if cfg.model is not None:
        return open_exported(cfg)
    from segmentation.apps.prediction.trained import open_runs

    return open_runs(cfg)


def _options(cfg: DictConfig) -> dict[str, Any]:
    """Of the post-processing; the confidence is for pseudo-labels alone."""
    options: dict[str, Any] = OmegaConf.to_container(cfg, resolve=True)  # type: ignore[assignment]
    names = [name for name in POST_PROCESSING if name != "confidence" or cfg.pseudo_labels]
    return {name: options[name] for name in names}


def _about(cfg: DictConfig, opened: Opened) -> dict[str, Any]:
    """What must be the same for results to lie in one folder, as JSON; infinity, which JSON has not, as text."""
    options: Mapping[str, Any] = OmegaConf.to_container(cfg, resolve=True)  # type: ignore[assignment]
    left_out = {*ANY_TIME, "run", "model", "checkpoint", *_without_effect(cfg)}
    others = {name: value for name, value in options.items() if name not in left_out}
    plain: dict[str, Any] = json.loads(json.dumps({**opened.identity, **others}), parse_constant=str)
    return plain


def _without_effect(cfg: DictConfig) -> Iterator[str]:
    """Options of what is not asked for."""
    asked = {
        "crf": cfg.crf.iterations,
        "smoothing": cfg.smoothing.keep,
        "tta": any(cfg.tta.values()),
        "confidence": cfg.pseudo_labels,
        "overlay_alpha": cfg.overlay,
        "polygon_tolerance": cfg.polygons,
    }
    return (name for name, is_asked in asked.items() if not is_asked)


def _wanted(cfg: DictConfig, classes: Classes) -> Wanted:
    overlay = Overlay(classes, float(cfg.overlay_alpha), cfg.contours) if cfg.overlay else None
    polygons = cfg.polygons, float(cfg.polygon_tolerance)
    return Wanted(cfg.masks, cfg.colour, overlay, cfg.probabilities, *polygons, cfg.pseudo_labels)


def _predicted(
    cfg: DictConfig, opened: Opened, post: PostProcessing, inputs: Inputs, folder: OutputFolder, truth: Truth | None
) -> list[str]:
    """Faults, a line for each input that could not be done."""
    pictures = [picture for picture in inputs.pictures if not folder.has(picture.key, picture.path)]
    videos = [video for video in inputs.videos if not folder.has(video.key, video.path)]
    every, left = len(inputs.pictures) + len(inputs.videos), len(pictures) + len(videos)
    if left < every:
        log.info("%d of %d inputs are complete already", every - left, every)
    if not left:
        return []
    parts = (opened.load(), post, _wanted(cfg, opened.classes), folder.path, truth)
    way, faults = Pictures(*parts), list[str]()
    with progress_bar("predicting", len(pictures) + sum(video.promised for video in videos)) as bar:
        progress = Progress(bar)
        usual = [picture for picture in pictures if not picture.is_large]
        with closing(overlapped(usual, way.read, way.ask, way.write, cfg.threads)) as rows:
            for _, row in rows:
                _noted(row, folder, faults)
                progress.advance()
        for picture in (picture for picture in pictures if picture.is_large):
            _noted(_large_row(LargePictures(*parts), picture, progress), folder, faults)
            progress.advance()
        for video in videos:
            _predict_video(Videos(way, cfg.smoothing.keep, cfg.smoothing.cut), video, progress, folder, faults)
    return faults


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
        _noted(error, folder, faults)
        return
    _noted(row if fault is None else {**row, "fault": str(fault)}, folder, faults)


def _noted(row: Row | UserError, folder: OutputFolder, faults: list[str]) -> None:
    """A row with a `fault` is of an input that was done in part."""
    fault = str(row) if isinstance(row, UserError) else row.get("fault")
    if fault is not None:
        log.warning("%s", fault)
        faults.append(fault)
    if not isinstance(row, UserError):
        folder.note(row)


def _conclude(
    cfg: DictConfig,
    folder: OutputFolder,
    classes: Classes,
    keys: list[str],
    about: Mapping[str, Any],
    faults: list[str],
) -> None:
    rows = [folder.done[key] for key in keys if key in folder.done]
    if cfg.polygons == "coco":
        parts = [folder.path / COCO_PARTS / f"{row['key']}.json" for row in rows if "frames" not in row]
        join_coco(folder.path / "polygons" / "coco.json", parts, classes)
    if cfg.pseudo_labels:
        entries = {"classes": classes.to_entries(), "ignore_index": classes.ignore_index}
        write_json(folder.path / "pseudo_labels" / "classes.json", entries)
        other = "" if classes.ignore_index == 255 else f" dataset.ignore_index={classes.ignore_index}"
        log.info("to train on them: dataset=folder dataset.root=%s%s", folder.path / "pseudo_labels", other)
    write_summary(folder, rows, classes, about, faults)
    log.info("%d inputs -> %s", len(rows), folder.path / "index.html")


@contextmanager
def _failing_in_one_line(output: Path) -> Iterator[None]:
    """What is written is whole, whatever happens."""
    try:
        yield
    except MemoryError as error:
        raise UserError(f"out of memory ({error}): give threads=1, or fewer kinds of results") from error
    except OSError as error:
        if error.errno in FULL:
            raise UserError(
                f"no space to write in {output} ({error.strerror}): free some and go on with skip_existing=true; what "
                "is there is complete"
            ) from error
        told = f"{error.filename or output}: {error.strerror or error}"
        raise UserError(f"output={output} cannot be written ({told}): give a folder that can be") from error
