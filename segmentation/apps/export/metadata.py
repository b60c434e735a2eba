"""What an exported file says of itself: enough to use it, and to know where it comes from."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from omegaconf import DictConfig

from segmentation.apps.runs.opened import Trained
from segmentation.build.images import image_size
from segmentation.classes import Classes
from segmentation.inference.deployed import Deployed
from segmentation.inference.exported import INPUT
from segmentation.metrics.calibration import confidence_for
from segmentation.metrics.kept import KeptCounts
from segmentation.runtime.files import jsonable, read_json
from segmentation.runtime.run_folder import RunFolder, read_written

SURE = 0.95  # of the pixels with the recommended confidence are right


def metadata_of(
    folder: RunFolder, run: DictConfig, trained: Trained, deployed: Deployed, classes: Classes, precision: str
) -> dict[str, Any]:
    """Plain values for JSON. `confidence` is the probability of the predicted class from which on 95 % of the pixels
    are right, None for a checkpoint that was not evaluated on val or is never so sure.
    """
    environment = read_written(folder.environment, read_json)
    evaluation = _evaluation(folder, trained)
    size = image_size(run.dataset)
    metadata = {
        "classes": classes.to_entries(),
        "ignore_index": classes.ignore_index,
        "input": {
            "name": INPUT,
            "layout": deployed.layout,
            "dtype": "uint8" if deployed.max_value is None else "float32",
            "white": 255 if deployed.max_value is None else deployed.max_value,
            "bands": int(run.dataset.in_channels),
            "size_in_training": None if size is None else list(size),
        },
        "outputs": deployed.output_names,
        "thresholds": {name: least for name, least in zip(classes.names, deployed.thresholds, strict=False) if least},
        "otherwise": deployed.otherwise if deployed.thresholds else None,
        "precision": precision,
        "confidence": _confidence(folder) if evaluation else None,
        "metrics": evaluation["metrics"] if evaluation else _of_training(trained),
        "intervals": evaluation["intervals"] if evaluation else {},
        "run": run.experiment_name,
        "checkpoint": trained.path.stem,
        "epoch": trained.epoch,
        "weights": trained.weights,
        "git": environment.get("git"),
    }
    plain: dict[str, Any] = jsonable(metadata)
    return plain


def _evaluation(folder: RunFolder, trained: Trained) -> Mapping[str, Any] | None:
    """What evaluate.py found for the same weights, on whole images of val as they are; None where it was not asked."""
    path = folder.evaluation / "val.json"
    if not path.is_file():
        return None
    content: Mapping[str, Any] = read_written(path, read_json, "evaluate the run again to write it")
    same = (trained.path == folder.checkpoint("best"), content["epoch"], content["weights"])
    return content if same == (True, trained.epoch, trained.weights) else None


def _of_training(trained: Trained) -> dict[str, float]:
    """What validation found when the checkpoint was written."""
    history = trained.content["progress"]["history"] if "progress" in trained.content else []
    return {name: value for name, value in (history[-1] if history else {}).items() if name.startswith("val/")}


def _confidence(folder: RunFolder) -> float | None:
    counts = KeptCounts.load(folder.evaluation / "val.npz").arrays.get("confidence")
    found = np.nan if counts is None else confidence_for(counts.sum(axis=0), SURE)
    return None if np.isnan(found) else round(found, 4)
