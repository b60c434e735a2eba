"""Augmentation of whole batches on the device that trains, in place of the CPU's of each sample."""

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import albumentations
import numpy as np
import torch
from torch import Tensor

from segmentation.data.batch import Batch
from segmentation.data.image.augmentation.device_transforms import APPLY, ONLY
from segmentation.data.image.augmentation.transforms import Transforms
from segmentation.data.sampler import sample_seed
from segmentation.errors import UserError

Parameters = Mapping[str, Any]
Shape = tuple[int, int, int]  # height, width, channels


class DeviceAugmentation:
    """`transforms` for a batch on its device; albumentations itself draws their parameters, for each sample.

    What is drawn is a pure function of the run's `seed`, the number of the batch and the place in it. Raises
    `UserError` for a transform, or a value of an option, that is not known here.
    """

    def __init__(self, transforms: Transforms, seed: int) -> None:
        self._steps, self._seed = transforms.steps, seed
        faults = list(_faults(self._steps))
        if faults:
            raise UserError(
                f"trainer.device_augmentation=true: the device does not know {', '.join(faults)}; "
                "leave that out of augmentation.transforms, or set trainer.device_augmentation=false"
            )

    def __call__(self, batch: Batch, number: int) -> Batch:
        """`inputs` uint8, or float in [0, 1], and `target` as they are on the device, and the same back."""
        images, masks = _unit(batch.inputs), batch.target.clone()
        channels, height, width = images.shape[1:]
        seeds = [sample_seed(self._seed, number, place) for place in range(batch.size)]
        drawn = [list(draw(self._steps, (height, width, channels), seed)) for seed in seeds]
        for step, parameters in zip(self._steps, zip(*drawn, strict=True), strict=True):
            images, masks = _apply(step, images, masks, parameters)
        return batch._replace(inputs=_as_before(images, batch.inputs), target=masks)


def draw(steps: Sequence[albumentations.BasicTransform], shape: Shape, seed: int) -> Iterator[Parameters | None]:
    """The parameters of each transform for a sample of `shape`, those that the CPU would draw with this seed; None
    where it is not to be applied. Lengths of brightness are shares of the full range.
    """
    generators = np.random.default_rng(seed), random.Random(seed)
    generators[1].random()  # albumentations asks whether to do anything at all
    for step in steps:
        step.set_random_state(*generators)
        yield _parameters(step, shape) if step.should_apply() else None
        if isinstance(step, albumentations.RandomCrop):
            shape = (step.height, step.width, shape[2])


def _parameters(step: albumentations.BasicTransform, shape: Shape) -> Parameters:
    if isinstance(step, albumentations.GaussNoise):  # the noise itself is the device's
        std, mean = step.py_random.uniform(*step.std_range), step.py_random.uniform(*step.mean_range)
        return {"std": std, "mean": mean, "seed": int(step.random_generator.integers(2**63))}
    data = {"image": np.broadcast_to(np.float32(0), shape)}
    parameters = step.update_transform_params(step.get_params(), data)
    return {**parameters, **step.get_params_dependent_on_data(parameters, data)}


def _apply(
    step: albumentations.BasicTransform, images: Tensor, masks: Tensor, parameters: Sequence[Parameters | None]
) -> tuple[Tensor, Tensor]:
    """To the samples that have parameters."""
    apply, drawn = APPLY[_name(step)], [each for each in parameters if each is not None]
    if len(drawn) == len(parameters):
        return apply(step, images, masks, drawn)
    if drawn:
        chosen = [place for place, each in enumerate(parameters) if each is not None]
        images[chosen], masks[chosen] = apply(step, images[chosen], masks[chosen], drawn)
    return images, masks


def _unit(images: Tensor) -> Tensor:
    """A copy in [0, 1]."""
    return images / 255 if images.dtype == torch.uint8 else images.clone()


def _as_before(images: Tensor, given: Tensor) -> Tensor:
    scaled = images.mul(255).round_().clamp_(0, 255) if given.dtype == torch.uint8 else images
    return scaled.to(given.dtype, memory_format=torch.channels_last)


def _faults(steps: Sequence[albumentations.BasicTransform]) -> Iterator[str]:
    for step in steps:
        if _name(step) not in APPLY:
            yield _name(step)
        for option, known in ONLY.get(_name(step), {}).items():
            value = getattr(step, option)
            if value not in known:
                yield f"{_name(step)}.{option}={json.dumps(value)}"


def _name(step: albumentations.BasicTransform) -> str:
    return type(step).__name__
