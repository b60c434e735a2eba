"""Class weights that a configuration names, from the pixels of the training masks."""

from typing import Any

import numpy as np
from omegaconf import DictConfig, OmegaConf

from segmentation.data.class_weights import METHODS, class_weights
from segmentation.errors import UserError


def asks_for_counts(cfg: DictConfig) -> bool:
    """Whether training needs the pixels of each class in each sample."""
    chances = ("augmentation.crop.rare_probability", "augmentation.mixing.copy_paste")
    return (
        any(node.get("class_weights") in METHODS[1:] for node in _nodes(cfg.loss))
        or cfg.trainer.sampling == "class_balanced"
        or any(OmegaConf.select(cfg, chance, default=0) for chance in chances)
    )


def fill_class_weights(loss: DictConfig, counts: np.ndarray | None) -> None:
    """Put numbers in place of `class_weights: enet` and the like, at any depth, from the pixels of each class in each
    training sample, `counts` `[N, C]`; None where nothing `asks_for_counts`.
    """
    for node in _nodes(loss):
        method = node.get("class_weights")
        if isinstance(method, str):
            if method not in METHODS:
                raise UserError(f"loss.class_weights={method}: choose {', '.join(METHODS)}, or give a list of numbers")
            node["class_weights"] = None if counts is None else class_weights(counts, method)


def _nodes(node: Any) -> list[DictConfig]:
    if not isinstance(node, DictConfig):
        return []
    return [node, *(inner for value in node.values() for inner in _nodes(value))]
