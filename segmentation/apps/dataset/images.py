"""Images: what a check sees of them. The same functions as of meshes."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from omegaconf import DictConfig

from segmentation.apps.dataset.seen import Shares, share_text, used
from segmentation.build.data import sample_keys
from segmentation.build.images import count_pixels, image_size
from segmentation.build.sets import Parts
from segmentation.data.check.findings import Example, Finding
from segmentation.data.image.check.duplicates import duplicate_findings
from segmentation.data.image.check.images import ImageScan, image_findings, scan_images
from segmentation.data.image.check.masks import mask_findings
from segmentation.data.image.check.pictures import file_picture, image_picture, sample_picture
from segmentation.data.image.check.sizes import size_findings
from segmentation.data.image.check.videos import video_findings
from segmentation.data.image.files import Size
from segmentation.data.image.layouts.manifest import can_be_listed
from segmentation.data.image.scan import MaskScan
from segmentation.data.image.source import ImageSample, ImageSource
from segmentation.reports.blocks import Bar, Bars
from segmentation.reports.page import Section
from segmentation.runtime.console import progress_bar

__all__ = ["can_be_listed", "look_at_all", "look_quickly"]
MOST_SIZES = 12  # different sizes that get a bar each


def look_at_all(source: ImageSource, dataset: DictConfig) -> "ImagesSeen":
    """Every image and mask, read once; from the cache where the files are as they were."""
    masks = count_pixels(source)
    with progress_bar("reading the images", len(source.samples)) as bar:
        images = scan_images(source, bar.advance)
    return ImagesSeen(source, masks, images, image_size(dataset))


def look_quickly(cfg: DictConfig, source: ImageSource, parts: Parts) -> list[Finding]:
    """What the masks hold, which training reads anyway."""
    return mask_findings(source, count_pixels(source), sample_keys(parts))


@dataclass(frozen=True)
class ImagesSeen:
    """`wanted` is the (height, width) that images are resized to."""

    source: ImageSource
    masks: MaskScan
    images: ImageScan
    wanted: Size | None

    @property
    def counts(self) -> np.ndarray:
        return self.masks.counts[:, :-1]

    def contents(self) -> Mapping[str, bytes]:
        return self.images.contents()

    def findings(self, parts: Parts) -> list[Finding]:
        return [
            *image_findings(self.images),
            *mask_findings(self.source, self.masks, sample_keys(parts)),
            *size_findings(self.images, self.masks, self.wanted),
            *duplicate_findings(self.images, parts),
            *video_findings(self.images, parts),
        ]

    def summary(self, parts: Parts) -> tuple[list[str], list[list[str]]]:
        pixels = [self.masks.counts[self.masks.rows_of(keys)].sum(axis=0) for keys in used(parts).values()]
        members = [samples for samples in parts.values() if samples]
        return ["", *used(parts)], [
            ["images", *(str(len(samples)) for samples in members)],
            ["groups", *(str(len({sample.group for sample in samples})) for samples in members)],
            ["ignored pixels", *(share_text(counts[-1], counts.sum()) for counts in pixels)],
        ]

    def shares(self, parts: Parts) -> list[Shares]:
        counts = {part: self.masks.counts_of(keys) for part, keys in used(parts).items()}
        return [Shares("pixels", "images", counts)]

    def sections(self, parts: Parts) -> list[Section]:
        return [Section("Sizes", [self._size_bars()])]

    def picture(self, sample: ImageSample) -> np.ndarray | None:
        return sample_picture(self.source, sample)

    def pictures(self, example: Example) -> Iterator[tuple[str, np.ndarray]]:
        """One sample with its mask, several by their images, files of no sample as they are."""
        draw = sample_picture if len(example.keys) == 1 else image_picture
        by_key = {sample.key: sample for sample in self.source.samples if sample.key in example.keys}
        pictures = [(key, draw(self.source, by_key[key])) for key in example.keys]
        pictures += [(str(path), file_picture(path)) for path in example.files]
        yield from ((caption, picture) for caption, picture in pictures if picture is not None)

    def _size_bars(self) -> Bars:
        """By size where there are few, else by the longer side in ten steps."""
        sizes = Counter(sample.size for sample in self.source.samples)
        if len(sizes) <= MOST_SIZES:
            told = {f"{width}x{height}": count for (height, width), count in sorted(sizes.items())}
        else:
            counts, edges = np.histogram([max(sample.size) for sample in self.source.samples])
            told = {
                f"longer side {low:.0f} to {high:.0f}": int(count)
                for low, high, count in zip(edges, edges[1:], counts, strict=False)
            }
        return Bars([(label, {"images": Bar(count, f"{count} images")}) for label, count in told.items()])
