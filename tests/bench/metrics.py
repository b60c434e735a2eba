"""What the metric costs in an evaluation step, by sample, beside torchmetrics' confusion matrix; the cost of intervals.

python -m tests.bench.metrics
"""

import statistics
import sys
import time
from collections.abc import Callable

import torch
from torch import Tensor
from torchmetrics.classification import MulticlassConfusionMatrix

from segmentation.classes import Classes
from segmentation.metrics.by_sample import SampleMetric
from segmentation.metrics.kept import KeptCounts
from segmentation.metrics.segmentation import confusion_counts
from segmentation.metrics.summary import Summary, counters
from segmentation.outputs import labels_from
from segmentation.runtime.device import choose_device, choose_precision, describe_device, synchronize

BATCH, SIZE, NUM_CLASSES, ROUNDS = 4, (512, 1024), 19, 9
IMAGES, RESAMPLED_CLASSES, RESAMPLES = 1000, 20, 2000
MOST_OF_TORCHMETRICS, MOST_SECONDS = 0.2, 2.0
VOID = 255


def step(device: torch.device) -> tuple[Tensor, Tensor]:
    """Logits and a target of shapes as scenes have them: areas of one class, right in most places, void in a tenth."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.randint(0, NUM_CLASSES, (BATCH, 1, 16, 32), generator=generator).float()
    target = torch.nn.functional.interpolate(coarse, SIZE, mode="nearest")[:, 0].long()
    logits = torch.randn(BATCH, NUM_CLASSES, *SIZE, generator=generator)
    logits.scatter_add_(1, target[:, None], torch.full((BATCH, 1, *SIZE), 3.0))
    target[torch.rand(target.shape, generator=generator) < 0.1] = VOID
    return logits.to(device, memory_format=torch.channels_last), target.to(device)  # as models give them


@torch.inference_mode()
def medians(work: dict[str, Callable[[], object]], device: torch.device) -> dict[str, float]:
    """Milliseconds of each, done in turn so that what else the machine does falls on all alike."""
    taken: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(ROUNDS + 1):
        for name, run in work.items():
            synchronize(device)
            start = time.perf_counter()
            run()
            synchronize(device)
            taken[name].append(1000 * (time.perf_counter() - start))
    return {name: statistics.median(values[1:]) for name, values in taken.items()}  # the first is a warm-up


def seconds_of_resampling() -> float:
    """From the counts of each image to the intervals of every score that evaluate.py tells."""
    names = tuple(f"class {index}" for index in range(RESAMPLED_CLASSES))
    classes = Classes(names, tuple((index, 0, 0) for index in range(RESAMPLED_CLASSES)), VOID)
    metric = SampleMetric(classes, counters(classes, 0.02, 0.0075, IMAGES))
    generator = torch.Generator().manual_seed(0)
    keys = tuple(f"image {index}" for index in range(IMAGES))
    logits = torch.randn(IMAGES, RESAMPLED_CLASSES, 16, 16, generator=generator)
    metric.update(logits, torch.randint(0, RESAMPLED_CLASSES, (IMAGES, 16, 16), generator=generator), keys)
    summary = Summary(KeptCounts(keys, keys, names, metric.counts()), None, RESAMPLES, 0)
    assert summary.values
    start = time.perf_counter()
    assert summary.intervals
    return time.perf_counter() - start


def main() -> None:
    device = choose_device("auto")
    logits, target = step(device)
    labels = labels_from(logits)
    names = tuple(f"class {index}" for index in range(NUM_CLASSES))
    classes = Classes(names, tuple((index, 0, 0) for index in range(NUM_CLASSES)), VOID)
    ours, everything = SampleMetric(classes), SampleMetric(classes, counters(classes, 0.02, 0.0075, IMAGES))
    theirs = MulticlassConfusionMatrix(NUM_CLASSES, ignore_index=VOID).to(device)
    unchecked = MulticlassConfusionMatrix(NUM_CLASSES, ignore_index=VOID, validate_args=False).to(device)
    keys = tuple(str(index) for index in range(BATCH))
    taken = medians(
        {
            "count, ours by sample": lambda: confusion_counts(labels, target, NUM_CLASSES, VOID),
            "count, torchmetrics": lambda: theirs.update(labels, target),
            "count, torchmetrics without its checks": lambda: unchecked.update(labels, target),
            "from logits, ours by sample": lambda: ours.update(logits, target, keys),
            "from logits, torchmetrics": lambda: theirs.update(logits, target),
            "class ids of the logits, which both need": lambda: labels_from(logits),
            "from logits, all that evaluate.py counts": lambda: everything.update(logits, target, keys),
        },
        device,
    )
    theirs.reset()
    theirs.update(logits, target)
    assert torch.equal(ours.confusion, theirs.compute() * (ROUNDS + 1)), "they do not count the same"

    say = sys.stdout.write
    say(f"{BATCH}x{SIZE[0]}x{SIZE[1]}, {NUM_CLASSES} classes, ")
    say(f"{describe_device(device, choose_precision('fp32', device))}, medians of {ROUNDS}\n")
    for name, value in taken.items():
        say(f"{name:42} {value:8.1f} ms\n")
    ratio = taken["count, ours by sample"] / taken["count, torchmetrics"]
    say(f"count, ours / torchmetrics: {ratio:.3f} (at most {MOST_OF_TORCHMETRICS} is wanted)\n")
    seconds = statistics.median(seconds_of_resampling() for _ in range(3))
    say(f"{RESAMPLES} resamples of {IMAGES} images, {RESAMPLED_CLASSES} classes: ")
    say(f"{seconds:.2f} s (at most {MOST_SECONDS} wanted)\n")
    if ratio > MOST_OF_TORCHMETRICS or seconds > MOST_SECONDS:
        sys.exit(1)


if __name__ == "__main__":
    main()
