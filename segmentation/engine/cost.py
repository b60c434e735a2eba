"""What a way of running a model is worth and what it costs, image by image: mIoU, latency, memory."""

import ctypes
import gc
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import psutil
import torch
from torch import nn

from segmentation.classes import Classes
from segmentation.data.batch import Batch
from segmentation.metrics.segmentation import SegmentationMetric
from segmentation.outputs import at_size_of, labels_from, logits_from
from segmentation.runtime.device import Precision, peak_memory_mb, reset_peak_memory, synchronize

WARM_UP = 2  # runs of the first image before time is taken


@dataclass(frozen=True)
class Cost:
    """`miou` at the size of the masks; `latency_ms` is the median over images, from pixels to class ids of the same
    size; `memory_mb` the most that was held meanwhile, beyond the model.
    """

    miou: float
    latency_ms: float
    memory_mb: float


@torch.inference_mode()
def cost_of(
    model: nn.Module,
    images: Iterable[Batch],
    classes: Classes,
    device: torch.device,
    precision: Precision,
    advance: Callable[[int], None] = lambda count: None,
) -> Cost:
    """`images` are batches of one; `advance` is called with 1 after each."""
    metric = SegmentationMetric(classes)
    seconds: list[float] = []
    _let_go(device)
    reset_peak_memory(device)
    before = most = peak_memory_mb(device)

    def run(batch: Batch) -> torch.Tensor:
        with precision.autocast(device):
            logits = logits_from(model(batch.inputs))
        labels_from(logits)
        synchronize(device)
        return logits

    for batch in images:
        batch = batch.to(device)
        reset_peak_memory(device)
        for _ in range(0 if seconds else WARM_UP):
            run(batch)
        synchronize(device)
        started = time.perf_counter()
        logits = run(batch)
        seconds.append(time.perf_counter() - started)
        most = max(most, peak_memory_mb(device))
        metric.update(at_size_of(logits, batch.target), batch.target, batch.keys)
        advance(1)
    return Cost(metric.compute()["mIoU"], 1000 * float(np.median(seconds)), most - before)


def _let_go(device: torch.device) -> None:
    """Of what allocators keep of earlier work, which would hide what comes next."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if psutil.LINUX else None  # glibc has it, musl does not
    if trim is not None:
        trim(0)
