"""The DAVID layout: frames of videos beside label pictures in palette colours.

    <root>/Images/Video_000/v000_0000.png
    <root>/Labels/Video_000/v000_0000.png

Kuhn et al., "DAVID: driving video annotated with instances and depth", ICIP 2021; mediaTUM 1596437, CC BY 4.0.
"""

from collections.abc import Sequence
from pathlib import Path

from segmentation.data.class_list import Spec
from segmentation.data.folders import find_folder, folders
from segmentation.data.image.files import SUFFIXES
from segmentation.data.image.labels.masks import MaskOptions
from segmentation.data.image.layouts.pairing import finished, paired, pictures
from segmentation.data.image.source import UNMEASURED, ImageSample, ImageSource
from segmentation.errors import UserError

WHERE = "DAVID is at https://mediatum.ub.tum.de/1596437 (CC BY 4.0); set dataset.root to its folder"


def david(
    root: str,
    classes: Spec,
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
    options = MaskOptions("palette", ignore_void=ignore_void)
    stored = options.classes(classes, folder, ignore_index)
    image_root = find_folder(folder, "Images")
    label_root = _other_labels(folder, labels) if labels else find_folder(folder, "Labels")
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
    samples = finished(root, frames, None, faults)
    return ImageSource(f"{root} ({len(videos)} videos)", samples, options.labels(stored, samples))


def _other_labels(root: Path, labels: str) -> Path | None:
    return next((place for place in (root / labels, Path(labels)) if place.is_dir()), None)


def _chosen_videos(image_root: Path, include: Sequence[str] | None) -> list[Path]:
    videos = folders(image_root)
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
        label_folder = find_folder(label_root, video.name)
        images, image_faults = pictures(video)
        if images and label_folder is None:
            faults.append(f"{label_root} has no folder {video.name} for its masks (images: {len(images)})")
            continue
        masks, mask_faults = pictures(label_folder) if label_folder else ({}, [])
        pairs, pair_faults = paired(images, masks, video, label_root)
        faults += image_faults + mask_faults + pair_faults
        frames += [
            ImageSample(f"{video.name}/{stem}", video.name, image, mask, UNMEASURED) for stem, image, mask in pairs
        ]
        if not images:
            faults.append(f"{video} holds no {'/'.join(SUFFIXES)} picture")
    return frames, faults


def _masks_without_video(videos: Sequence[Path], label_root: Path) -> list[str]:
    known = {video.name.lower() for video in videos}
    extra = [(folder, len(pictures(folder)[0])) for folder in folders(label_root) if folder.name.lower() not in known]
    return [f"{folder} holds {count} masks of a video without images" for folder, count in extra if count]
