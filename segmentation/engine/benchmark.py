"""How fast a model is, and what it needs: latency, images a second by batch size, memory, parameters, FLOPs."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from segmentation.engine.memory import does_fit
from segmentation.runtime.device import Precision, peak_memory_mb, reset_peak_memory, synchronize

WARM_UP = 10  # runs of one image: libraries choose their algorithms, clocks rise
LATENCY_RUNS = 100
BATCH_WARM_UP, BATCH_RUNS, SECONDS = 2, 3, 2.0  # for each batch size, the runs at least


@dataclass(frozen=True)
class Latency:
    """Of one image, in ms: half of the runs took no longer than `p50`, 90 % than `p90`, 99 % than `p99`."""

    p50: float
    p90: float
    p99: float


@dataclass(frozen=True)
class Throughput:
    """With batches of `batch_size`; `peak_memory_mb` is what the device held at most, on a CPU the process."""

    batch_size: int
    images_per_second: float
    peak_memory_mb: float


@dataclass(frozen=True)
class Benchmark:
    """`fps` are the images a second of batch size 1, one after the other; `flops` those of one image."""

    parameters: int
    flops: int
    latency: Latency
    fps: float
    throughput: tuple[Throughput, ...]


@torch.inference_mode()
def benchmark(
    model: nn.Module,
    image: Tensor,
    device: torch.device,
    precision: Precision,
    largest_batch: int,
    advance: Callable[[int], None] = lambda count: None,
) -> Benchmark:
    """Of `model` in evaluation mode on `image` `[1, bands, H, W]`, which lies on the device.

    Batches of 1, 2, 4, ... up to `largest_batch`, or as many as there is memory for. What is timed is the model alone,
    from pixels on the device to logits on it: no reading, no copying. `advance` is called with 1 after each of the
    latency's runs and after each batch size, `steps(largest_batch)` times unless memory ends it.
    """
    model.eval()

    def run(batch: Tensor) -> None:
        with precision.autocast(device):
            model(batch)

    seconds = _run_seconds(lambda: run(image), device, WARM_UP, LATENCY_RUNS, advance)
    throughput = []
    for size in batch_sizes(largest_batch):
        measured = _throughput(run, image, size, device)
        if measured is None:
            break
        throughput.append(measured)
        advance(1)
    return Benchmark(
        parameters=count_parameters(model),
        flops=count_flops(model, image),
        latency=latency_of(seconds),
        fps=len(seconds) / float(seconds.sum()),
        throughput=tuple(throughput),
    )


def steps(largest_batch: int) -> int:
    return LATENCY_RUNS + len(list(batch_sizes(largest_batch)))


def batch_sizes(largest: int) -> Iterator[int]:
    """
    >>> list(batch_sizes(12))
    [1, 2, 4, 8]
    """
    size = 1
    while size <= largest:
        yield size
        size *= 2


def latency_of(seconds: np.ndarray) -> Latency:
    p50, p90, p99 = np.percentile(seconds * 1000, (50, 90, 99)).tolist()
    return Latency(p50, p90, p99)


def count_parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def count_flops(model: nn.Module, inputs: Tensor) -> int:
    """Of one forward pass, a multiplication and an addition counting as two: convolutions, matrix products, attention.

    What torch has no formula for (normalisation, activation, resizing) is not counted.
    """
    with FlopCounterMode(display=False) as counter:
        model(inputs)
    return int(counter.get_total_flops())


def _throughput(run: Callable[[Tensor], None], image: Tensor, size: int, device: torch.device) -> Throughput | None:
    """None where there is no memory for it."""
    measured: list[Throughput] = []

    def measure(size: int) -> None:
        batch = image.expand(size, *image.shape[1:]).contiguous(memory_format=torch.channels_last)
        reset_peak_memory(device)
        seconds = _run_seconds(lambda: run(batch), device, BATCH_WARM_UP, BATCH_RUNS, at_least=SECONDS)
        measured.append(Throughput(size, size * len(seconds) / float(seconds.sum()), peak_memory_mb(device)))

    return measured[0] if does_fit(measure, size) else None


def _run_seconds(
    run: Callable[[], None],
    device: torch.device,
    warm_up: int,
    runs: int,
    advance: Callable[[int], None] = lambda count: None,
    at_least: float = 0.0,
) -> np.ndarray:
    """Of each run, the device having finished: `runs` of them, or as many as last `at_least` seconds together."""
    for _ in range(warm_up):
        run()
    seconds: list[float] = []
    while len(seconds) < runs or sum(seconds) < at_least:
        synchronize(device)
        started = time.perf_counter()
        run()
        synchronize(device)
        seconds.append(time.perf_counter() - started)
        advance(1)
    return np.array(seconds)
