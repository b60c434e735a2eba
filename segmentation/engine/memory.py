"""What happens when memory does not suffice, and how large a batch may be."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from segmentation.errors import UserError
from segmentation.outputs import logits_from

ON_CPU = "DefaultCPUAllocator"  # the CPU's allocator raises a plain RuntimeError


@contextmanager
def explains_out_of_memory(told: str) -> Iterator[None]:
    """A `UserError` of what is `told`, that is what to set, in place of PyTorch's account of the allocator."""
    try:
        yield
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        raise UserError(told) from error


def is_out_of_memory(error: RuntimeError) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or ON_CPU in str(error)


def advice_for_training(batch_size: int, accumulated: int) -> str:
    smaller = f"trainer.batch_size={batch_size // 2} trainer.accumulate_grad_batches={accumulated * 2}, "
    return (
        f"out of memory with trainer.batch_size={batch_size}: set {smaller if batch_size > 1 else ''}"
        "trainer.precision=bf16, a smaller dataset.image_size or augmentation.crop.size, or "
        "model.gradient_checkpointing=true; in validation a smaller trainer.val_batch_size"
    )


def advice_for_evaluation(batch_size: int, in_tiles: bool) -> str:
    """By the options of evaluate.py; `in_tiles`: whether the samples can be shown in tiles."""
    smaller = f"batch_size={batch_size // 2}, " if batch_size > 1 else ""
    tile = "tile=[512,512], " if in_tiles else ""
    return f"out of memory with batch_size={batch_size}: give {smaller}{tile}precision=bf16 or device=cpu"


def advice_for_prediction(size: tuple[int, int]) -> str:
    """By the options of predict.py, of a picture or a tile of this size."""
    height, width = (max(side // 2, 32) for side in size)
    smaller = f"give tile=[{height},{width}], precision=bf16 or device=cpu"
    return f"out of memory with {size[0]}x{size[1]} pixels at once: {smaller}"


def largest_batch(fits: Callable[[int], None], least: int, most: int) -> int:
    """The largest number of samples from `least` to `most` for which `fits(number)` does not raise
    `torch.OutOfMemoryError`, by doubling and then halving the interval. Raises `UserError` when `least` does not fit.
    """
    if not does_fit(fits, least):
        raise UserError(f"trainer.batch_size=auto: not even {least} images fit; {advice_for_training(1, 1)}")
    fitting, failing = least, most + 1
    while fitting < most:
        trial = min(fitting * 2, most) if failing > most else (fitting + failing) // 2
        if trial == fitting:
            break
        if does_fit(fits, trial):
            fitting = trial
        else:
            failing = trial
    return fitting


class AsManyAsFit(nn.Module):
    """The logits `[B, C, *S]` of `model`, shown `at_once` samples of a batch at a time, or as many as there is memory
    for: the number is halved, and stays so, when they do not fit.
    """

    def __init__(self, model: nn.Module, at_once: int) -> None:
        super().__init__()
        self.model, self.at_once = model, at_once

    def forward(self, inputs: Tensor) -> Tensor:
        while True:
            try:
                return torch.cat([logits_from(self.model(part)) for part in inputs.split(self.at_once)])
            except RuntimeError as error:
                shown = min(self.at_once, len(inputs))
                if shown == 1 or not is_out_of_memory(error):
                    raise
            self.at_once = shown // 2  # here, where what the failed attempt held is free
            if torch.cuda.is_available():
                torch.cuda.empty_cache()


def does_fit(fits: Callable[[int], None], number: int) -> bool:
    """Whether `fits(number)` finds the memory on the GPU that it needs."""
    try:
        fits(number)
    except torch.OutOfMemoryError:
        pass  # what the failed attempt held is only free when its error is gone
    else:
        return True
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return False
