"""The DAVID layout: frames of videos beside label pictures in palette colours.

    <root>/Images/Video_000/v000_0000.png
    <root>/Labels/Video_000/v000_0000.png

Kuhn et al., "DAVID: driving video annotated with instances and depth", ICIP 2021; mediaTUM 1596437, CC BY 4.0.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from segmentation.classes import Classes
from segmentation.data.image.files import SUFFIXES
from segmentation.data.image.labels import PictureLabels
from segmentation.data.image.palette import PaletteDecoder
from segmentation.data.image.source import UNMEASURED, ImageSample, ImageSource, measured
from segmentation.errors import UserError, gathered

VOID = "void"
WHERE = "DAVID is at https://mediatum.ub.tum.de/1596437 (CC BY 4.0); set dataset.root to its folder"


def david(
    root: str,
    classes: Sequence[Mapping[str, Any]],
    labels: str | None = None,
    include: Sequence[str] | None = None,
    ignore_void: bool = False,
    ignore_index: int = 255,
) -> ImageSource:
    """Find the frames of a DAVID data set and their label pictures; a video is a group.

    `labels` names another labels folder (below `root`, or a path), `include` the videos to use. Folder names and file
    suffixes are accepted in upper and lower case. Raises `UserError` with all faults of all videos together.
    """
    folder = Path(root)
    image_root = _find(folder, "Images")
    label_root = _other_labels(folder, labels) if labels else _find(folder, "Labels")
    if image_root is None or label_root is None:
        missing = "Images" if image_root is None else labels or "Labels"
        raise UserError(
            f"dataset.root={root}: looked for Images/Video_XXX and {labels or 'Labels'}/Video_XXX, found no folder "
            f"{missing}; {WHERE}"
        )
    videos = _chosen_videos(image_root, include)
    frames, faults = _pair_videos(videos, label_root)
    if include is None:
        faults += _masks_without_video(videos, label_root)
    samples, size_faults = measured(frames)
    faults += size_faults
    if faults:
        raise gathered(f"dataset.root={root} has {len(faults)} faults: mend or remove these files", faults)
    known = Classes.from_entries(classes, ignore_index)
    ignored = tuple(color for name, color in zip(known.names, known.colors, strict=True) if name == VOID)
    decode = PaletteDecoder(known.without(VOID), ignored) if ignore_void else PaletteDecoder(known)
    return ImageSource(f"{root} ({len(videos)} videos)", tuple(samples), PictureLabels(decode))


def _find(parent: Path, name: str) -> Path | None:
    """The folder of this name in any case."""
    if not parent.is_dir():
        return None
    return next((entry for entry in _folders(parent) if entry.name.lower() == name.lower()), None)


def _folders(parent: Path) -> list[Path]:
    return sorted(entry for entry in parent.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def _other_labels(root: Path, labels: str) -> Path | None:
    return next((place for place in (root / labels, Path(labels)) if place.is_dir()), None)


def _chosen_videos(image_root: Path, include: Sequence[str] | None) -> list[Path]:
    videos = _folders(image_root)
    if not videos:
        raise UserError(f"{image_root} holds no video folder: looked for {image_root}/Video_XXX; {WHERE}")
    if include is None:
        return videos
    by_name = {video.name.lower(): video for video in videos}
    wanted = [include] if isinstance(include, str) else [str(name) for name in include]
    unknown = [name for name in wanted if name.lower() not in by_name]
    if unknown or not wanted:
        names = ", ".join(video.name for video in videos)
        raise UserError(f"dataset.include={unknown or wanted}: no video of that name; there are {names}")
    return sorted({by_name[name.lower()] for name in wanted})


def _pair_videos(videos: Sequence[Path], label_root: Path) -> tuple[list[ImageSample], list[str]]:
    """Every frame that has image and mask, and what is wrong with the rest."""
    frames: list[ImageSample] = []
    faults: list[str] = []
    for video in videos:
        label_folder = _find(label_root, video.name)
        images, image_faults = _pictures(video)
        masks, mask_faults = _pictures(label_folder) if label_folder else ({}, [])
        faults += image_faults + mask_faults
        faults += [f"{images[stem]} has no mask in {label_root}" for stem in sorted(images.keys() - masks.keys())]
        faults += [f"{masks[stem]} has no image in {video}" for stem in sorted(masks.keys() - images.keys())]
        both = sorted(images.keys() & masks.keys())
        frames += [
            ImageSample(f"{video.name}/{stem}", video.name, images[stem], masks[stem], UNMEASURED) for stem in both
        ]
        if not images:
            faults.append(f"{video} holds no {'/'.join(SUFFIXES)} picture")
    return frames, faults


def _masks_without_video(videos: Sequence[Path], label_root: Path) -> list[str]:
    known = {video.name.lower() for video in videos}
    extra = [(folder, len(_pictures(folder)[0])) for folder in _folders(label_root) if folder.name.lower() not in known]
    return [f"{folder} holds {count} masks of a video without images" for folder, count in extra if count]


def _pictures(folder: Path) -> tuple[dict[str, Path], list[str]]:
    """Picture files by stem; two of one stem are a fault."""
    found: dict[str, Path] = {}
    faults = []
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in SUFFIXES or path.name.startswith("."):
            continue
        if path.stem in found:
            faults.append(f"{folder} holds {found[path.stem].name} and {path.name}: one frame, two pictures")
        found[path.stem] = path
    return found, faults
