"""Frames in the order of videos: from video files, or from folders of pictures; with masks by frame number, or without.

<root>.mp4 or <root>/a.mp4, b.mp4, ...              a file is a video
<root>/0001.jpg, ... or <root>/a/0001.jpg, ...      a folder of pictures is a video
"""

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from segmentation.classes import Classes
from segmentation.data.class_list import Spec, class_list
from segmentation.data.folders import data_folder, folders
from segmentation.data.image.files import stored_size
from segmentation.data.image.labels.masks import MaskOptions
from segmentation.data.image.labels.unlabelled import NoLabels
from segmentation.data.image.layouts.folder import MASKS
from segmentation.data.image.layouts.frames import Clock, FrameReader, look_at
from segmentation.data.image.layouts.pairing import accepted, fitting, pictures
from segmentation.data.image.source import UNMEASURED, ImageSample, ImageSource, Labels, measured
from segmentation.data.image.videos import VIDEO_SUFFIXES
from segmentation.errors import UserError

log = logging.getLogger("segmentation")
UNKNOWN = Classes(("unknown",), ((128, 128, 128),))  # of frames without labels


@dataclass(frozen=True)
class Recording:
    """A video file, which has a clock, or a folder of pictures; all its frames in order."""

    path: Path
    samples: list[ImageSample]
    clock: Clock | None


def video(
    root: str,
    labels: str | None = None,
    stride: int = 1,
    first_number: int = 0,
    classes: Spec = None,
    ignore_index: int = 255,
    ignore_void: bool = False,
    mask_format: str = "index",
    threshold: float = 128,
    remap: Mapping[int, int | str] | None = None,
    image_suffix: str | None = None,
    mask_suffix: str | None = None,
) -> ImageSource:
    """Every `stride`-th frame of each video, in order; a video is a group.

    `labels` is a folder of masks (below `root`, or a path), with a sub-folder for each video; of one video it may hold
    the masks themselves. A mask belongs to the frame of the number that ends its name: `first_number` is that of a
    video file's first frame, pictures have theirs at the end of their names too, before `image_suffix`. Frames
    without a mask are left out; without `labels` all are there, and there is nothing to train on. The mask options are
    those of `MaskOptions`.
    Raises `UserError` with all faults of all videos together; that a video ends before its header says is one.
    """
    if stride < 1:
        raise UserError(f"dataset.stride={stride}: expected a whole number of at least 1")
    place = Path(root)
    folder = place.parent if place.is_file() else data_folder(root)
    masks_in = None if labels is None else _label_folder(labels, folder)
    videos, faults = _recordings(place, masks_in, image_suffix)
    samples = [sample for video in videos for sample in video.samples[::stride]]
    read_labels: Labels
    if masks_in is None:
        read_labels = NoLabels(UNKNOWN if classes is None else class_list(classes, folder, ignore_index))
    else:
        options = MaskOptions(mask_format, threshold, remap, mask_suffix, ignore_void)
        stored = options.classes(classes, folder, ignore_index)
        masks, mask_faults = _masks(videos, masks_in, options, stored, first_number)
        samples = [replace(sample, mask=masks[sample.key]) for sample in samples if sample.key in masks]
        faults += mask_faults
        if not samples and not faults:
            raise UserError(
                f"dataset.root={root}: none of every {stride} frames has a mask in {labels}; set dataset.stride=1"
            )
        read_labels = options.labels(stored, samples)
    samples, size_faults = _sized(samples)
    complete = accepted(root, samples, faults + size_faults)
    total = sum(len(video.samples) for video in videos)
    title = f"{root} ({len(videos)} videos, {len(complete)} of {total} frames)"
    clocks = tuple((video.path, video.clock) for video in videos if video.clock is not None)
    return ImageSource(title, complete, read_labels, reader=FrameReader(clocks))


def _recordings(place: Path, masks_in: Path | None, image_suffix: str | None) -> tuple[list[Recording], list[str]]:
    if place.is_file():
        return _of_files([place])
    files = [path for path in sorted(place.iterdir()) if path.suffix.lower() in VIDEO_SUFFIXES]
    if files:
        return _of_files(files)
    inner = [place] if pictures(place)[0] else folders(place)
    found = [_of_pictures(folder, image_suffix) for folder in inner if not _holds_masks(folder, place, masks_in)]
    videos = [video for video, _ in found if video.samples]
    if not videos:
        raise UserError(
            f"dataset.root={place}: looked for videos ({', '.join(VIDEO_SUFFIXES)}) and for folders of pictures, "
            "found neither"
        )
    return videos, [fault for _, faults in found for fault in faults]


def _holds_masks(folder: Path, place: Path, masks_in: Path | None) -> bool:
    """The folder of labels, or without one a folder in `place` that is called as masks are."""
    if masks_in is not None:
        return folder.samefile(masks_in)
    if folder == place or folder.name.lower() not in MASKS:
        return False
    log.warning("%s is no video but masks, by its name: dataset.labels=%s makes use of them", folder, folder.name)
    return True


def _of_files(files: Sequence[Path]) -> tuple[list[Recording], list[str]]:
    videos: dict[str, Recording] = {}
    faults = []
    for path in files:
        if path.stem in videos:
            faults.append(f"{videos[path.stem].path} and {path.name}: one name, two videos")
            continue
        try:
            found = look_at(path)
        except UserError as error:
            faults.append(str(error))
            continue
        if found.is_short:
            faults.append(
                f"{path} ends early: its header says {found.promised} frames, {found.frames} are there; "
                "restore it, or write its header anew (ffmpeg -i IN -c copy OUT)"
            )
        samples = [
            ImageSample(f"{path.stem}/{number:06d}", path.stem, path, None, found.size, None, number)
            for number in range(found.frames)
        ]
        videos[path.stem] = Recording(path, samples, found.clock)
    return list(videos.values()), faults


def _of_pictures(folder: Path, suffix: str | None) -> tuple[Recording, list[str]]:
    there, faults = pictures(folder)
    found = fitting(there, suffix)
    name = folder.resolve().name
    samples = [
        ImageSample(f"{name}/{stem}", name, found[stem], None, UNMEASURED) for stem in sorted(found, key=_in_order)
    ]
    return Recording(folder, samples, None), faults


def _in_order(stem: str) -> list[str | int]:
    """frame2 before frame10."""
    return [int(word) if word.isdecimal() else word for word in re.split("([0-9]+)", stem)]


def _label_folder(labels: str, folder: Path) -> Path:
    found = next((place for place in (folder / labels, Path(labels)) if place.is_dir()), None)
    if found is None:
        raise UserError(f"dataset.labels={labels}: there is no such folder here, nor in {folder}")
    return found


def _masks(
    videos: Sequence[Recording], labels: Path, options: MaskOptions, stored: Classes, first_number: int
) -> tuple[dict[str, Any], list[str]]:
    """The masks of all frames that have one, by the samples' keys, and those that belong to no frame."""
    masks: dict[str, Any] = {}
    faults = []
    for video in videos:
        own = labels / video.samples[0].group
        if not own.is_dir() and len(videos) > 1:
            faults.append(f"{video.path} has no folder of masks {own}")
            continue
        found, wrong = options.find(own if own.is_dir() else labels, stored)
        of_number = {_number(sample, first_number): sample.key for sample in video.samples}
        if len(of_number) < len(video.samples):
            wrong.append(f"{video.path}: the pictures' names do not end in numbers of their own")
        numbers = {_last_number(stem) for stem in found}
        from_one = video.clock is not None and first_number == 0 and len(of_number) in numbers and 0 not in numbers
        advice = "; if the numbers begin with 1, set dataset.first_number=1" if from_one else ""
        for stem, mask in found.items():
            key = of_number.get(_last_number(stem))
            if key is None:
                frames = f"{video.path}, which has {len(of_number)}"
                wrong.append(f"{labels}: the mask {stem} is of no frame of {frames}{advice}")
            elif key in masks:
                wrong.append(f"{labels}: the mask {stem} is the second one of {key}")
            else:
                masks[key] = mask
        faults += wrong
    return masks, faults


def _number(sample: ImageSample, first_number: int) -> int | None:
    return _last_number(sample.key) if sample.frame is None else sample.frame + first_number


def _last_number(stem: str) -> int | None:
    match = re.search("[0-9]+$", stem)
    return int(match[0]) if match else None


def _sized(samples: Sequence[ImageSample]) -> tuple[list[ImageSample], list[str]]:
    """Pictures with their sizes; masks of another size than their frame are faults."""
    if all(sample.frame is None for sample in samples):
        return measured(samples)
    faults = []
    for sample in samples:
        if isinstance(sample.mask, Path):
            try:
                size = stored_size(sample.mask, rotate=False)
            except UserError as error:
                faults.append(str(error))
                continue
            if size != sample.size:
                faults.append(
                    f"{sample.mask} is {size[1]}x{size[0]} pixels, its video {sample.size[1]}x{sample.size[0]}"
                )
    return list(samples), faults
