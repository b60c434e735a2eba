"""What a compared run cost: parameters, and time in training, in evaluation and for one image."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from segmentation.runtime.files import read_json
from segmentation.runtime.run_folder import RunFolder, read_written

COSTS = {
    "parameters": "parameters",
    "training_seconds": "training, s",
    "evaluation_seconds": "evaluation, s",
    "images_per_second": "evaluation, images/s",
    "latency_p50_ms": "latency (median), ms",
}


def read_cost(folder: RunFolder, result: Mapping[str, Any]) -> dict[str, Any]:
    """Each of `COSTS`, None where it is not known: parameters and training from the run, the rest from its
    evaluation's `result` and its benchmark; `latency_of` says what that was measured with.

    Raises `UserError` where a file is damaged.
    """
    summary = read_written(folder.summary, _read_object) if folder.summary.is_file() else {}
    path = folder.evaluation / "benchmark.json"
    measured = read_written(path, _read_benchmark, _how_to_time(folder)) if path.is_file() else {}
    return {
        "parameters": _number(summary.get("parameters", measured.get("parameters"))),
        "training_seconds": _number(summary.get("seconds")),
        "evaluation_seconds": _number(result.get("seconds")),
        "images_per_second": _number(result.get("images_per_second")),
        "latency_p50_ms": measured.get("latency_p50_ms"),
        "latency_of": measured.get("latency_of"),
    }


def cost_ratio(first: Mapping[str, Any], second: Mapping[str, Any], cost: str) -> float | None:
    """Second / first; None where one is not known, or where latencies were measured otherwise."""
    if cost == "latency_p50_ms" and first["latency_of"] != second["latency_of"]:
        return None
    before, after = first[cost], second[cost]
    return after / before if before and after is not None else None


def cost_notes(name: str, folder: RunFolder, cost: Mapping[str, Any]) -> str:
    """What the latency is of, or how to measure it."""
    return f"{name}: latency of {cost['latency_of']}." if cost["latency_of"] else f"{name}: {_how_to_time(folder)}."


def _how_to_time(folder: RunFolder) -> str:
    return f"python evaluate.py run={folder.path} benchmark=true measures its latency"


def _read_object(path: Path) -> dict[str, Any]:
    return dict(read_json(path))


def _read_benchmark(path: Path) -> dict[str, Any]:
    """Raises whatever a file makes it raise that is no benchmark."""
    content = read_json(path)
    height, width = content["image_size"]
    return {
        "parameters": content["parameters"],
        "latency_p50_ms": float(content["latency"]["p50"]),
        "latency_of": f"one image of {height} x {width} on {content['device']}",
    }


def _number(value: Any) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
