"""The configuration as a whole: unknown keys, impossible values, what does not go together."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from omegaconf import DictConfig, OmegaConf

from segmentation.apps.config.content import Content
from segmentation.apps.config.faults import raise_faults, told_faults, unknown_keys, value_faults
from segmentation.apps.config.keys import key_faults
from segmentation.apps.config.kinds import kind_faults, mixed_kinds
from segmentation.apps.config.losses import loss_faults, one_logit_faults, pairing_faults
from segmentation.apps.config.rules import (
    CHECK_RULES,
    COMPARE_RULES,
    EVALUATION_RULES,
    EXPORT_RULES,
    PARETO_RULES,
    RULES,
)
from segmentation.apps.config.together import (
    augmentation_faults,
    band_faults,
    batch_faults,
    benchmark_faults,
    beta_faults,
    clip_faults,
    device_faults,
    either_or_faults,
    export_faults,
    find_lr_faults,
    model_faults,
    monitor_faults,
    split_faults,
    transform_faults,
)
from segmentation.build.meshes import is_for_meshes
from segmentation.errors import UserError

GROUPS = ("model", "dataset", "augmentation", "optimizer", "scheduler", "loss", "trainer")
OF_GROUP: dict[str, tuple[Callable[[Content], Iterator[str]], ...]] = {
    "model": (model_faults,),
    "dataset": (split_faults,),
    "loss": (loss_faults, one_logit_faults, pairing_faults),
    "augmentation": (augmentation_faults,),
    "optimizer": (beta_faults,),
    "trainer": (batch_faults, clip_faults, find_lr_faults),
}
TOP_LEVEL = {"seed", "experiment_name", *GROUPS}


def refuse_meshes(cfg: DictConfig, asked: str = "this command") -> None:
    """Raises `UserError` for a mesh model or data set: what is `asked` for is for images."""
    for group in ("model", "dataset"):
        node = cfg.get(group)
        if is_for_meshes(node):
            raise UserError(f"{group}._target_={node._target_}: {asked} is for images alone")


def check_config(cfg: DictConfig) -> None:
    """Raises one `UserError` with every fault of a training configuration."""
    raise_faults(faults_in(cfg))


def faults_in(cfg: DictConfig) -> list[str]:
    """Of a training configuration. Of one whose model and data are of two kinds there is nothing else to say."""
    as_given: Any = OmegaConf.to_container(cfg)
    return list(mixed_kinds(as_given)) or told_faults(cfg, _training_faults)


def faults_in_dataset(cfg: DictConfig) -> list[str]:
    """Of the dataset group alone."""
    return told_faults(cfg, lambda content: _group_faults(content, ("dataset",)))


def faults_in_evaluation(cfg: DictConfig) -> list[str]:
    """Of evaluate.py's own options. Another data set is only known in whole within the run's configuration."""
    options = OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key != "dataset"])
    dataset: Any = OmegaConf.to_container(cfg.dataset)
    keys = key_faults(dataset, "dataset") if "_target_" in dataset else unknown_keys(dataset, "dataset", {"root"})
    return [*told_faults(options, _evaluation_faults), *keys]


def faults_in_compare(cfg: DictConfig) -> list[str]:
    """Of compare.py's options."""
    return told_faults(cfg, _compare_faults)


def faults_in_export(cfg: DictConfig) -> list[str]:
    """Of export.py's options."""
    return told_faults(cfg, _export_faults)


def faults_in_pareto(cfg: DictConfig) -> list[str]:
    """Of pareto.py's options."""
    return told_faults(cfg, _pareto_faults)


def faults_in_check(cfg: DictConfig) -> list[str]:
    """Of check.py's options and of its data set."""
    return told_faults(cfg, _check_faults)


def _training_faults(content: Content) -> Iterator[str]:
    yield from unknown_keys(content, "", TOP_LEVEL)
    yield from (f"{key} is missing" for key in ("seed", "experiment_name") if key not in content)
    yield from _group_faults(content, GROUPS)
    yield from value_faults(content, RULES, ("seed", "experiment_name"))
    yield from kind_faults(content)
    yield from device_faults(content)
    yield from transform_faults(content)
    yield from monitor_faults(content)


def _evaluation_faults(content: Content) -> Iterator[str]:
    yield from unknown_keys(content, "", {*EVALUATION_RULES, "dataset"})
    yield from value_faults(content, EVALUATION_RULES, EVALUATION_RULES)
    if isinstance(content.get("tta"), dict):
        known = {path.removeprefix("tta.") for path in EVALUATION_RULES if path.startswith("tta.")}
        yield from unknown_keys(content["tta"], "tta", known)
    yield from benchmark_faults(content)
    yield from either_or_faults(content)


def _compare_faults(content: Content) -> Iterator[str]:
    yield from unknown_keys(content, "", {*COMPARE_RULES, "dataset"})
    yield from unknown_keys(content["dataset"], "dataset", {"root"})
    yield from value_faults(content, COMPARE_RULES, [path.split(".")[0] for path in COMPARE_RULES])


def _export_faults(content: Content) -> Iterator[str]:
    yield from unknown_keys(content, "", {*EXPORT_RULES, "dataset"})
    yield from unknown_keys(content["dataset"], "dataset", {"root"})
    yield from value_faults(content, EXPORT_RULES, [path.split(".")[0] for path in EXPORT_RULES])
    yield from export_faults(content)


def _pareto_faults(content: Content) -> Iterator[str]:
    yield from unknown_keys(content, "", {*PARETO_RULES, "dataset"})
    yield from unknown_keys(content["dataset"], "dataset", {"root"})
    yield from value_faults(content, PARETO_RULES, [path.split(".")[0] for path in PARETO_RULES])


def _check_faults(content: Content) -> Iterator[str]:
    yield from unknown_keys(content, "", {*CHECK_RULES, "dataset"})
    yield from value_faults(content, CHECK_RULES, CHECK_RULES)
    yield from _group_faults(content, ("dataset",))


def _group_faults(content: Content, groups: Iterable[str]) -> Iterator[str]:
    for group in groups:
        node = content.get(group)
        if not isinstance(node, dict) or "_target_" not in node:
            yield f"{group} is missing or has no _target_: give {group}=NAME, a file of conf/{group}/"
            continue
        yield from key_faults(node, group)
        yield from value_faults(content, RULES, (group,))
        yield from band_faults(content, group)
        for faults_of in OF_GROUP.get(group, ()):
            yield from faults_of(content)
