"""Keys: every node with a `_target_` may hold what the target takes."""

import inspect
import logging
from collections.abc import Iterator
from typing import Any

from hydra.utils import get_object

from segmentation.apps.config.content import Content
from segmentation.apps.config.faults import unknown_keys
from segmentation.build.kinds import shared_options
from segmentation.build.training import GROUP_OPTIONS
from segmentation.models.options import MODEL_SHARED

HYDRA_KEYS = {"_target_", "_partial_", "_convert_", "_recursive_", "_args_"}
READ_BY_BUILD = {"model": MODEL_SHARED, "optimizer": set(GROUP_OPTIONS)}


def key_faults(node: Any, path: str) -> Iterator[str]:
    if isinstance(node, list):
        for index, item in enumerate(node):
            yield from key_faults(item, f"{path}[{index}]")
    if not isinstance(node, dict):
        return
    if "_target_" in node:
        yield from _target_faults(node, path)
    for key, value in node.items():
        yield from key_faults(value, f"{path}.{key}")


def _target_faults(node: Content, path: str) -> Iterator[str]:
    if node["_target_"] == "???":  # told as missing
        return
    try:
        target = quietly_imported(node["_target_"])
        parameters = inspect.signature(target).parameters
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        yield f"{path}._target_={node['_target_']} cannot be imported ({' '.join(str(error).split())})"
        return
    if hasattr(target, "faults"):  # a target that passes **options on knows what becomes of them
        yield from (f"{path}.{fault}" for fault in target.faults(node))
    if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        by_build = shared_options(node) if path == "dataset" else READ_BY_BUILD.get(path, set())
        yield from unknown_keys(node, path, {*parameters, *HYDRA_KEYS, *by_build} - {"self"})


def quietly_imported(target: str) -> Any:
    """Hydra logs what it cannot import, beside the exception that it raises."""
    logger = logging.getLogger("hydra.utils")
    was_disabled, logger.disabled = logger.disabled, True
    try:
        return get_object(target)
    finally:
        logger.disabled = was_disabled
