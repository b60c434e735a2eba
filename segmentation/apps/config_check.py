"""The configuration is checked as a whole before anything is built: unknown keys, impossible values, what does not go
together. All faults are told at once.
"""

import inspect
import json
import re
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from segmentation.build import DATASET_SHARED, GROUP_OPTIONS
from segmentation.data.class_weights import METHODS
from segmentation.data.splits import SPLITS
from segmentation.errors import UserError, gathered
from segmentation.metrics.segmentation import metric_names

Content = Mapping[str, Any]
TOP_LEVEL = {
    *("seed", "experiment_name", "model", "dataset", "augmentation", "optimizer", "scheduler", "loss", "trainer"),
}
HYDRA_KEYS = {"_target_", "_partial_", "_convert_", "_recursive_", "_args_"}
READ_BY_BUILD = {"dataset": set(DATASET_SHARED), "optimizer": set(GROUP_OPTIONS)}


def check_config(cfg: DictConfig) -> None:
    """Raises one `UserError` with every fault of a training configuration."""
    faults = faults_in(cfg)
    if faults:
        raise told_together(faults)


def told_together(faults: list[str]) -> UserError:
    count = f"{len(faults)} fault" + ("s" if len(faults) > 1 else "")
    return gathered(f"the configuration has {count}; nothing was started", faults, most=50)


def faults_in(cfg: DictConfig) -> list[str]:
    try:
        content: Any = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        return [" ".join(str(error).split())]
    unknown = [_unknown(key, "", TOP_LEVEL) for key in content.keys() - TOP_LEVEL]
    missing = [f"{key} is missing" for key in sorted(TOP_LEVEL - content.keys())]
    keys = [fault for group in sorted(TOP_LEVEL & content.keys()) for fault in _key_faults(content[group], group)]
    return [*unknown, *missing, *keys, *_value_faults(content), *_split_faults(content), *_monitor_faults(content)]


# Keys: every node with a _target_ may hold what the target takes.


def _key_faults(node: Any, path: str) -> Iterator[str]:
    if isinstance(node, list):
        for index, item in enumerate(node):
            yield from _key_faults(item, f"{path}[{index}]")
    if not isinstance(node, dict):
        return
    if "_target_" in node:
        yield from _target_faults(node, path)
    for key, value in node.items():
        yield from _key_faults(value, f"{path}.{key}")


def _target_faults(node: Content, path: str) -> Iterator[str]:
    try:
        target = get_object(node["_target_"])
        parameters = inspect.signature(target).parameters
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        yield f"{path}._target_={node['_target_']} cannot be imported ({' '.join(str(error).split())})"
        return
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return
    known = {*parameters, *HYDRA_KEYS, *READ_BY_BUILD.get(path, ())}
    for key in node.keys() - known:
        yield _unknown(key, path, known)


def _unknown(key: str, path: str, known: set[str]) -> str:
    close = get_close_matches(key, sorted(known), n=1)
    hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(sorted(known - HYDRA_KEYS - {'self'}))}"
    return f"{path}.{key}: there is no such key; {hint}" if path else f"{key}: there is no such key; {hint}"


# Values: what can be said of each by itself.


def _whole(least: int) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= least


def _number(low: float, high: float = float("inf"), open_low: bool = False) -> Callable[[Any], bool]:
    def holds(value: Any) -> bool:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return is_number and (low < value if open_low else low <= value) and value <= high

    return holds


def _one_of(*choices: str) -> Callable[[Any], bool]:
    return lambda value: value in choices


def _optional(holds: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or holds(value)


def _is_size(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(_whole(1)(side) for side in value)


def _is_device(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"auto|cpu|cuda|cuda:\d+", value) is not None


def _are_shares(value: Any) -> bool:
    return isinstance(value, list) and all(map(_number(0, 1), value))


def _are_channels(holds: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and len(value) == 3 and all(holds(item) for item in value)


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


AT_LEAST_0, AT_LEAST_1 = "a whole number of at least 0", "a whole number of at least 1"
SHARE = "a number from 0 to 1"
POSITIVE = "a number above 0"
RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "seed": (lambda value: _whole(0)(value) and value < 2**63, AT_LEAST_0),
    "experiment_name": (_is_text, "a name"),
    "dataset.root": (_is_text, "the data's folder"),
    "dataset.image_size": (_optional(_is_size), "[height, width] in pixels, or null"),
    "dataset.mean": (_are_channels(_number(0, 1)), "three numbers from 0 to 1"),
    "dataset.std": (_are_channels(_number(0, open_low=True)), "three numbers above 0"),
    "dataset.ignore_index": (lambda value: _whole(1)(value) and value <= 255, "a whole number from 1 to 255"),
    "dataset.ignore_void": (_is_bool, "true or false"),
    "dataset.force_resplit": (_is_bool, "true or false"),
    "dataset.split_file": (_optional(_is_text), "the path of a JSON file, or null"),
    "dataset.split_seed": (_whole(0), AT_LEAST_0),
    "optimizer.lr": (_number(0, open_low=True), POSITIVE),
    "optimizer.weight_decay": (_number(0), "a number of at least 0"),
    "optimizer.layer_decay": (_number(0, 1, open_low=True), "a number above 0, at most 1"),
    "optimizer.head_lr_multiplier": (_number(0, open_low=True), POSITIVE),
    "scheduler.warmup": (_number(0, 1), SHARE),
    "scheduler.min_factor": (_number(0, 1), SHARE),
    "scheduler.interval": (_one_of("step", "epoch"), "step or epoch"),
    "scheduler.rise": (_number(0, 1), SHARE),
    "scheduler.gamma": (_number(0, 1, open_low=True), "a number above 0, at most 1"),
    "scheduler.milestones": (_are_shares, "shares from 0 to 1"),
    "scheduler.power": (_number(0, open_low=True), POSITIVE),
    "scheduler.start_factor": (_number(0, 1), SHARE),
    "scheduler.final_factor": (_number(0, 1, open_low=True), "a number above 0, at most 1"),
    "scheduler.factor": (_number(0, 1, open_low=True), "a number above 0, at most 1"),
    "scheduler.patience": (_whole(0), AT_LEAST_0),
    "loss.label_smoothing": (lambda value: _number(0, 1)(value) and value < 1, "a number from 0 to below 1"),
    "loss.class_weights": (lambda value: isinstance(value, list) or value in (*METHODS, None), ", ".join(METHODS)),
    "trainer.epochs": (_whole(1), AT_LEAST_1),
    "trainer.max_steps": (_optional(_whole(1)), f"{AT_LEAST_1}, or null"),
    "trainer.batch_size": (_whole(1), AT_LEAST_1),
    "trainer.val_batch_size": (_whole(1), AT_LEAST_1),
    "trainer.num_workers": (_whole(0), AT_LEAST_0),
    "trainer.device": (_is_device, "auto, cpu, cuda or cuda:N"),
    "trainer.precision": (_one_of("auto", "fp32", "bf16", "fp16"), "auto, fp32, bf16 or fp16"),
    "trainer.channels_last": (_is_bool, "true or false"),
    "trainer.compile": (_is_bool, "true or false"),
    "trainer.accumulate_grad_batches": (_whole(1), AT_LEAST_1),
    "trainer.gradient_clip_val": (_optional(_number(0, open_low=True)), f"{POSITIVE}, or null"),
    "trainer.ema_decay": (_optional(lambda value: _number(0, 1)(value) and value < 1), "from 0 to below 1, or null"),
    "trainer.average_start": (_number(0, 1), SHARE),
    "trainer.val_interval": (_whole(1), AT_LEAST_1),
    "trainer.visualization_interval": (_whole(0), AT_LEAST_0),
    "trainer.visualization_count": (_whole(0), AT_LEAST_0),
    "trainer.log_every_n_steps": (_whole(1), AT_LEAST_1),
    "trainer.monitor_mode": (_one_of("min", "max"), "min or max"),
    "trainer.max_checkpoints": (_whole(0), AT_LEAST_0),
    "trainer.early_stopping": (lambda value: isinstance(value, dict), "monitor, mode and patience (null: never stop)"),
    "trainer.early_stopping.mode": (_one_of("min", "max"), "min or max"),
    "trainer.early_stopping.patience": (_optional(_whole(1)), f"{AT_LEAST_1}, or null"),
    "trainer.resume": (_optional(_is_text), "auto, the path of a checkpoint, or null"),
}
ABSENT = object()


def _value_faults(content: Content) -> Iterator[str]:
    for path, (holds, expected) in RULES.items():
        value = _at(content, path)
        if value is not ABSENT and not holds(value):
            yield f"{path}={_shown(value)}: expected {expected}"


def _at(content: Any, path: str) -> Any:
    for key in path.split("."):
        if not isinstance(content, dict) or key not in content:
            return ABSENT
        content = content[key]
    return content


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


# What only makes sense together.


def _split_faults(content: Content) -> Iterator[str]:
    split = _at(content, "dataset.split")
    if split is ABSENT:
        return
    if not isinstance(split, dict):
        yield f"dataset.split={split}: expected train, val and test"
        return
    for part, share in split.items():
        if part not in SPLITS:
            yield _unknown(part, "dataset.split", set(SPLITS))
        elif isinstance(share, float):
            if not 0 <= share <= 1:
                yield f"dataset.split.{part}={share}: expected a fraction from 0 to 1 (a whole number counts videos)"
        elif not (share is None or isinstance(share, list) or _whole(0)(share)):
            yield f"dataset.split.{part}={_shown(share)}: expected a fraction, a number, a list of names, or null"
    fractions = [share for share in split.values() if isinstance(share, float)]
    if sum(fractions) > 1 + 1e-6 and max(fractions) <= 1:
        yield f"dataset.split: the fractions add up to {sum(fractions):g}, more than 1"


def _monitor_faults(content: Content) -> Iterator[str]:
    names = _class_names(content)
    if not names:
        return
    parts = _at(content, "loss.parts")
    scores = ["loss", *metric_names(names), *(f"loss/{part}" for part in (parts if isinstance(parts, dict) else ()))]
    known = [f"{split}/{score}" for split in ("train", "val") for score in scores]
    for path in ("trainer.monitor", "trainer.early_stopping.monitor"):
        monitor = _at(content, path)
        if monitor is not ABSENT and monitor not in known:
            close = get_close_matches(str(monitor), known, n=1)
            hint = (
                f"did you mean {close[0]}?" if close else "known are train/ or val/ before loss, mIoU, IoU/<class>, ..."
            )
            yield f"{path}={_shown(monitor)}: there is no such metric; {hint}"
        mode_path = f"{path}_mode" if path == "trainer.monitor" else "trainer.early_stopping.mode"
        wanted = "min" if "/loss" in str(monitor) else "max"
        if monitor in known and _at(content, mode_path) not in (wanted, ABSENT):
            yield f"{mode_path}={_at(content, mode_path)}: {monitor} is better the other way, {mode_path}={wanted}"


def _class_names(content: Content) -> list[str]:
    entries = _at(content, "dataset.classes")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) and "name" in entry for entry in entries):
        return []
    names = [str(entry["name"]) for entry in entries]
    return [name for name in names if name != "void"] if _at(content, "dataset.ignore_void") is True else names
