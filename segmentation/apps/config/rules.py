"""What each option may be."""

from typing import Any

from segmentation.apps.config.asking import ASKING_RULES, FLIPS
from segmentation.apps.config.faults import Rules
from segmentation.apps.config.values import (
    are,
    are_batch_sizes,
    are_betas,
    are_durations,
    are_factors,
    are_groups,
    are_names,
    are_several_folders,
    is_below_1,
    is_bool,
    is_device,
    is_duration,
    is_range,
    is_size,
    is_split_file,
    is_text,
    number,
    one_of,
    optional,
    some_of,
    whole,
)
from segmentation.data.splits import SPLITS
from segmentation.models.activation import ACTIVATIONS

FORMATS = ("onnx", "torch_export", "aot_inductor", "torchscript", "tensorrt")
PRECISIONS = ("fp32", "bf16", "fp16", "int8")
BACKENDS = ("eager", "compiled", "onnx")
MIXES = ("mosaic", "cutmix", "classmix", "copy_paste")
OWN_GROUP = "{pattern: NAME, lr or lr_multiplier: a number above 0, weight_decay: at least 0}"
AT_LEAST_0 = "a whole number of at least 0"
AT_LEAST_1 = "a whole number of at least 1"
SHARE = "a number from 0 to 1"
DURATION = f"{SHARE}, or a whole number of epochs"
POSITIVE = "a number above 0"


def is_tta(value: Any) -> bool:
    """As evaluate.py has it; what is left out is nothing."""
    rules = {"flips": are(*FLIPS), "rotations": are(90, 180, 270), "scales": are_factors}
    return isinstance(value, dict) and all(key in rules and rules[key](given) for key, given in value.items())


RULES: Rules = {
    "seed": (lambda value: whole(0)(value) and value < 2**63, AT_LEAST_0),
    "experiment_name": (is_text, "a name"),
    "dataset.root": (is_text, "the data's folder"),
    "dataset.videos": (whole(1), AT_LEAST_1),
    "dataset.frames": (whole(1), AT_LEAST_1),
    "dataset.size": (is_size, "[height, width] in pixels"),
    "dataset.labels": (optional(is_text), "a folder, or null"),
    "dataset.include": (optional(are_names), "a list of videos, or null"),
    "dataset.in_channels": (whole(1), AT_LEAST_1),
    "dataset.max_value": (optional(number(0, open_low=True)), f"{POSITIVE}, or null"),
    "dataset.image_size": (optional(is_size), "[height, width] in pixels, or null"),
    "dataset.ignore_index": (lambda value: whole(1)(value) and value <= 255, "a whole number from 1 to 255"),
    "dataset.ignore_void": (is_bool, "true or false"),
    "dataset.threshold": (number(0, open_low=True), f"{POSITIVE}, the grey value from which on it is the object"),
    "dataset.remap": (optional(lambda value: isinstance(value, dict)), "{number in the masks: class}, or null"),
    "dataset.cache": (one_of("none", "ram", "disk"), "none, ram or disk"),
    "dataset.cache_gb": (number(0, open_low=True), f"{POSITIVE}, in GiB"),
    "dataset.force_resplit": (is_bool, "true or false"),
    "dataset.split_file": (optional(is_text), "the path of a JSON file, or null"),
    "dataset.split_seed": (whole(0), AT_LEAST_0),
    "augmentation.strength": (number(0), "a number of at least 0"),
    "augmentation.crop": (lambda value: isinstance(value, dict), "size and rare_probability"),
    "augmentation.crop.size": (optional(is_size), "[height, width] in pixels, or null"),
    "augmentation.crop.rare_probability": (number(0, 1), SHARE),
    "augmentation.mixing": (lambda value: isinstance(value, dict), "mosaic, cutmix, classmix and copy_paste"),
    **{f"augmentation.mixing.{name}": (number(0, 1), SHARE) for name in MIXES},
    "model.one_logit": (is_bool, "true or false"),
    "model.activation": (one_of(*ACTIVATIONS, None), f"{', '.join(ACTIVATIONS)}, or null"),
    "model.activation_in_encoder": (is_bool, "true or false"),
    "model.encoder_weights": (optional(is_text), "a name such as imagenet, a file, or null"),
    "model.checkpoint": (optional(is_text), "a checkpoint or the folder of a run, or null"),
    "model.trainable": (optional(are_names), 'a list of names as ["*decoder*", "*head*"], or null'),
    "model.gradient_checkpointing": (is_bool, "true or false"),
    "model.queries": (whole(1), AT_LEAST_1),
    "model.query_blocks": (whole(1), AT_LEAST_1),
    "optimizer.lr": (number(0, open_low=True), POSITIVE),
    "optimizer.weight_decay": (number(0), "a number of at least 0"),
    "optimizer.layer_decay": (number(0, 1, open_low=True), "a number above 0, at most 1"),
    "optimizer.head_lr_multiplier": (number(0, open_low=True), POSITIVE),
    "optimizer.groups": (optional(are_groups), f"a list of {OWN_GROUP}, or null"),
    "optimizer.betas": (are_betas, "two numbers from 0 to below 1, or three (Adan)"),
    "optimizer.momentum": (number(0), "a number of at least 0"),
    "optimizer.nesterov": (is_bool, "true or false"),
    "optimizer.fused": (is_bool, "true or false"),
    "scheduler.warmup": (is_duration, DURATION),
    "scheduler.min_factor": (number(0, 1), SHARE),
    "scheduler.interval": (one_of("step", "epoch"), "step or epoch"),
    "scheduler.rise": (is_duration, DURATION),
    "scheduler.flat": (is_duration, DURATION),
    "scheduler.cycles": (whole(1), AT_LEAST_1),
    "scheduler.multiplier": (number(0, open_low=True), POSITIVE),
    "scheduler.gamma": (number(0, 1, open_low=True), "a number above 0, at most 1"),
    "scheduler.milestones": (are_durations, "shares from 0 to 1, or whole numbers of epochs"),
    "scheduler.power": (number(0, open_low=True), POSITIVE),
    "scheduler.start_factor": (number(0, 1), SHARE),
    "scheduler.final_factor": (number(0, 1, open_low=True), "a number above 0, at most 1"),
    "scheduler.factor": (number(0, 1, open_low=True), "a number above 0, at most 1"),
    "scheduler.patience": (whole(0), AT_LEAST_0),
    "trainer.epochs": (whole(1), AT_LEAST_1),
    "trainer.max_steps": (optional(whole(1)), f"{AT_LEAST_1}, or null"),
    "trainer.batch_size": (lambda value: value == "auto" or whole(1)(value), f"{AT_LEAST_1}, or auto"),
    "trainer.val_batch_size": (whole(1), AT_LEAST_1),
    "trainer.sampling": (one_of("uniform", "class_balanced"), "uniform or class_balanced"),
    "trainer.batch_by_size": (is_bool, "true or false"),
    "trainer.batch_pixels": (optional(whole(1)), f"{AT_LEAST_1}, or null"),
    "trainer.multi_scale": (lambda value: isinstance(value, dict), "range, sizes and every"),
    "trainer.multi_scale.range": (optional(is_range), "two factors above 0, the smaller first, or null"),
    "trainer.multi_scale.sizes": (optional(are_batch_sizes), "sizes [height, width] of multiples of 32, or null"),
    "trainer.multi_scale.every": (whole(1), AT_LEAST_1),
    "trainer.num_workers": (whole(0), AT_LEAST_0),
    "trainer.max_bad_samples": (whole(0), AT_LEAST_0),
    "trainer.device_augmentation": (is_bool, "true or false"),
    "trainer.device": (is_device, "auto, cpu, cuda or cuda:N"),
    "trainer.precision": (one_of("auto", "fp32", "bf16", "fp16"), "auto, fp32, bf16 or fp16"),
    "trainer.channels_last": (is_bool, "true or false"),
    "trainer.compile": (is_bool, "true or false"),
    "trainer.accumulate_grad_batches": (whole(1), AT_LEAST_1),
    "trainer.gradient_clip_val": (optional(number(0, open_low=True)), f"{POSITIVE}, or null"),
    "trainer.gradient_clip_mode": (one_of("norm", "value", "adaptive"), "norm, value or adaptive"),
    "trainer.freeze_encoder_epochs": (whole(0), AT_LEAST_0),
    "trainer.ema_decay": (optional(is_below_1), "from 0 to below 1, or null"),
    "trainer.average_start": (number(0, 1), SHARE),
    "trainer.val_interval": (whole(1), AT_LEAST_1),
    "trainer.visualization_interval": (whole(0), AT_LEAST_0),
    "trainer.visualization_count": (whole(0), AT_LEAST_0),
    "trainer.log_every_n_steps": (whole(1), AT_LEAST_1),
    "trainer.monitor_mode": (one_of("min", "max"), "min or max"),
    "trainer.max_checkpoints": (whole(0), AT_LEAST_0),
    "trainer.early_stopping": (lambda value: isinstance(value, dict), "monitor, mode and patience (null: never stop)"),
    "trainer.early_stopping.mode": (one_of("min", "max"), "min or max"),
    "trainer.early_stopping.patience": (optional(whole(1)), f"{AT_LEAST_1}, or null"),
    "trainer.find_lr": (is_bool, "true or false"),
    "trainer.check_data": (one_of("quick", "full", "off"), "quick, full or off"),
    "trainer.resume": (optional(is_text), "auto, the path of a checkpoint, or null"),
}
EVALUATION_RULES: Rules = {
    **ASKING_RULES,
    "run": (lambda value: isinstance(value, str | int), "the run folder that train.py wrote"),
    "split": (one_of(*SPLITS), ", ".join(SPLITS)),
    "batch_size": (optional(whole(1)), f"{AT_LEAST_1}, or null"),
    "num_workers": (optional(whole(0)), f"{AT_LEAST_0}, or null"),
    "label_errors": (is_bool, "true or false"),
    "boundary_width": (number(0), "pixels from 1 on, or a share of the diagonal below 1"),
    "boundary_tolerance": (number(0), "pixels from 1 on, or a share of the diagonal below 1"),
    "resamples": (whole(100), "a whole number of at least 100"),
    "seed": (whole(0), AT_LEAST_0),
    "report": (is_bool, "true or false"),
    "from_counts": (is_bool, "true or false"),
    "min_mIoU": (optional(number(0)), "a number of at least 0, or null"),
    "benchmark": (is_bool, "true or false"),
    "benchmark_size": (optional(is_size), "[height, width] in pixels, or null"),
    "benchmark_batch_size": (whole(1), AT_LEAST_1),
    "min_fps": (optional(number(0)), "a number of at least 0, or null"),
    "max_latency_ms": (optional(number(0)), "a number of at least 0, or null"),
}
COMPARE_RULES: Rules = {
    "runs": (are_several_folders, "a list of at least two run folders"),
    "split": (one_of(*SPLITS), ", ".join(SPLITS)),
    "checkpoint": (is_text, "best, or what follows the split in the names of evaluation/: last, best-raw, ..."),
    "resamples": (whole(100), "a whole number of at least 100"),
    "seed": (whole(0), AT_LEAST_0),
    "device": (optional(is_device), "auto, cpu, cuda, cuda:N, or null"),
    "output": (is_text, "a folder"),
    "dataset.root": (optional(is_text), "a folder, or null"),
}
EXPORT_RULES: Rules = {
    "run": (lambda value: isinstance(value, str | int), "the run folder that train.py wrote"),
    "checkpoint": (is_text, "best, last, average, epoch_XXX, or the path of a checkpoint"),
    "weights": (one_of("ema", "raw"), "ema or raw"),
    "format": (one_of(*FORMATS), f"one of {', '.join(FORMATS)}"),
    "precision": (one_of("fp32", "fp16", "int8"), "fp32, fp16 or int8"),
    "layout": (one_of("nhwc", "nchw"), "nhwc or nchw"),
    "probabilities": (is_bool, "true or false"),
    "thresholds": (
        lambda value: value is None or isinstance(value, dict) or number(0, 1)(value),
        "a probability, {class: probability}, or null",
    ),
    "otherwise": (optional(is_text), "a class, or null"),
    "opset": (whole(18), "a whole number of at least 18"),
    "output": (optional(is_text), "the path of a file, or null"),
    "proof_images": (whole(1), AT_LEAST_1),
    "calibration_images": (whole(1), AT_LEAST_1),
    "package": (is_bool, "true or false"),
    "data_licence": (optional(is_text), "a text, or null"),
    "dataset.root": (optional(is_text), "a folder, or null"),
}
PARETO_RULES: Rules = {
    **{
        name: EXPORT_RULES[name]
        for name in ("run", "checkpoint", "weights", "opset", "calibration_images", "dataset.root")
    },
    "device": (optional(is_device), "auto, cpu, cuda, cuda:N, or null"),
    "sizes": (optional(some_of(is_size)), "a list of [height, width] in pixels, or null"),
    "tiles": (some_of(optional(is_size)), "a list of [height, width] in pixels or null, which is whole images"),
    "overlap": (is_below_1, "a number from 0 to below 1"),
    "tta": (some_of(is_tta), "a list of {flips: [...], rotations: [...], scales: [...]}, as tta of evaluate.py"),
    "precisions": (some_of(one_of(*PRECISIONS)), f"a list of {', '.join(PRECISIONS)}"),
    "backends": (some_of(one_of(*BACKENDS)), f"a list of {', '.join(BACKENDS)}"),
    "images": (whole(1), AT_LEAST_1),
}
CHECK_RULES: Rules = {
    "report": (optional(is_text), "the path of an HTML file, or null"),
    "write_split": (optional(is_split_file), "the path of a .json or .csv file, or null"),
    "split_method": (one_of("grouped", "stratified", "random"), "grouped, stratified or random"),
    "folds": (optional(whole(2)), "a whole number of at least 2, or null"),
    "seed": (whole(0), AT_LEAST_0),
}
