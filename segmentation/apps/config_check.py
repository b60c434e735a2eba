"""The configuration is checked as a whole before anything is built: unknown keys, impossible values, what does not go
together. All faults are told at once.
"""

import inspect
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from math import isfinite
from typing import Any

from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from segmentation.build import DATASET_SHARED, GROUP_OPTIONS, MODEL_SHARED
from segmentation.data.class_weights import METHODS
from segmentation.data.splits import SPLITS
from segmentation.errors import UserError, gathered, near, unknown_key
from segmentation.losses.weight import EXPECTED as WEIGHT
from segmentation.losses.weight import weight_from
from segmentation.metrics.segmentation import metric_names

Content = Mapping[str, Any]
Rules = Mapping[str, tuple[Callable[[Any], bool], str]]
GROUPS = ("model", "dataset", "augmentation", "optimizer", "scheduler", "loss", "trainer")
TOP_LEVEL = {"seed", "experiment_name", *GROUPS}
HYDRA_KEYS = {"_target_", "_partial_", "_convert_", "_recursive_", "_args_"}
READ_BY_BUILD = {"model": MODEL_SHARED, "dataset": set(DATASET_SHARED), "optimizer": set(GROUP_OPTIONS)}


def check_config(cfg: DictConfig) -> None:
    """Raises one `UserError` with every fault of a training configuration."""
    raise_faults(faults_in(cfg))


def raise_faults(faults: Sequence[str]) -> None:
    if faults:
        raise told_together(faults)


def told_together(faults: Sequence[str]) -> UserError:
    """One line for one fault."""
    if len(faults) == 1:
        return UserError(faults[0])
    return gathered(f"the configuration has {len(faults)} faults; nothing was started", faults, most=50)


def faults_in(cfg: DictConfig) -> list[str]:
    """Of a training configuration."""
    return _told(cfg, _training_faults)


def faults_in_dataset(cfg: DictConfig) -> list[str]:
    """Of the dataset group alone."""
    return _told(cfg, lambda content: _group_faults(content, ("dataset",)))


def faults_in_evaluation(cfg: DictConfig) -> list[str]:
    """Of evaluate.py's own options. Another data set is only known in whole within the run's configuration."""
    options = OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key != "dataset"])
    dataset: Any = OmegaConf.to_container(cfg.dataset)
    keys = _key_faults(dataset, "dataset") if "_target_" in dataset else _unknown_keys(dataset, "dataset", {"root"})
    return [*_told(options, _evaluation_faults), *keys]


def faults_in_check(cfg: DictConfig) -> list[str]:
    """Of check.py's options and of its data set."""
    return _told(cfg, _check_faults)


def _told(cfg: DictConfig, check: Callable[[Content], Iterator[str]]) -> list[str]:
    try:
        content: Any = OmegaConf.to_container(cfg, resolve=True)
        missing = sorted(OmegaConf.missing_keys(cfg))
    except OmegaConfBaseException as error:
        return [_unresolved(error)]
    return [*(f"{path} is needed: give {path}=..." for path in missing), *check(content)]


def _unresolved(error: OmegaConfBaseException) -> str:
    variable = re.search(r"Environment variable '(.+)' not found", str(error))
    if variable is None:
        return " ".join(str(error).split())
    name = variable[1]
    return f"{error.full_key}: {name} is not set: put {name}=... into a file .env here, or into the environment"


def _training_faults(content: Content) -> Iterator[str]:
    yield from _unknown_keys(content, "", TOP_LEVEL)
    yield from (f"{key} is missing" for key in ("seed", "experiment_name") if key not in content)
    yield from _group_faults(content, GROUPS)
    yield from _value_faults(content, RULES, ("seed", "experiment_name"))
    yield from _monitor_faults(content)


def _evaluation_faults(content: Content) -> Iterator[str]:
    yield from _unknown_keys(content, "", {*EVALUATION_RULES, "dataset"})
    yield from _value_faults(content, EVALUATION_RULES, EVALUATION_RULES)


def _check_faults(content: Content) -> Iterator[str]:
    yield from _unknown_keys(content, "", {*CHECK_RULES, "dataset"})
    yield from _value_faults(content, CHECK_RULES, CHECK_RULES)
    yield from _group_faults(content, ("dataset",))


def _group_faults(content: Content, groups: Iterable[str]) -> Iterator[str]:
    for group in groups:
        node = content.get(group)
        if not isinstance(node, dict) or "_target_" not in node:
            yield f"{group} is missing or has no _target_: give {group}=NAME, a file of conf/{group}/"
            continue
        yield from _key_faults(node, group)
        yield from _value_faults(content, RULES, (group,))
        yield from _band_faults(content, group)
        if group == "dataset":
            yield from _split_faults(content)
        if group == "loss":
            yield from _loss_faults(content)
        if group == "augmentation":
            yield from _augmentation_faults(content)
        if group == "trainer":
            yield from _batch_faults(content)


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
    if hasattr(target, "faults"):  # a target that passes **options on knows what becomes of them
        yield from (f"{path}.{fault}" for fault in target.faults(node))
    if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        yield from _unknown_keys(node, path, {*parameters, *HYDRA_KEYS, *READ_BY_BUILD.get(path, ())} - {"self"})


def _unknown_keys(node: Content, path: str, known: set[str]) -> Iterator[str]:
    for key in sorted(map(str, node.keys() - known)):
        yield unknown_key(f"{path}.{key}" if path else key, known)


# Values: what can be said of each by itself.


def _whole(least: int) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= least


def _number(low: float, high: float = float("inf"), open_low: bool = False) -> Callable[[Any], bool]:
    def holds(value: Any) -> bool:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return is_number and isfinite(value) and (low < value if open_low else low <= value) and value <= high

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


def _is_below_1(value: Any) -> bool:
    return _number(0)(value) and bool(value < 1)


def _are_betas(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(_is_below_1, value))


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _is_split_file(value: Any) -> bool:
    return _is_text(value) and value.lower().endswith((".json", ".csv"))


def _is_range(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(_number(0, open_low=True), value))


def _are_batch_sizes(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(_is_size(size) and not any(n % 32 for n in size) for size in value)
    )


MIXES = ("mosaic", "cutmix", "classmix", "copy_paste")
AT_LEAST_0, AT_LEAST_1 = "a whole number of at least 0", "a whole number of at least 1"
SHARE = "a number from 0 to 1"
POSITIVE = "a number above 0"
RULES: Rules = {
    "seed": (lambda value: _whole(0)(value) and value < 2**63, AT_LEAST_0),
    "experiment_name": (_is_text, "a name"),
    "dataset.root": (_is_text, "the data's folder"),
    "dataset.in_channels": (_whole(1), AT_LEAST_1),
    "dataset.max_value": (_optional(_number(0, open_low=True)), f"{POSITIVE}, or null"),
    "dataset.image_size": (_optional(_is_size), "[height, width] in pixels, or null"),
    "dataset.ignore_index": (lambda value: _whole(1)(value) and value <= 255, "a whole number from 1 to 255"),
    "dataset.ignore_void": (_is_bool, "true or false"),
    "dataset.threshold": (_number(0, open_low=True), f"{POSITIVE}, the grey value from which on it is the object"),
    "dataset.remap": (_optional(lambda value: isinstance(value, dict)), "{number in the masks: class}, or null"),
    "dataset.force_resplit": (_is_bool, "true or false"),
    "dataset.split_file": (_optional(_is_text), "the path of a JSON file, or null"),
    "dataset.split_seed": (_whole(0), AT_LEAST_0),
    "augmentation.strength": (_number(0), "a number of at least 0"),
    "augmentation.crop": (lambda value: isinstance(value, dict), "size and rare_probability"),
    "augmentation.crop.size": (_optional(_is_size), "[height, width] in pixels, or null"),
    "augmentation.crop.rare_probability": (_number(0, 1), SHARE),
    "augmentation.mixing": (lambda value: isinstance(value, dict), "mosaic, cutmix, classmix and copy_paste"),
    **{f"augmentation.mixing.{name}": (_number(0, 1), SHARE) for name in MIXES},
    "optimizer.lr": (_number(0, open_low=True), POSITIVE),
    "optimizer.weight_decay": (_number(0), "a number of at least 0"),
    "optimizer.layer_decay": (_number(0, 1, open_low=True), "a number above 0, at most 1"),
    "optimizer.head_lr_multiplier": (_number(0, open_low=True), POSITIVE),
    "optimizer.betas": (_are_betas, "two numbers from 0 to below 1"),
    "optimizer.momentum": (_number(0), "a number of at least 0"),
    "optimizer.nesterov": (_is_bool, "true or false"),
    "optimizer.fused": (_is_bool, "true or false"),
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
    "trainer.epochs": (_whole(1), AT_LEAST_1),
    "trainer.max_steps": (_optional(_whole(1)), f"{AT_LEAST_1}, or null"),
    "trainer.batch_size": (_whole(1), AT_LEAST_1),
    "trainer.val_batch_size": (_whole(1), AT_LEAST_1),
    "trainer.sampling": (_one_of("uniform", "class_balanced"), "uniform or class_balanced"),
    "trainer.batch_by_size": (_is_bool, "true or false"),
    "trainer.batch_pixels": (_optional(_whole(1)), f"{AT_LEAST_1}, or null"),
    "trainer.multi_scale": (lambda value: isinstance(value, dict), "range, sizes and every"),
    "trainer.multi_scale.range": (_optional(_is_range), "two factors above 0, or null"),
    "trainer.multi_scale.sizes": (_optional(_are_batch_sizes), "sizes [height, width] of multiples of 32, or null"),
    "trainer.multi_scale.every": (_whole(1), AT_LEAST_1),
    "trainer.num_workers": (_whole(0), AT_LEAST_0),
    "trainer.device": (_is_device, "auto, cpu, cuda or cuda:N"),
    "trainer.precision": (_one_of("auto", "fp32", "bf16", "fp16"), "auto, fp32, bf16 or fp16"),
    "trainer.channels_last": (_is_bool, "true or false"),
    "trainer.compile": (_is_bool, "true or false"),
    "trainer.accumulate_grad_batches": (_whole(1), AT_LEAST_1),
    "trainer.gradient_clip_val": (_optional(_number(0, open_low=True)), f"{POSITIVE}, or null"),
    "trainer.ema_decay": (_optional(_is_below_1), "from 0 to below 1, or null"),
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
    "trainer.check_data": (_one_of("quick", "full", "off"), "quick, full or off"),
    "trainer.resume": (_optional(_is_text), "auto, the path of a checkpoint, or null"),
}
EVALUATION_RULES: Rules = {
    "run": (lambda value: isinstance(value, str | int), "the run folder that train.py wrote"),
    "split": (_one_of(*SPLITS), ", ".join(SPLITS)),
    "checkpoint": (_is_text, "best, last, average, epoch_XXX, or the path of a checkpoint"),
    "weights": (_one_of("ema", "raw"), "ema or raw"),
    "device": (_optional(_is_device), "auto, cpu, cuda, cuda:N, or null"),
    "precision": (_optional(_one_of("auto", "fp32", "bf16", "fp16")), "auto, fp32, bf16, fp16, or null"),
    "batch_size": (_optional(_whole(1)), f"{AT_LEAST_1}, or null"),
    "num_workers": (_optional(_whole(0)), f"{AT_LEAST_0}, or null"),
    "min_mIoU": (_optional(_number(0)), "a number of at least 0, or null"),
}
CHECK_RULES: Rules = {
    "report": (_optional(_is_text), "the path of an HTML file, or null"),
    "write_split": (_optional(_is_split_file), "the path of a .json or .csv file, or null"),
    "split_method": (_one_of("grouped", "stratified", "random"), "grouped, stratified or random"),
    "folds": (_optional(_whole(2)), "a whole number of at least 2, or null"),
    "seed": (_whole(0), AT_LEAST_0),
}
ABSENT = object()


def _value_faults(content: Content, rules: Rules, groups: Iterable[str]) -> Iterator[str]:
    for path, (holds, expected) in rules.items():
        value = _at(content, path)
        if path.split(".")[0] in groups and value is not ABSENT and not holds(value):
            yield f"{path}={_shown(value)}: expected {expected}"


def _at(content: Any, path: str) -> Any:
    """What is still to be given (`???`) is as absent as what is not there."""
    for key in path.split("."):
        if not isinstance(content, dict) or key not in content:
            return ABSENT
        content = content[key]
    return ABSENT if content == "???" else content


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


# What only makes sense together.


def _split_faults(content: Content) -> Iterator[str]:
    split = _at(content, "dataset.split")
    if split is ABSENT:
        return
    if not isinstance(split, dict):
        yield f"dataset.split={_shown(split)}: expected train, val and test"
        return
    for part, share in split.items():
        if part not in SPLITS:
            yield unknown_key(f"dataset.split.{part}", SPLITS)
        elif isinstance(share, float):
            if not 0 <= share <= 1:
                yield f"dataset.split.{part}={share}: expected a fraction from 0 to 1 (a whole number counts videos)"
        elif not (share is None or _are_names(share) or _whole(0)(share)):
            yield f"dataset.split.{part}={_shown(share)}: expected a fraction, a number, a list of names, or null"
    rest = [part for part, share in split.items() if share is None]
    if len(rest) > 1:
        yield f"dataset.split: {' and '.join(rest)} are null, but only one part can get what the others leave"
    fractions = [share for share in split.values() if isinstance(share, float)]
    if sum(fractions) > 1 + 1e-6 and max(fractions) <= 1:
        yield f"dataset.split: the fractions add up to {sum(fractions):g}, more than 1"


def _are_names(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _band_faults(content: Content, group: str) -> Iterator[str]:
    bands = _at(content, "dataset.in_channels")
    count, of = (bands, f" ({bands})") if _whole(1)(bands) else (0, "")
    rules: Rules = {"mean": (_number(0, 1), "from 0 to 1"), "std": (_number(0, open_low=True), "above 0")}
    for key, (holds, expected) in rules.items():
        values = _at(content, f"{group}.{key}")
        if values is not ABSENT and not _are_many(values, count, holds):
            yield f"{group}.{key}={_shown(values)}: expected numbers {expected}, one for each band{of}"


def _augmentation_faults(content: Content) -> Iterator[str]:
    ignore, names = _at(content, "dataset.ignore_index"), _class_names(content)
    given, rare = _at(content, "augmentation.ignore_index"), _at(content, "augmentation.rare_classes")
    if ABSENT not in (ignore, given) and given != ignore:
        yield f"augmentation.ignore_index={_shown(given)}: expected dataset.ignore_index, which is {_shown(ignore)}"
    if not (rare in (ABSENT, None) or _are_names(rare)):
        yield f"augmentation.rare_classes={_shown(rare)}: expected a list of class names, or null"
    elif names and isinstance(rare, list):
        for name in sorted(set(rare) - set(names)):
            hint = near(name, names, f"the classes are {', '.join(names)}")
            yield f"augmentation.rare_classes: there is no class {name}; {hint}"
    if _at(content, "augmentation.crop.size") is None and _number(0, open_low=True)(_rare_probability(content)):
        yield f"augmentation.crop.rare_probability={_rare_probability(content)}: it needs augmentation.crop.size"


def _rare_probability(content: Content) -> Any:
    return _at(content, "augmentation.crop.rare_probability")


def _batch_faults(content: Content) -> Iterator[str]:
    """What decides the size of a batch: one of dataset.image_size, augmentation.crop.size and trainer.batch_by_size."""
    sized = [path for path in ("dataset.image_size", "augmentation.crop.size") if _is_size(_at(content, path))]
    scaled = [key for key in ("range", "sizes") if isinstance(_at(content, f"trainer.multi_scale.{key}"), list)]
    by_size, pixels = _at(content, "trainer.batch_by_size") is True, _at(content, "trainer.batch_pixels")
    if by_size and sized:
        freed = " ".join(f"{path}=null" for path in sized)
        yield f"trainer.batch_by_size=true: images keep the sizes they have, give {freed}"
    if by_size and scaled:
        yield "trainer.batch_by_size=true: images keep the sizes they have, trainer.multi_scale does not go with it"
    if pixels not in (ABSENT, None) and not by_size:
        yield f"trainer.batch_pixels={_shown(pixels)}: it needs trainer.batch_by_size=true"
    if len(scaled) > 1:
        yield "trainer.multi_scale: range and sizes are two ways to the same, leave one at null"
    if scaled == ["range"] and not sized and not by_size:
        yield "trainer.multi_scale.range: it is a factor of dataset.image_size or augmentation.crop.size, give one"


def _loss_faults(content: Content) -> Iterator[str]:
    """Of the loss and of those within it."""
    ignore, count = _at(content, "dataset.ignore_index"), len(_class_names(content))
    choices = f"{', '.join(METHODS)}, or a list of numbers of at least 0, one for each class"
    rules: Rules = {
        "label_smoothing": (_is_below_1, "a number from 0 to below 1"),
        "smooth": (_number(0, open_low=True), "a number of pixels above 0"),
        "per_image": (_is_bool, "true or false"),
        "gamma": (_number(0), "a number of at least 0"),
        "alpha": (_optional(_number(0)), "a number of at least 0"),
        "beta": (_number(0), "a number of at least 0"),
        "threshold": (_number(0, 1, open_low=True), "a number above 0, at most 1"),
        "min_kept": (_number(0, 1), SHARE),
        "tolerance": (_whole(1), AT_LEAST_1),
        "radius": (_whole(2), "a whole number of at least 2"),
        "stride": (_whole(1), AT_LEAST_1),
        "pos_weight": (_is_pos_weight(count), f"{POSITIVE}, a list of them, one for each class, or null"),
        "ignore_index": (lambda value: ignore in (value, ABSENT), f"dataset.ignore_index, which is {ignore}"),
        "class_weights": (
            lambda value: value in (*METHODS, None) or _are_weights(value, count),
            f"{choices} ({count})" if count else choices,
        ),
    }
    for path, node in _nodes(content["loss"], "loss"):
        for key, (holds, expected) in rules.items():
            if key in node and not holds(node[key]):
                yield f"{path}.{key}={_shown(node[key])}: expected {expected}"
        yield from _weight_faults(node, path)


def _weight_faults(loss: Content, path: str) -> Iterator[str]:
    """Of a sum of losses, or of a loss for several heads."""
    parts, weights = loss.get("parts"), loss.get("weights", {})
    hold = isinstance(weights, dict) and None not in map(weight_from, weights.values())
    if isinstance(parts, dict) and not (hold and weights.keys() == parts.keys()):
        yield f"{path}.weights={_shown(weights)}: expected for each of {', '.join(parts)} {WEIGHT}"
    if isinstance(loss.get("loss"), dict) and not hold:
        yield f"{path}.weights={_shown(weights)}: expected for each head {WEIGHT}"


def _is_pos_weight(count: int) -> Callable[[Any], bool]:
    positive = _number(0, open_low=True)
    return lambda value: value is None or positive(value) or _are_many(value, count, positive)


def _loss_parts(loss: Any, split: str) -> list[str]:
    """The names that a loss's parts are logged under, as far as the configuration says them; heads are for training."""
    if not isinstance(loss, dict):
        return []
    parts, heads = loss.get("parts"), loss.get("weights")
    if isinstance(parts, dict):
        within = {name: _loss_parts(part, split) for name, part in parts.items()}
        return [path for name, subs in within.items() for path in ([f"{name}/{sub}" for sub in subs] or [name])]
    logged = heads if isinstance(heads, dict) and split == "train" else ()
    return [*_loss_parts(loss["loss"], split), *logged] if "loss" in loss else []


def _nodes(node: Any, path: str) -> Iterator[tuple[str, Content]]:
    if isinstance(node, dict):
        yield path, node
        for key, value in node.items():
            yield from _nodes(value, f"{path}.{key}")


def _are_weights(value: Any, count: int) -> bool:
    return _are_many(value, count, _number(0)) and any(value)


def _are_many(value: Any, count: int, holds: Callable[[Any], bool]) -> bool:
    """A list of `count` such values; a `count` of 0 is not known."""
    return isinstance(value, list) and len(value) == (count or len(value)) and all(map(holds, value))


def _monitor_faults(content: Content) -> Iterator[str]:
    names = _class_names(content)
    if not names:
        return
    scores = ["loss", *metric_names(names)]
    parts = {split: [f"loss/{part}" for part in _loss_parts(content.get("loss"), split)] for split in ("train", "val")}
    known = [f"{split}/{score}" for split in parts for score in (*scores, *parts[split])]
    for path in ("trainer.monitor", "trainer.early_stopping.monitor"):
        monitor = _at(content, path)
        if monitor is not ABSENT and monitor not in known:
            hint = near(monitor, known, "known are train/ or val/ before loss, mIoU, IoU/<class>, ...")
            yield f"{path}={_shown(monitor)}: there is no such metric; {hint}"
        mode_path = f"{path}_mode" if path == "trainer.monitor" else "trainer.early_stopping.mode"
        wanted = "min" if "/loss" in str(monitor) else "max"
        if monitor in known and _at(content, mode_path) not in (wanted, ABSENT):
            yield f"{mode_path}={_at(content, mode_path)}: {monitor} is better the other way, {mode_path}={wanted}"


def _class_names(content: Content) -> list[str]:
    entries = _at(content, "dataset.classes")
    if not isinstance(entries, list) or not all(_is_text(entry) or _is_text(_at(entry, "name")) for entry in entries):
        return []
    names = [entry if isinstance(entry, str) else str(entry["name"]) for entry in entries]
    return [name for name in names if name != "void"] if _at(content, "dataset.ignore_void") is True else names
