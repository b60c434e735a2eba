"""Transforms of albumentations, listed by name with their parameters; their draw is a pure function of a seed."""

import inspect
import os
import random
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # before the import: it would ask the network for news
import albumentations

from segmentation.data.image.augmentation.strength import Spec, scaled
from segmentation.data.image.files import Size
from segmentation.data.image.resized import resize_image, resize_mask
from segmentation.errors import UserError, near, unknown_key

Entry = str | Mapping[str, Mapping[str, Any] | None]
UNFIT = {
    **dict.fromkeys(("Normalize", "ToFloat", "FromFloat", "ToTensorV2", "ToTensor3D"), "the model scales by itself"),
    "Morphological": "it changes class ids",
    "Lambda": "it needs code",
    **dict.fromkeys(("FDA", "HistogramMatching", "PixelDistributionAdaptation"), "it needs other images"),
    **dict.fromkeys(("Mosaic", "OverlayElements"), "augmentation.mixing is for several samples"),
    "TextImage": "it needs texts",
    **dict.fromkeys(("FrequencyMasking", "TimeMasking"), "it fills masks with class 0; use XYMasking"),
    "GridElasticDeform": "it fills masks with class 0; use ElasticTransform",
    **dict.fromkeys(("AtLeastOneBBoxRandomCrop", "BBoxSafeRandomCrop", "RandomCropNearBBox"), "it needs boxes"),
    "RandomSizedBBoxSafeCrop": "it needs boxes",
}
OF_MASKS = ("fill_mask", "mask_interpolation", "mask_drop_value")


def _is_offered(name: str) -> bool:
    value, kinds = getattr(albumentations, name), (albumentations.ImageOnlyTransform, albumentations.DualTransform)
    if not inspect.isclass(value) or value in kinds or name in UNFIT:
        return False
    return issubclass(value, kinds) and not issubclass(value, albumentations.Transform3D)


TRANSFORMS = frozenset(name for name in dir(albumentations) if _is_offered(name))


class Transforms:
    """Random transforms of an image and its mask together, in the order of `spec`.

    Masks are never interpolated, and what comes in from outside is `ignore_index` in them. Every call is seeded:
    albumentations' own state repeats itself in every worker and every epoch. All transforms draw from the same two
    generators: `Compose.set_random_seed` would give each its own of the same seed, and those of equal probability
    would then happen together or not at all.
    """

    def __init__(self, spec: Spec, ignore_index: int) -> None:
        self.spec = spec
        self._compose = albumentations.Compose([_built(*entry, ignore_index) for entry in spec], strict=True)

    def __call__(self, image: np.ndarray, mask: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """`image` `[H, W, channels]` uint8 or float32 and `mask` `[H, W]` uint8 -> the same, of a size that the
        transforms decide; a picture turned by 90 degrees is fitted into its shape again.

        Raises `UserError` where a transform cannot deal with such an image.
        """
        if not self.spec:
            return image, mask
        self._compose.set_random_state(np.random.default_rng(seed), random.Random(seed))
        try:
            result = self._compose(image=image, mask=mask)
        except Exception as error:  # each transform has its own; albumentations' have nothing in common
            raise UserError(f"{self._cannot(image)}: {' '.join(str(error).split())}") from error
        new_image, new_mask = result["image"], result["mask"]
        if new_image.shape[2:] != image.shape[2:] or new_image.dtype != image.dtype:
            raise UserError(f"{self._cannot(image)}: it became {_kind(new_image)}")
        size = (mask.shape[0], mask.shape[1])
        return fitted(new_image, new_mask, size) if new_mask.shape == size[::-1] else (new_image, new_mask)

    @property
    def steps(self) -> list[albumentations.BasicTransform]:
        """The transforms, for whoever draws their parameters and does not apply them."""
        return list(self._compose.transforms)

    def _cannot(self, image: np.ndarray) -> str:
        names = ", ".join(name for name, _ in self.spec)
        return f"one of the transforms {names} cannot be applied to an image of {_kind(image)}"


def _kind(image: np.ndarray) -> str:
    return f"{'x'.join(map(str, image.shape))} {image.dtype}"


def fitted(image: np.ndarray, mask: np.ndarray, size: Size) -> tuple[np.ndarray, np.ndarray]:
    """The largest window in the middle that has the shape of `size` (height, width), at that size."""
    height, width = mask.shape
    scale = min(height / size[0], width / size[1])
    window = (max(round(size[0] * scale), 1), max(round(size[1] * scale), 1))
    top, left = (height - window[0]) // 2, (width - window[1]) // 2
    part = np.s_[top : top + window[0], left : left + window[1]]
    return resize_image(image[part], size), resize_mask(mask[part], size)


def transforms_of(entries: Sequence[Entry], ignore_index: int, strength: float = 1.0) -> Transforms:
    """Raises `UserError` for what `faults_in_transforms` finds."""
    fault = next(faults_in_transforms(entries, "transforms", strength), None)
    if fault is not None:
        raise UserError(f"augmentation.{fault}")
    return Transforms(scaled(tuple(map(_named, entries)), strength, _default), ignore_index)


def faults_in_transforms(entries: Any, path: str, strength: float) -> Iterator[str]:
    """Unknown names and parameters and impossible values in a list of transforms that is called `path`."""
    if not isinstance(entries, list | tuple):
        yield f"{path}={entries}: expected a list of transforms, [{{HorizontalFlip: {{p: 0.5}}}}]"
        return
    for index, entry in enumerate(entries):
        yield from _entry_faults(entry, f"{path}[{index}]", strength)


def _entry_faults(entry: Any, place: str, strength: float) -> Iterator[str]:
    if not _is_entry(entry):
        yield f"{place}={entry}: expected a name, or one name with its parameters, {{HorizontalFlip: {{p: 0.5}}}}"
        return
    name, parameters = _named(entry)
    if name not in TRANSFORMS:
        known = f"cannot be used, {UNFIT[name]}" if name in UNFIT else f"is no transform; {near(name, TRANSFORMS, SEE)}"
        yield f"{place}: {name} {known}"
        return
    known_parameters = _parameters_of(name).keys()
    unknown = sorted(map(str, parameters.keys() - known_parameters))
    yield from (unknown_key(f"{place}.{name}.{key}", known_parameters) for key in unknown)
    for key in OF_MASKS:
        if parameters.get(key) is not None:
            yield f"{place}.{name}.{key}: leave it out; masks get dataset.ignore_index and are never interpolated"
    if parameters.get("area_for_downscale") == "image_mask":
        yield f"{place}.{name}.area_for_downscale=image_mask: class ids have no mean, use image"
    if not unknown:
        yield from _value_faults(name, parameters, place, strength)


SEE = "the names are those of albumentations 2.0.8"


def _value_faults(name: str, parameters: dict[str, Any], place: str, strength: float) -> Iterator[str]:
    for scale, told in ((1.0, ""), (strength, f" at strength={strength:g}")):
        try:
            for entry in scaled(((name, parameters),), scale, _default):
                _built(*entry, 255)
        except (ValueError, TypeError) as error:
            yield f"{place}.{name}{told}: {_in_one_line(error)}"
            return


def _in_one_line(error: Exception) -> str:
    """What was wrong with which parameter; pydantic tells more, over many lines."""
    lines = [line.strip() for line in str(error).splitlines() if "errors.pydantic.dev" not in line]
    return " ".join(lines[1:] if len(lines) > 1 else lines).partition(" [type=")[0]


def _is_entry(entry: Any) -> bool:
    if isinstance(entry, str):
        return True
    return isinstance(entry, Mapping) and len(entry) == 1 and isinstance(next(iter(entry.values())), Mapping | None)


def _named(entry: Entry) -> tuple[str, dict[str, Any]]:
    name, parameters = (entry, None) if isinstance(entry, str) else next(iter(entry.items()))
    return str(name), dict(parameters or {})


def _parameters_of(name: str) -> dict[str, inspect.Parameter]:
    parameters = inspect.signature(getattr(albumentations, name).__init__).parameters
    return {key: value for key, value in parameters.items() if key != "self"}


def _default(name: str, parameter: str) -> Any:
    return _parameters_of(name)[parameter].default


def _built(name: str, parameters: Mapping[str, Any], ignore_index: int) -> albumentations.BasicTransform:
    """For masks albumentations' default is the nearest neighbour. A `fill_mask` of null stays: holes in the image
    that the mask does not know of.
    """
    fills = "fill_mask" in _parameters_of(name) and "fill_mask" not in parameters
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that there is a better one of another name
        return getattr(albumentations, name)(**parameters, **({"fill_mask": ignore_index} if fills else {}))
