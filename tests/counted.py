"""Counts as an evaluation keeps them, of predictions that are made up."""

from pathlib import Path
from typing import Any

import torch

from segmentation.classes import Classes
from segmentation.metrics.by_sample import SampleMetric
from segmentation.metrics.kept import KeptCounts
from segmentation.metrics.summary import counters
from segmentation.runtime.files import write_json, write_text
from segmentation.runtime.run_folder import RunFolder

COLORS = ((0, 0, 0), (255, 0, 0), (0, 0, 255))


def counted(
    names: tuple[str, ...],
    samples: int = 12,
    groups: tuple[str, ...] | None = None,
    right: float = 0.8,
    sure: float = 2.0,
) -> KeptCounts:
    """Of 16 x 20 images, the same for each number of classes and samples. Predictions are the truth at this share of
    the pixels and at random at the others, with a logit of `sure`; a larger share has the truth where a smaller has it.
    """
    classes = Classes(names, COLORS[: len(names)])
    generator = torch.Generator().manual_seed(0)
    target = torch.randint(0, len(names), (samples, 4, 5), generator=generator).repeat_interleave(4, 1)
    target = target.repeat_interleave(4, 2)
    noise = torch.randint(0, len(names), target.shape, generator=generator)
    said = torch.where(torch.rand(target.shape, generator=generator) < right, target, noise)
    logits = sure * torch.nn.functional.one_hot(said, len(names)).movedim(-1, 1).float()
    metric = SampleMetric(classes, counters(classes, width=1, tolerance=1, samples=samples))
    keys = tuple(f"image_{number}" for number in range(samples))
    metric.update(logits, target, keys)
    return KeptCounts(keys, groups or keys, names, metric.counts())


def kept_in(path: Path, counts: KeptCounts, config: str = "seed: 0", evaluation: str = "val", **result: Any) -> Path:
    """The folder of a run with this configuration, as YAML, and what its evaluation left; `result` goes to the JSON."""
    folder = RunFolder(path)
    write_text(folder.config, config)
    counts.save(folder.evaluation / f"{evaluation}.npz")
    told = {"metrics": {}, "checkpoint": "best.pt", "seconds": 4.0, "images_per_second": 10.0, **result}
    write_json(folder.evaluation / f"{evaluation}.json", told)
    return path
