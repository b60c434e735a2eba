"""How a run trains: the trainer group of the configuration as plain values."""

from dataclasses import dataclass, field
from typing import Literal

from segmentation.data.sampler import MultiScale
from segmentation.engine.clipping import ClipMode

Mode = Literal["min", "max"]


@dataclass(frozen=True)
class EarlyStopping:
    """Stop when `monitor` has not improved for `patience` measurements in a row; None: never."""

    monitor: str = "val/mIoU"
    mode: Mode = "max"
    patience: int | None = None


@dataclass(frozen=True)
class TrainerOptions:
    """The options are explained where they are chosen, in conf/trainer/default.yaml."""

    epochs: int
    batch_size: int
    val_batch_size: int
    num_workers: int
    early_stopping: EarlyStopping
    sampling: Literal["uniform", "class_balanced"] = "uniform"
    batch_by_size: bool = False
    batch_pixels: int | None = None
    multi_scale: MultiScale = field(default_factory=MultiScale)
    max_bad_samples: int = 0
    device_augmentation: bool = False
    max_steps: int | None = None
    device: str = "auto"
    precision: str = "auto"
    channels_last: bool = True
    compile: bool = False
    accumulate_grad_batches: int = 1
    gradient_clip_val: float | None = None
    gradient_clip_mode: ClipMode = "norm"
    freeze_encoder_epochs: int = 0
    find_lr: bool = False
    ema_decay: float | None = None
    average_start: float = 0.5
    val_interval: int = 1
    visualization_interval: int = 5
    visualization_count: int = 4
    log_every_n_steps: int = 20
    monitor: str = "val/mIoU"
    monitor_mode: Mode = "max"
    max_checkpoints: int = 0
    check_data: Literal["quick", "full", "off"] = "quick"
    resume: str | None = None


def better(value: float, best: float | None, mode: Mode) -> bool:
    """Whether `value` improves on `best`; a value that is not a number never does."""
    if value != value:
        return False
    return best is None or (value > best if mode == "max" else value < best)
