"""The runs of a comparison read back, in one order, with what all of them were scored on."""

from collections.abc import Container, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from segmentation.apps.comparison.compared import ComparedRun
from segmentation.apps.comparison.cost import read_cost
from segmentation.apps.comparison.refusals import refuse_other_labels, refuse_others, refuse_twice, refuse_unevaluated
from segmentation.apps.config.content import flat
from segmentation.metrics.kept import KeptCounts
from segmentation.runtime.files import read_json
from segmentation.runtime.run_folder import RunFolder, read_written

BOUNDARY = ("boundary_width", "boundary_tolerance")


def read_compared(paths: Sequence[str], evaluation: str) -> tuple[list[ComparedRun], list[str]]:
    """The runs with what `evaluation/<evaluation>.npz` and `.json` hold, the images of all in one order, and which
    scores are left out because not all of them have them alike.

    Raises `UserError` where one is given twice or was not evaluated, where they were evaluated on other classes,
    images or labels, and where a file is damaged.
    """
    folders = [RunFolder.existing(path, "runs") for path in paths]
    refuse_twice(folders)
    refuse_unevaluated(folders, evaluation)
    runs = [_read(name, folder, evaluation) for name, folder in zip(_names(folders), folders, strict=True)]
    refuse_others(runs)
    first, *others = runs
    ordered = [first, *(replace(run, kept=run.kept.in_order(first.kept.keys)) for run in others)]
    refuse_other_labels(ordered)
    left_out = _counted_otherwise(ordered)
    return [_without(run, left_out) for run in ordered], list(left_out.values())


def _read(name: str, folder: RunFolder, evaluation: str) -> ComparedRun:
    again = "evaluate the run again to write it"
    result = read_written(folder.evaluation / f"{evaluation}.json", _read_result, again)
    config = read_written(folder.config, _read_config)
    kept = KeptCounts.load(folder.evaluation / f"{evaluation}.npz")
    return ComparedRun(name, folder, evaluation, config, kept, result, read_cost(folder, result))


def _read_config(path: Path) -> dict[str, Any]:
    return flat(OmegaConf.to_container(OmegaConf.load(path)))


def _read_result(path: Path) -> dict[str, Any]:
    """Raises whatever a file makes it raise that is no result of an evaluation."""
    content: dict[str, Any] = read_json(path)
    if not isinstance(content["metrics"], dict) or not isinstance(content["checkpoint"], str):
        raise ValueError
    return content


def _names(folders: Sequence[RunFolder]) -> list[str]:
    """The last parts of their paths, as many as tell them apart."""
    parts = [folder.path.resolve().parts for folder in folders]
    depths = range(1, max(map(len, parts)) + 1)
    return next(
        names
        for depth in depths
        if len(set(names := ["/".join(path[-depth:]) for path in parts])) == len(names)  # different paths differ
    )


def _counted_otherwise(runs: Sequence[ComparedRun]) -> dict[str, str]:
    """Names of counts that cannot be compared, and why."""
    told = {}
    for name in dict.fromkeys(name for run in runs for name in run.kept.arrays):
        without = [run.name for run in runs if name not in run.kept.arrays]
        if without and name != "pixels":  # a sample, of which no score is compared
            told[name] = f"Scores of {name} are left out: {', '.join(without)} was evaluated without them."
    widths = [tuple(run.result.get(key) for key in BOUNDARY) for run in runs]
    if "boundary" in runs[0].kept.arrays and "boundary" not in told and len(set(widths)) > 1:
        of_each = ", ".join(f"{run.name}: {' and '.join(map(str, of))}" for run, of in zip(runs, widths, strict=True))
        told["boundary"] = f"Scores of boundary are left out: width and tolerance differ ({of_each})."
    return told


def _without(run: ComparedRun, names: Container[str]) -> ComparedRun:
    arrays = {name: array for name, array in run.kept.arrays.items() if name not in names}
    return replace(run, kept=replace(run.kept, arrays=arrays))
