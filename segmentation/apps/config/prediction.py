"""The options of predict.py, checked before anything is loaded. Free of PyTorch."""

from collections.abc import Iterator
from typing import Any

from omegaconf import DictConfig

from segmentation.apps.config.asking import ASKING_RULES
from segmentation.apps.config.content import Content, flat
from segmentation.apps.config.faults import Rules, told_faults, unknown_keys, value_faults
from segmentation.apps.config.values import is_below_1, is_bool, is_size, is_text, number, one_of, optional, whole

POST_PROCESSING = (  # what they may be depends on the classes: inference/options.py
    "crf",
    "thresholds",
    "otherwise",
    "opening",
    "closing",
    "fill_holes",
    "largest",
    "min_area",
    "confidence",
)
SWITCHES = ("masks", "colour", "overlay", "contours", "pseudo_labels", "skip_existing", "overwrite")
MASK_FORMATS = ("index", "palette", "binary")


def _names_runs(value: Any) -> bool:
    """The folders of a sweep are numbers."""
    several = value if isinstance(value, list) else [value]
    return bool(several) and all(is_text(one) or whole(0)(one) for one in several)


PREDICTION_RULES: Rules = {
    **ASKING_RULES,
    "run": (optional(_names_runs), "a run folder, or a list of them whose probabilities are averaged"),
    "model": (optional(is_text), "the path of an ONNX file that export.py wrote"),
    "input": (is_text, "a file, a folder, a pattern or a video"),
    "output": (is_text, "a folder"),
    "image_size": (
        lambda value: value in (None, "stored") or is_size(value),
        "[height, width] in pixels, stored (as pictures are), or null (as in training)",
    ),
    "tile_batch": (lambda value: value == "auto" or whole(1)(value), "a whole number of at least 1, or auto"),
    "threads": (whole(1), "a whole number of at least 1"),
    **dict.fromkeys(SWITCHES, (is_bool, "true or false")),
    "overlay_alpha": (number(0, 1), "a number from 0 to 1"),
    "probabilities": (one_of("npz", "confidence", None), "npz, confidence, or null"),
    "polygons": (one_of("coco", "geojson", None), "coco, geojson, or null"),
    "polygon_tolerance": (number(0), "pixels, 0 or more"),
    "labels": (optional(is_text), "a folder of masks, or null"),
    "labels_format": (one_of(*MASK_FORMATS), f"one of {', '.join(MASK_FORMATS)}"),
    "smoothing": (lambda value: isinstance(value, dict), "keep and cut"),
    "smoothing.keep": (is_below_1, "a number from 0 to below 1"),
    "smoothing.cut": (number(0, 1), "a number from 0 to 1"),
}
OF_RUNS = {"checkpoint": "best", "weights": "ema", "device": None, "precision": None}  # and what they are unless given

OF_IMAGES: Content = {  # what a run on meshes has no use for, and what it is unless given
    **{"image_size": None, "tile": None, "overlap": 0.5, "tile_batch": "auto"},
    "tta": {"flips": [], "rotations": [], "scales": []},
    **{"masks": True, "colour": True, "overlay_alpha": 0.5, "contours": False, "probabilities": None},
    **{"polygons": None, "polygon_tolerance": 0, "labels": None, "labels_format": "index"},
    "smoothing": {"keep": 0, "cut": 0.3},
    "crf": {
        **{"iterations": 0, "smoothness_weight": 3.0, "smoothness_sigma": 3.0},
        **{"appearance_weight": 10.0, "appearance_sigma": 80.0, "color_sigma": 13.0},
    },
    **{"thresholds": None, "otherwise": None, "opening": None, "closing": None},
    **{"fill_holes": None, "largest": [], "min_area": None},
}


def faults_in_prediction(cfg: DictConfig) -> list[str]:
    """Of predict.py's options, but for those of the post-processing that depend on the classes."""
    return told_faults(cfg, _faults)


def image_options_given(content: Content) -> list[str]:
    """Names of those `OF_IMAGES` that are not what they are unless given."""
    usual = flat(OF_IMAGES)
    return [
        name for name, value in flat({name: content[name] for name in OF_IMAGES}).items() if value != usual.get(name)
    ]


def _faults(content: Content) -> Iterator[str]:
    yield from unknown_keys(content, "", {*PREDICTION_RULES, *POST_PROCESSING})
    yield from value_faults(content, PREDICTION_RULES, PREDICTION_RULES)
    for node in ("tta", "smoothing"):
        if isinstance(content.get(node), dict):
            known = {path.partition(".")[2] for path in PREDICTION_RULES if path.startswith(f"{node}.")}
            yield from unknown_keys(content[node], node, known)
    yield from _faults_together(content)


def _faults_together(content: Content) -> Iterator[str]:
    run, model, tta = (content.get(key) for key in ("run", "model", "tta"))
    if run is None and model is None:
        yield "run=FOLDER or model=FILE.onnx is needed: what train.py wrote, or what export.py made of it"
    if run is not None and model is not None:
        yield "run and model are both given: leave one out"
    if model is not None:
        given = [key for key, unless_given in OF_RUNS.items() if content.get(key) != unless_given]
        given += ["tta"] if isinstance(tta, dict) and any(tta.values()) else []
        yield from (f"{key} is for run=FOLDER: an exported file is what it is; leave it out" for key in given)
    if content.get("skip_existing") is True and content.get("overwrite") is True:
        yield "skip_existing=true goes on with what overwrite=true removes: leave one out"
