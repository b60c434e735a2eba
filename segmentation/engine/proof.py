"""Whether an exported file says what the model said: pixel by pixel, in mIoU, and how fast."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from segmentation.classes import Classes
from segmentation.errors import UserError
from segmentation.metrics.scores import metrics_from
from segmentation.metrics.segmentation import confusion_counts

Runtime = Callable[[np.ndarray], np.ndarray]  # a batch of pixels -> class ids `[B, H, W]`, integers
LEAST_AGREEMENT = {"fp32": 0.999, "fp16": 0.995}  # share of an image's pixels
MOST_LOSS = 0.01  # of mIoU, by int8
NAMED = 5


@dataclass(frozen=True)
class Picture:
    """`pixels`, a batch as the file takes it, and its `truth` `[B, H', W']`, class ids at the size of the masks."""

    name: str
    pixels: np.ndarray
    truth: np.ndarray | None = None


@dataclass(frozen=True)
class Proof:
    """`agreement[name]` is the share of a picture's pixels that get the same class, in [0, 1]; mIoU is of all pictures
    with a truth, NaN where there is none; `ms` and `eager_ms` are the median times of a batch, in milliseconds.
    """

    agreement: Mapping[str, float]
    miou: float
    eager_miou: float
    ms: float
    eager_ms: float

    @property
    def agreement_of_all(self) -> float:
        """The mean over pictures."""
        return float(np.mean(list(self.agreement.values())))

    def fault(self, precision: str) -> str | None:
        """Why the file is not to be used, with the names of the worst pictures; None where it is as good as it must be.

        fp32 and fp16 have to agree with the model on every picture, int8 to lose no more than `MOST_LOSS` of mIoU.
        """
        worst = sorted(self.agreement, key=lambda name: self.agreement[name])
        if precision == "int8":
            if self.eager_miou - self.miou <= MOST_LOSS:
                return None
            return f"mIoU falls from {self.eager_miou:.4f} to {self.miou:.4f}: {self._told(worst)}"
        least = LEAST_AGREEMENT[precision]
        faulty = [name for name in worst if not self.agreement[name] >= least]
        if not faulty:
            return None
        count = f"{len(faulty)} of {len(worst)} pictures have less than {100 * least:g} % of their pixels"
        return f"{count} in common with the model: {self._told(faulty)}"

    def _told(self, names: list[str]) -> str:
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        return ", ".join(f"{name} ({100 * self.agreement[name]:.2f} %)" for name in names[:NAMED]) + more


def prove(
    pictures: Iterable[Picture],
    eager: Runtime,
    exported: Runtime,
    classes: Classes,
    advance: Callable[[int], None] = lambda count: None,
) -> Proof:
    """Both see each picture; `advance` is called with 1 after it. The first is shown twice, before time is taken.

    Raises `UserError` naming the picture at which the exported file fails.
    """
    agreement: dict[str, float] = {}
    seconds: list[tuple[float, float]] = []
    confusions = torch.zeros(2, len(classes), len(classes), dtype=torch.int64)
    for picture in pictures:
        if not agreement:
            eager(picture.pixels), _shown(exported, picture)
        expected, eager_seconds = _timed(partial(eager, picture.pixels))
        given, exported_seconds = _timed(partial(_shown, exported, picture))
        seconds.append((exported_seconds, eager_seconds))
        agreement[picture.name] = float((given == expected).mean()) if given.shape == expected.shape else 0.0
        if picture.truth is not None and given.shape == expected.shape:
            confusions += torch.stack([_confusion(ids, picture.truth, classes) for ids in (given, expected)])
        advance(1)
    miou, eager_miou = (metrics_from(counts, classes.names)["mIoU"] for counts in confusions.numpy())
    ms, eager_ms = (float(value) for value in 1000 * np.median(np.array(seconds), axis=0))
    return Proof(agreement, miou, eager_miou, ms, eager_ms)


def _shown(exported: Runtime, picture: Picture) -> np.ndarray:
    try:
        return exported(picture.pixels)
    except Exception as error:  # runtimes have exceptions of their own
        shape = "x".join(map(str, picture.pixels.shape))
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(f"the exported file fails on {picture.name} ({shape}): {reason}") from error


def _timed(run: Callable[[], np.ndarray]) -> tuple[np.ndarray, float]:
    started = time.perf_counter()
    given = run()
    return given, time.perf_counter() - started


def _confusion(ids: np.ndarray, truth: np.ndarray, classes: Classes) -> Tensor:
    """At the size of the truth, `[C, C]`; without the pixels of which the model says no class."""
    shown = F.interpolate(torch.from_numpy(ids)[:, None].float(), size=truth.shape[-2:], mode="nearest-exact")
    labels, target = shown[:, 0].long(), torch.from_numpy(truth)
    known = labels < len(classes)
    counted = target.where(known, classes.ignore_index)
    return confusion_counts(labels.where(known, 0), counted, len(classes), classes.ignore_index).sum(dim=0)
