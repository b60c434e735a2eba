"""What happens when memory does not suffice, and how large a batch may be."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from segmentation.errors import UserError

ON_CPU = "DefaultCPUAllocator"  # the CPU's allocator raises a plain RuntimeError


@contextmanager
def explains_out_of_memory(told: str) -> Iterator[None]:
    """A `UserError` of what is `told`, that is what to set, in place of PyTorch's account of the allocator."""
    try:
        yield
    except RuntimeError as error:
        if not (isinstance(error, torch.OutOfMemoryError) or ON_CPU in str(error)):
            raise
        raise UserError(told) from error


def advice_for_training(batch_size: int, accumulated: int) -> str:
    smaller = f"trainer.batch_size={batch_size // 2} trainer.accumulate_grad_batches={accumulated * 2}, "
    return (
        f"out of memory with trainer.batch_size={batch_size}: set {smaller if batch_size > 1 else ''}"
        "trainer.precision=bf16, a smaller dataset.image_size or augmentation.crop.size, or "
        "model.gradient_checkpointing=true; in validation a smaller trainer.val_batch_size"
    )


def advice_for_evaluation(batch_size: int) -> str:
    """By the options of evaluate.py."""
    smaller = f"batch_size={batch_size // 2}, " if batch_size > 1 else ""
    return f"out of memory with batch_size={batch_size}: give {smaller}tile=[512,512], precision=bf16 or device=cpu"


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
