"""The runs of a comparison: read back, refused where they cannot be compared, and grouped by seed."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import OmegaConf

from segmentation.apps.compare_cost import read_cost
from segmentation.apps.config.content import flat
from segmentation.apps.runs import NO_OPTIONS
from segmentation.errors import UserError, gathered
from segmentation.metrics.kept import KeptCounts
from segmentation.metrics.kept_scores import kept_scores
from segmentation.metrics.scores import Counts, scores_from
from segmentation.runtime.files import read_json
from segmentation.runtime.run_folder import RunFolder, read_written

# Runs that differ in these alone are seeds of one. The split follows the seed; other images of val are refused anyway.
NOT_THE_EXPERIMENT = {"seed", "dataset.split_seed", *NO_OPTIONS}
ASKED = ("weights", "image_size", "tile", "overlap", "tta")  # how a run was evaluated
FOUND = ("epoch", "precision", "root", "boundary_width", "boundary_tolerance")  # seeds may differ in these
BOUNDARY = ("boundary_width", "boundary_tolerance")
FEW = 3  # names that a message gives


@dataclass(frozen=True)
class ComparedRun:
    """A run with what its `evaluation` (`val`, `test-last`) kept: `config` by dotted key, `result` the evaluation's
    JSON, `cost` that of `read_cost`.
    """

    name: str
    folder: RunFolder
    evaluation: str
    config: Mapping[str, Any]
    kept: KeptCounts
    result: Mapping[str, Any]
    cost: Mapping[str, Any]

    @cached_property
    def counts(self) -> Counts:
        return Counts.of(self.kept.arrays["confusion"])

    @cached_property
    def scores(self) -> dict[str, float]:
        return {name: float(value) for name, value in kept_scores(self.kept).items()}

    @cached_property
    def checkpoint(self) -> str:
        """What was evaluated: the name of its own checkpoint, or the path of another run's, which is in the
        evaluation's name.
        """
        path = Path(self.result["checkpoint"])
        other = path.parent.parent.name
        return str(path) if other and f"-{other}-{path.stem}" in self.evaluation else path.stem

    @cached_property
    def experiment(self) -> dict[str, Any]:
        """What seeds of one configuration have in common."""
        own = {key: value for key, value in self.config.items() if key not in NOT_THE_EXPERIMENT}
        return own | self._evaluated(ASKED) | {"evaluation.checkpoint": self.checkpoint}

    @cached_property
    def options(self) -> dict[str, Any]:
        """All that may differ: the configuration, and how it was evaluated as `evaluation.*`."""
        return {**self.config, **self.experiment, **self._evaluated(FOUND)}

    def _evaluated(self, keys: Sequence[str]) -> dict[str, Any]:
        return flat({"evaluation": {key: self.result.get(key) for key in keys}})

    @cached_property
    def accuracies(self) -> np.ndarray:
        """The pixel accuracy of each image `[N]`; NaN where nothing is labelled."""
        return scores_from(self.counts, self.kept.names)["pixel_accuracy"]


@dataclass(frozen=True)
class Group:
    """Runs of one configuration with different seeds; mostly one."""

    runs: Sequence[ComparedRun]

    @property
    def name(self) -> str:
        others = f" and {len(self.runs) - 1} more seeds" if len(self.runs) > 2 else " and another seed"
        return self.runs[0].name + (others if len(self.runs) > 1 else "")

    def mean(self, score: str) -> float:
        return float(np.mean([run.scores[score] for run in self.runs]))

    def deviation(self, score: str) -> float:
        """The standard deviation over seeds, estimated from these; NaN for one."""
        return float(np.std([run.scores[score] for run in self.runs], ddof=1)) if len(self.runs) > 1 else float("nan")

    @property
    def accuracies(self) -> np.ndarray:
        """The mean pixel accuracy of each image `[N]`."""
        return np.mean([run.accuracies for run in self.runs], axis=0)


def read_compared(paths: Sequence[str], evaluation: str) -> tuple[list[ComparedRun], list[str]]:
    """The runs with what `evaluation/<evaluation>.npz` and `.json` hold, the images of all in one order, and which
    scores are left out because not all of them have them alike.

    Raises `UserError` where one is given twice or was not evaluated, where they were evaluated on other classes,
    images or labels, and where a file is damaged.
    """
    folders = [RunFolder.existing(path, "runs") for path in paths]
    _refuse_twice(folders)
    _refuse_unevaluated(folders, evaluation)
    runs = [_read(name, folder, evaluation) for name, folder in zip(_names(folders), folders, strict=True)]
    _refuse_others(runs)
    first, *others = runs
    ordered = [first, *(replace(run, kept=run.kept.in_order(first.kept.keys)) for run in others)]
    _refuse_other_labels(ordered)
    left_out = _counted_otherwise(ordered)
    return [_without(run, left_out) for run in ordered], list(left_out.values())


def grouped(runs: Sequence[ComparedRun]) -> list[Group]:
    """Runs whose configurations differ in nothing but the seed are one group, in the order of the first of each."""
    groups: list[list[ComparedRun]] = []
    for run in runs:
        of_it = next((group for group in groups if group[0].experiment == run.experiment), None)
        if of_it is None:
            groups.append([run])
        else:
            of_it.append(run)
    return [Group(members) for members in groups]


def compared_groups(groups: Sequence[Group]) -> list[Group]:
    """The first is what the others are compared with: of seeds of one configuration alone, each by itself."""
    return list(groups) if len(groups) > 1 else [Group([run]) for run in groups[0].runs]


def config_difference(a: ComparedRun, b: ComparedRun) -> dict[str, tuple[Any, Any]]:
    """What each has under the keys whose values differ; None stands for what one does not have."""
    return {
        key: (a.options.get(key), b.options.get(key))
        for key in sorted(a.options.keys() | b.options.keys())
        if a.options.get(key) != b.options.get(key)
    }


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


def _refuse_twice(folders: Sequence[RunFolder]) -> None:
    seen: set[Path] = set()
    for folder in folders:
        if (path := folder.path.resolve()) in seen:
            raise UserError(f"{folder.path} is named twice in runs: name each run once")
        seen.add(path)


def _refuse_unevaluated(folders: Sequence[RunFolder], evaluation: str) -> None:
    faults = [_unevaluated(folder, evaluation) for folder in folders if not _kept(folder, evaluation).is_file()]
    if len(faults) == 1:
        raise UserError(faults[0])
    if faults:
        raise gathered(f"{len(faults)} of the runs have no evaluation/{evaluation}.npz", faults)


def _kept(folder: RunFolder, evaluation: str) -> Path:
    return folder.evaluation / f"{evaluation}.npz"


def _unevaluated(folder: RunFolder, evaluation: str) -> str:
    split, _, choices = evaluation.partition("-")
    present = ", ".join(sorted(path.stem for path in folder.evaluation.glob("*.npz")))
    choice = f", with the choices of {choices}," if choices else ""
    there = f"; there is {present}" if present else ""
    return (
        f"{_kept(folder, evaluation)} is missing: python evaluate.py run={folder.path} split={split}{choice} writes it"
        f"{there}"
    )


def _refuse_others(runs: Sequence[ComparedRun]) -> None:
    first = runs[0]
    for run in runs[1:]:
        if run.kept.names != first.kept.names:
            raise UserError(f"the runs have other classes: {_told(first, run, first.kept.names, run.kept.names)}")
        if set(run.kept.keys) != set(first.kept.keys):
            told = _told(first, run, first.kept.keys, run.kept.keys)
            raise UserError(f"the runs were evaluated on other images: {told}; evaluate both on the same data")


def _told(a: ComparedRun, b: ComparedRun, of_a: Sequence[str], of_b: Sequence[str]) -> str:
    only = [
        f"{len(names)} only in {run.name} ({', '.join(names[:FEW])}{', ...' if len(names) > FEW else ''})"
        for run, own, others in ((a, of_a, of_b), (b, of_b, of_a))
        if (names := [name for name in own if name not in set(others)])
    ]
    both = f"{len(set(of_a) & set(of_b))} in both"
    return ", ".join([*only, both]) if only else f"{a.name} and {b.name} have the same in another order"


def _refuse_other_labels(runs: Sequence[ComparedRun]) -> None:
    """The labelled pixels of each class in each image are those of the data, whatever was predicted."""
    first = runs[0]
    for run in runs[1:]:
        differ = np.flatnonzero((run.counts.truth != first.counts.truth).any(axis=1))
        if len(differ):
            keys = ", ".join(first.kept.keys[place] for place in differ[:FEW])
            raise UserError(
                f"the labels of {len(differ)} images are not those that {first.name} was scored on ({keys}): "
                f"evaluate {first.name} and {run.name} again"
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
