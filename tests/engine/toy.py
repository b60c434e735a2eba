"""A training run small enough for a test: random images, a network of two convolutions, real files."""

import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.amp import GradScaler
from torch.optim import Optimizer
from torch.utils.data import DataLoader, Dataset

from segmentation.classes import Classes
from segmentation.data.batch import Batch
from segmentation.data.sampler import Bucket, Draw, TrainingBatches, batches_of_like_size
from segmentation.engine.checkpoints import adopt_checkpoints
from segmentation.engine.ema import exponential_average, running_average
from segmentation.engine.layer_decay import parameter_groups
from segmentation.engine.loop import Spent, fit, steps_in
from segmentation.engine.options import EarlyStopping, TrainerOptions
from segmentation.engine.record import Recorder
from segmentation.engine.schedule import Schedule, constant
from segmentation.engine.state import Row, TrainState
from segmentation.engine.task import Feed, Task, as_it_is
from segmentation.losses import CrossEntropy, Loss
from segmentation.metrics.segmentation import SegmentationMetric
from segmentation.runtime.checkpoint import load_checkpoint
from segmentation.runtime.device import Precision
from segmentation.runtime.run_folder import RunFolder
from segmentation.runtime.seeds import seed_everything
from segmentation.runtime.tracking import Tracker

CPU = torch.device("cpu")
FP32 = Precision("fp32", None, False)
SCALED_FP32 = Precision("fp32", None, True)
CLASSES = Classes(("sky", "road", "car"), ((0, 0, 255), (128, 64, 128), (0, 0, 142)))
SIZE = (6, 5)
MakeOptimizer = Callable[[list[dict[str, Any]]], Optimizer]
MakeSchedule = Callable[..., Schedule]


class Images(Dataset[tuple[Tensor, Tensor, str]]):
    """Random images whose brightness tells the class; the seed of each draw adds noise, as augmentation would."""

    def __init__(self, count: int, seed: int = 0) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.images = torch.randn(count, 3, *SIZE, generator=generator)
        self.targets = (self.images.mean(dim=1) * 2 + 1.5).clamp(0, len(CLASSES) - 1).to(torch.uint8)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, item: Draw) -> tuple[Tensor, Tensor, str]:
        index, seed = item.index, item.seed
        noise = torch.randn(3, *SIZE, generator=torch.Generator().manual_seed(seed))
        return self.images[index] + 0.1 * noise, self.targets[index], f"image {index}"


def collate(samples: Sequence[tuple[Tensor, Tensor, str]]) -> Batch:
    images, targets, keys = zip(*samples, strict=True)
    return Batch(torch.stack(images), torch.stack(targets), tuple(keys))


def train_loader(count: int, batch_size: int, seed: int = 0) -> DataLoader[Batch]:
    return DataLoader[Batch](
        Images(count),  # type: ignore[arg-type]
        batch_sampler=TrainingBatches([Bucket(range(count), batch_size)], seed, drop_last=False),
        collate_fn=collate,
        generator=torch.Generator().manual_seed(0),
    )


def val_loader(count: int, batch_size: int) -> DataLoader[Batch]:
    return DataLoader[Batch](
        Images(count, seed=1),  # type: ignore[arg-type]
        batch_sampler=batches_of_like_size([SIZE] * count, batch_size),
        collate_fn=collate,
        generator=torch.Generator().manual_seed(0),
    )


class TinyNet(nn.Module):
    """Two convolutions; without batch norm and dropout its gradient over a batch is the mean over the samples."""

    def __init__(self, normalise: bool = False, dropout: float = 0.0) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8) if normalise else nn.Identity()
        self.drop = nn.Dropout(dropout)
        self.head = nn.Conv2d(8, len(CLASSES), 1)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.drop(torch.relu(self.norm(self.first(images)))))


class RestlessNet(TinyNet):
    """Draws from Python's, NumPy's and torch's generators as it trains; batch norm adds statistics and a count."""

    def __init__(self) -> None:
        super().__init__(normalise=True, dropout=0.3)

    def forward(self, images: Tensor) -> Tensor:
        if self.training:
            images = images * random.uniform(0.9, 1.1) + float(np.random.normal(0, 0.05))
        return super().forward(images)


def sgd(groups: list[dict[str, Any]]) -> Optimizer:
    return torch.optim.SGD(groups)


def adamw(groups: list[dict[str, Any]]) -> Optimizer:
    return torch.optim.AdamW(groups, fused=True)


def options(early_stopping: EarlyStopping | None = None, **changed: Any) -> TrainerOptions:
    """Everything optional is off."""
    plain: dict[str, Any] = {
        "epochs": 3,
        "batch_size": 3,
        "val_batch_size": 4,
        "num_workers": 0,
        "average_start": 1.0,
        "visualization_interval": 0,
    }
    return TrainerOptions(**{**plain, **changed}, early_stopping=early_stopping or EarlyStopping())


@dataclass
class Run:
    """All that `fit` takes, built as a fresh process would build it."""

    state: TrainState
    feed: Feed
    task: Task
    options: TrainerOptions
    folder: RunFolder
    tracker: Tracker = field(init=False)

    def fit(self) -> Spent:
        self.tracker = Tracker(self.folder, self.state.progress.step)
        try:
            recorder = Recorder(self.folder, self.tracker, CLASSES.names, CPU)
            return fit(self.state, self.feed, self.task, self.options, recorder)
        finally:
            self.tracker.close()

    def resume(self, checkpoint: Path) -> None:
        self.state.load_state_dict(load_checkpoint(checkpoint))
        adopt_checkpoints(checkpoint, self.folder, self.state.progress)

    @property
    def history(self) -> list[Row]:
        return self.state.progress.history

    def saved(self, name: str) -> dict[str, Any]:
        return load_checkpoint(self.folder.checkpoint(name))

    def saved_epoch(self, name: str) -> int:
        return int(self.saved(name)["progress"]["epoch"])


def build_run(
    path: Path,
    trained: TrainerOptions,
    net: Callable[[], nn.Module] = TinyNet,
    lr: float = 0.1,
    make_optimizer: MakeOptimizer = sgd,
    make_schedule: MakeSchedule = constant,
    loss: Loss | None = None,
    precision: Precision = FP32,
    scaler: GradScaler | None = None,
    train_samples: int = 12,
    val_samples: int = 5,
    transform_batch: Callable[[Batch, int], Batch] = as_it_is,
    seed: int = 0,
) -> Run:
    """`seed` is of the random state and of the network's start; the order of the samples is always that of seed 0."""
    seed_everything(seed)
    model = net()
    feed = Feed(
        train_loader(train_samples, trained.batch_size),
        val_loader(val_samples, trained.val_batch_size) if val_samples else None,
        transform_batch=transform_batch,
    )
    optimizer = make_optimizer(parameter_groups(model, lr, weight_decay=0.01, layer_decay=0.5))
    total_steps, steps_per_epoch = steps_in(trained, len(feed.train))
    state = TrainState(
        model=model,
        optimizer=optimizer,
        schedule=make_schedule(optimizer, total_steps=total_steps, steps_per_epoch=steps_per_epoch),
        scaler=scaler or GradScaler("cpu", enabled=False),
        ema=None if trained.ema_decay is None else exponential_average(model, trained.ema_decay),
        average=running_average(model) if trained.average_start < 1 else None,
    )
    task = Task(loss or CrossEntropy(), SegmentationMetric(CLASSES), CPU, precision)
    return Run(state, feed, task, trained, RunFolder(path))


def samples_in_order(run: Run, epoch: int) -> Iterator[Batch]:
    """The batches that training meets in its epoch `epoch`, from 0."""
    assert isinstance(run.feed.train.batch_sampler, TrainingBatches)
    run.feed.train.batch_sampler.epoch = epoch
    for batch in run.feed.train:
        yield batch.to(CPU)


def breaks_gradient(run: Run, *at: int) -> None:
    """Make the head's gradient infinite in the backward passes of these numbers, from 0."""
    passes = iter(range(1000))
    run.state.model.get_parameter("head.weight").register_hook(
        lambda gradient: gradient * (math.inf if next(passes) in at else 1)
    )


def weights(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def unequal(left: Any, right: Any, at: str = "") -> list[str]:
    """The places at which two nested containers differ by a bit; NaN equals NaN."""
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        if left.keys() != right.keys():
            return [f"{at}: keys {sorted(map(str, left.keys() ^ right.keys()))}"]
        return [place for key in left for place in unequal(left[key], right[key], f"{at}/{key}")]
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        if len(left) != len(right):
            return [f"{at}: lengths {len(left)} and {len(right)}"]
        pairs = enumerate(zip(left, right, strict=True))
        return [place for index, (one, other) in pairs for place in unequal(one, other, f"{at}/{index}")]
    if isinstance(left, Tensor) and isinstance(right, Tensor):
        same = left.dtype == right.dtype and left.shape == right.shape
        return [] if same and torch.equal(left.nan_to_num(1e30), right.nan_to_num(1e30)) else [at]
    return [] if left == right or (left != left and right != right) else [f"{at}: {left!r} and {right!r}"]
