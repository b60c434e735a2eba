"""Options that say how a trained model is asked: those that evaluate.py and predict.py share. Free of PyTorch."""

from segmentation.apps.config.faults import Rules
from segmentation.apps.config.values import are, are_factors, is_below_1, is_device, is_size, is_text, one_of, optional

FLIPS = ("horizontal", "vertical")
ASKING_RULES: Rules = {
    "checkpoint": (is_text, "best, last, average, epoch_XXX, or the path of a checkpoint"),
    "weights": (one_of("ema", "raw"), "ema or raw"),
    "device": (optional(is_device), "auto, cpu, cuda, cuda:N, or null"),
    "precision": (optional(one_of("auto", "fp32", "bf16", "fp16")), "auto, fp32, bf16, fp16, or null"),
    "tile": (optional(is_size), "[height, width] in pixels, or null"),
    "overlap": (is_below_1, "a number from 0 to below 1"),
    "tta": (lambda value: isinstance(value, dict), "its options, such as tta.flips=[horizontal]"),
    "tta.flips": (are(*FLIPS), f"a list of {', '.join(FLIPS)}"),
    "tta.rotations": (are(90, 180, 270), "a list of 90, 180, 270"),
    "tta.scales": (are_factors, "a list of numbers above 0"),
}
