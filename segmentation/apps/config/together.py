"""What only makes sense together with other options."""

from collections.abc import Iterator
from contextlib import suppress
from inspect import signature
from typing import Any

from segmentation.apps.config.content import ABSENT, Content, at, class_names, nodes, shown
from segmentation.apps.config.faults import Rules
from segmentation.apps.config.keys import quietly_imported
from segmentation.apps.config.losses import loss_parts
from segmentation.apps.config.values import are_betas, are_many, are_names, is_size, number, whole
from segmentation.build.kinds import kind_for
from segmentation.data.image.augmentation.bands import made_for_colors
from segmentation.data.image.augmentation.device import DeviceAugmentation
from segmentation.data.image.augmentation.options import Augmentation
from segmentation.data.image.augmentation.transforms import transforms_of
from segmentation.data.splits import SPLITS
from segmentation.errors import UserError, near, unknown_key
from segmentation.metrics.scores import metric_names


def split_faults(content: Content) -> Iterator[str]:
    split = at(content, "dataset.split")
    if split is ABSENT:
        return
    if not isinstance(split, dict):
        yield f"dataset.split={shown(split)}: expected train, val and test"
        return
    for part, share in split.items():
        if part not in SPLITS:
            yield unknown_key(f"dataset.split.{part}", SPLITS)
        elif isinstance(share, float):
            if not 0 <= share <= 1:
                yield f"dataset.split.{part}={share}: expected a fraction from 0 to 1 (a whole number counts videos)"
        elif not (share is None or are_names(share) or whole(0)(share)):
            yield f"dataset.split.{part}={shown(share)}: expected a fraction, a number, a list of names, or null"
    rest = [part for part, share in split.items() if share is None]
    if len(rest) > 1:
        yield f"dataset.split: {' and '.join(rest)} are null, but only one part can get what the others leave"
    fractions = [share for share in split.values() if isinstance(share, float)]
    if sum(fractions) > 1 + 1e-6 and max(fractions) <= 1:
        yield f"dataset.split: the fractions add up to {sum(fractions):g}, more than 1"


def band_faults(content: Content, group: str) -> Iterator[str]:
    bands = at(content, "dataset.in_channels")
    count, of = (bands, f" ({bands})") if whole(1)(bands) else (0, "")
    rules: Rules = {"mean": (number(0, 1), "from 0 to 1"), "std": (number(0, open_low=True), "above 0")}
    for key, (holds, expected) in rules.items():
        values = at(content, f"{group}.{key}")
        if group == "model" and values == at(content, f"dataset.{key}"):
            continue  # taken over from there, where it is told
        if values is not ABSENT and not are_many(values, count, holds):
            yield f"{group}.{key}={shown(values)}: expected numbers {expected}, one for each band{of}"


def augmentation_faults(content: Content) -> Iterator[str]:
    ignore, names = at(content, "dataset.ignore_index"), class_names(content)
    given, rare = at(content, "augmentation.ignore_index"), at(content, "augmentation.rare_classes")
    if ABSENT not in (ignore, given) and given != ignore:
        yield f"augmentation.ignore_index={shown(given)}: expected dataset.ignore_index, which is {shown(ignore)}"
    if not (rare in (ABSENT, None) or are_names(rare)):
        yield f"augmentation.rare_classes={shown(rare)}: expected a list of class names, or null"
    elif names and isinstance(rare, list):
        for name in sorted(set(rare) - set(names)):
            hint = near(name, names, f"the classes are {', '.join(names)}")
            yield f"augmentation.rare_classes: there is no class {name}; {hint}"
    if at(content, "augmentation.crop.size") is None and number(0, open_low=True)(_rare_probability(content)):
        yield f"augmentation.crop.rare_probability={_rare_probability(content)}: it needs augmentation.crop.size"
    crop, size = at(content, "augmentation.crop.size"), at(content, "dataset.image_size")
    if is_size(crop) and is_size(size) and (crop[0] > size[0] or crop[1] > size[1]):
        yield f"augmentation.crop.size={crop}: larger than dataset.image_size={size}, of which crops are cut"


def _rare_probability(content: Content) -> Any:
    return at(content, "augmentation.crop.rare_probability")


def batch_faults(content: Content) -> Iterator[str]:
    """What decides the size of a batch: one of dataset.image_size, augmentation.crop.size and trainer.batch_by_size."""
    sized = [path for path in ("dataset.image_size", "augmentation.crop.size") if is_size(at(content, path))]
    scaled = [key for key in ("range", "sizes") if isinstance(at(content, f"trainer.multi_scale.{key}"), list)]
    by_size, pixels = at(content, "trainer.batch_by_size") is True, at(content, "trainer.batch_pixels")
    if by_size and sized:
        freed = " ".join(f"{path}=null" for path in sized)
        yield f"trainer.batch_by_size=true: images keep the sizes they have, give {freed}"
    if by_size and scaled:
        yield "trainer.batch_by_size=true: images keep the sizes they have, trainer.multi_scale does not go with it"
    if pixels not in (ABSENT, None) and not by_size:
        yield f"trainer.batch_pixels={shown(pixels)}: it needs trainer.batch_by_size=true"
    if at(content, "trainer.batch_size") == "auto" and (by_size or scaled):
        yield "trainer.batch_size=auto: it needs batches of one size; give a number with batch_by_size or multi_scale"
    if len(scaled) > 1:
        yield "trainer.multi_scale: range and sizes are two ways to the same, leave one at null"
    has_sizes = at(content, "dataset.image_size") is not ABSENT  # only images do
    if scaled == ["range"] and has_sizes and not sized and not by_size:
        yield "trainer.multi_scale.range: it is a factor of dataset.image_size or augmentation.crop.size, give one"


def device_faults(content: Content) -> Iterator[str]:
    """What trainer.device_augmentation cannot do of an augmentation that has no fault of its own."""
    node, strength = content.get("augmentation"), at(content, "augmentation.strength")
    if at(content, "trainer.device_augmentation") is not True or not number(0)(strength):
        return
    assert isinstance(node, dict)
    if not any(Augmentation.faults(node)):
        try:
            DeviceAugmentation(transforms_of(node.get("transforms", []), 255, strength), 0)
        except UserError as error:
            yield str(error)


def transform_faults(content: Content) -> Iterator[str]:
    """Transforms that cannot do with images of dataset.in_channels, where the lists have no fault of their own."""
    node, bands = content.get("augmentation"), at(content, "dataset.in_channels")
    if not isinstance(node, dict) or not whole(1)(bands) or bands == 3 or any(Augmentation.faults(node)):
        return
    on_device = at(content, "trainer.device_augmentation") is True  # which knows its own, of any bands
    for key in ("val",) if on_device else ("transforms", "val"):
        names = made_for_colors(transforms_of(node.get(key, []), 255).spec, bands)
        if names:
            yield (
                f"augmentation.{key}: {', '.join(names)} cannot be applied to images of dataset.in_channels={bands}: "
                "leave them out, or choose augmentation=light, aerial or none"
            )


def model_faults(content: Content) -> Iterator[str]:
    weighted = [node["weights"] for _, node in nodes(content.get("loss"), "loss") if "weights" in node]
    if at(content, "model.auxiliary_head") is True and not any(isinstance(of, dict) and "aux" in of for of in weighted):
        yield "model.auxiliary_head=true: it would not be trained: give loss=auxiliary +loss.weights.aux=0.4"
    if at(content, "model.activation_in_encoder") is True and at(content, "model.activation") is None:
        yield "model.activation_in_encoder=true: it needs model.activation"


def beta_faults(content: Content) -> Iterator[str]:
    """As many as the optimizer has by default: Adan alone takes three."""
    betas, target = at(content, "optimizer.betas"), at(content, "optimizer._target_")
    if not are_betas(betas) or target is ABSENT:
        return
    with suppress(ImportError, AttributeError, ValueError, TypeError):  # told where the keys are looked at
        default = signature(quietly_imported(target)).parameters["betas"].default
        if isinstance(default, tuple | list) and len(default) != len(betas):
            usual = shown(list(default))
            yield f"optimizer.betas={shown(betas)}: {target} takes {len(default)} numbers, such as {usual}"


def clip_faults(content: Content) -> Iterator[str]:
    mode = at(content, "trainer.gradient_clip_mode")
    limit = at(content, "trainer.gradient_clip_val")
    if mode in ("value", "adaptive") and limit is None:
        yield f"trainer.gradient_clip_mode={mode}: it needs a number for trainer.gradient_clip_val"
    elif mode == "adaptive" and number(1)(limit):
        yield (
            f"trainer.gradient_clip_mode=adaptive: it clips nothing with trainer.gradient_clip_val={limit}, a share of "
            "the weights' norm; 0.01 to 0.1 is usual"
        )


def find_lr_faults(content: Content) -> Iterator[str]:
    if at(content, "trainer.find_lr") is True and at(content, "trainer.resume") not in (None, ABSENT):
        yield "trainer.find_lr=true: it is for the start of a run, trainer.resume does not go with it"


def monitor_faults(content: Content) -> Iterator[str]:
    names = class_names(content)
    if not names:
        return
    scores = ["loss", *metric_names(names, by_area=kind_for(content["dataset"]).HAS_AREAS)]
    parts = {split: [f"loss/{part}" for part in loss_parts(content.get("loss"), split)] for split in ("train", "val")}
    known = [f"{split}/{score}" for split in parts for score in (*scores, *parts[split])]
    for path in ("trainer.monitor", "trainer.early_stopping.monitor"):
        monitor = at(content, path)
        if monitor is not ABSENT and monitor not in known:
            hint = near(monitor, known, "known are train/ or val/ before loss, mIoU, IoU/<class>, ...")
            yield f"{path}={shown(monitor)}: there is no such metric; {hint}"
        mode_path = f"{path}_mode" if path == "trainer.monitor" else "trainer.early_stopping.mode"
        wanted = "min" if "/loss" in str(monitor) else "max"
        if monitor in known and at(content, mode_path) not in (wanted, ABSENT):
            yield f"{mode_path}={at(content, mode_path)}: {monitor} is better the other way, {mode_path}={wanted}"


def benchmark_faults(content: Content) -> Iterator[str]:
    """Limits that the other of the two things that evaluate.py does would never look at."""
    timed = content.get("benchmark") is True
    for limit in ("min_mIoU",) if timed else ("min_fps", "max_latency_ms"):
        if content.get(limit) is not None:
            needed = ", which does not score: leave one of them out" if timed else ": it needs benchmark=true"
            yield f"{limit}={shown(content[limit])} with benchmark={shown(timed)}{needed}"


def either_or_faults(content: Content) -> Iterator[str]:
    """evaluate.py scores a model, scores what it counted before, or times a model."""
    for one, other in (("from_counts", "benchmark"), ("from_counts", "label_errors"), ("benchmark", "label_errors")):
        if content.get(one) is True and content.get(other) is True:
            yield f"{one}=true with {other}=true: each needs a command of its own"


def export_faults(content: Content) -> Iterator[str]:
    """What only ONNX has."""
    if content.get("format") in ("onnx", "tensorrt"):
        return
    if content.get("precision") == "int8":
        yield f"precision=int8 with format={shown(content['format'])}: int8 is for format=onnx; give fp32 or fp16"
    if content.get("package") is True:
        yield f"package=true with format={shown(content['format'])}: the package's example runs ONNX; give format=onnx"
