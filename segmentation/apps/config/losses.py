"""Faults of a loss and of those within it."""

from collections.abc import Callable, Iterator
from typing import Any

from segmentation.apps.config.content import ABSENT, Content, at, class_names, nodes, shown
from segmentation.apps.config.faults import Rules
from segmentation.apps.config.keys import quietly_imported
from segmentation.apps.config.rules import AT_LEAST_1, POSITIVE, SHARE
from segmentation.apps.config.values import are_many, are_weights, is_below_1, is_bool, number, optional, whole
from segmentation.data.class_weights import METHODS
from segmentation.losses.mask_classification import MaskClassification
from segmentation.losses.masked_prediction import MaskedPrediction
from segmentation.losses.weight import EXPECTED as WEIGHT
from segmentation.losses.weight import weight_from
from segmentation.models.image.eomt import eomt_model
from segmentation.models.image.own import own_model
from segmentation.models.mesh.pretraining import nomeformer_pretrain

GIVES = {  # what a loss learns from, and which models give it
    MaskClassification: ("gives masks, model=eomt", (eomt_model, own_model)),  # a network of one's own may
    MaskedPrediction: ("predicts what is hidden, model=nomeformer_pretrain", (nomeformer_pretrain,)),
}


def loss_faults(content: Content) -> Iterator[str]:
    """Of the loss and of those within it."""
    ignore, count = at(content, "dataset.ignore_index"), len(class_names(content))
    logits = 1 if at(content, "model.one_logit") is True else count
    choices = f"{', '.join(METHODS)}, or a list of numbers of at least 0, one for each class"
    rules: Rules = {
        "label_smoothing": (is_below_1, "a number from 0 to below 1"),
        "smooth": (number(0, open_low=True), "a number of pixels above 0"),
        "per_image": (is_bool, "true or false"),
        "gamma": (number(0), "a number of at least 0"),
        "alpha": (optional(number(0)), "a number of at least 0"),
        "beta": (number(0), "a number of at least 0"),
        "threshold": (number(0, 1, open_low=True), "a number above 0, at most 1"),
        "min_kept": (number(0, 1), SHARE),
        "tolerance": (whole(1), AT_LEAST_1),
        "radius": (whole(2), "a whole number of at least 2"),
        "stride": (whole(1), AT_LEAST_1),
        "pos_weight": (_is_pos_weight(logits), f"{POSITIVE}, a list of them, one for each logit, or null"),
        "ignore_index": (lambda value: ignore in (value, ABSENT), f"dataset.ignore_index, which is {ignore}"),
        "class_weights": (
            lambda value: value in (*METHODS, None) or are_weights(value, count),
            f"{choices} ({count})" if count else choices,
        ),
    }
    for path, node in nodes(content["loss"], "loss"):
        for key, (holds, expected) in rules.items():
            if key in node and not holds(node[key]):
                yield f"{path}.{key}={shown(node[key])}: expected {expected}"
        yield from _weight_faults(node, path)


def _weight_faults(loss: Content, path: str) -> Iterator[str]:
    """Of a sum of losses, or of a loss for several heads."""
    parts, weights = loss.get("parts"), loss.get("weights", {})
    hold = isinstance(weights, dict) and None not in map(weight_from, weights.values())
    if isinstance(parts, dict) and not (hold and weights.keys() == parts.keys()):
        yield f"{path}.weights={shown(weights)}: expected for each of {', '.join(parts)} {WEIGHT}"
    if isinstance(loss.get("loss"), dict) and not hold:
        yield f"{path}.weights={shown(weights)}: expected for each head {WEIGHT}"


def _is_pos_weight(count: int) -> Callable[[Any], bool]:
    positive = number(0, open_low=True)
    return lambda value: value is None or positive(value) or are_many(value, count, positive)


def loss_parts(loss: Any, split: str) -> list[str]:
    """The names that a loss's parts are logged under, as far as the configuration says them; heads are for training."""
    if not isinstance(loss, dict):
        return []
    parts, heads = loss.get("parts"), loss.get("weights")
    if isinstance(parts, dict):
        within = {name: loss_parts(part, split) for name, part in parts.items()}
        return [path for name, subs in within.items() for path in ([f"{name}/{sub}" for sub in subs] or [name])]
    logged = heads if isinstance(heads, dict) and split == "train" else ()
    return [*loss_parts(loss["loss"], split), *logged] if "loss" in loss else []


def one_logit_faults(content: Content) -> Iterator[str]:
    """One logit tells two classes apart, for losses that ask of each logit by itself."""
    if at(content, "model.one_logit") is not True:
        return
    count = len(class_names(content))
    if count not in (0, 2):
        yield f"model.one_logit=true: one logit tells two classes apart, dataset.classes has {count}; give false"
    for path, node in nodes(content["loss"], "loss"):
        if not getattr(_target_of(node), "takes_one_logit", True):
            yield f"{path}._target_={node['_target_']}: with model.one_logit=true choose a loss such as bce or dice"


def pairing_faults(content: Content) -> Iterator[str]:
    """Masks are learned from a model that gives some, as is what is hidden; a model that hides something needs that."""
    model = content.get("model")
    target = _target_of(model) if isinstance(model, dict) else None
    if target is None:
        return
    losses = {path: _target_of(node) for path, node in nodes(content["loss"], "loss")}
    for path, loss in losses.items():
        gives, models = GIVES.get(loss, ("", (target,)))
        if target not in models:
            yield f"{path}._target_={at(content, path)['_target_']}: it needs a model that {gives}"
    if target is nomeformer_pretrain and MaskedPrediction not in losses.values():
        name = at(content, "model._target_")
        yield f"model._target_={name}: nothing would be learned, it needs loss=masked_prediction"


def _target_of(node: Content) -> Any:
    """None where there is none, or none that can be imported, which is told as such."""
    try:
        return quietly_imported(node["_target_"])
    except (KeyError, ImportError, AttributeError, ValueError, TypeError):
        return None
