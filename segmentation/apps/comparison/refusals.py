"""What cannot be compared: runs given twice, not evaluated, or scored on other classes, images or labels."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from segmentation.apps.comparison.compared import ComparedRun
from segmentation.errors import UserError, gathered
from segmentation.runtime.run_folder import RunFolder

FEW = 3  # names that a message gives


def refuse_twice(folders: Sequence[RunFolder]) -> None:
    seen: set[Path] = set()
    for folder in folders:
        if (path := folder.path.resolve()) in seen:
            raise UserError(f"{folder.path} is named twice in runs: name each run once")
        seen.add(path)


def refuse_unevaluated(folders: Sequence[RunFolder], evaluation: str) -> None:
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


def refuse_others(runs: Sequence[ComparedRun]) -> None:
    first = runs[0]
    for run in runs[1:]:
        if run.kept.names != first.kept.names:
            raise UserError(f"the runs have other classes: {_told(first, run, first.kept.names, run.kept.names)}")
        if set(run.kept.keys) != set(first.kept.keys):
            told = _told(first, run, first.kept.keys, run.kept.keys)
            raise UserError(
                f"the runs were evaluated on other {first.words.samples}: {told}; evaluate both on the same data"
            )


def _told(a: ComparedRun, b: ComparedRun, of_a: Sequence[str], of_b: Sequence[str]) -> str:
    only = [
        f"{len(names)} only in {run.name} ({', '.join(names[:FEW])}{', ...' if len(names) > FEW else ''})"
        for run, own, others in ((a, of_a, of_b), (b, of_b, of_a))
        if (names := [name for name in own if name not in set(others)])
    ]
    both = f"{len(set(of_a) & set(of_b))} in both"
    return ", ".join([*only, both]) if only else f"{a.name} and {b.name} have the same in another order"


def refuse_other_labels(runs: Sequence[ComparedRun]) -> None:
    """The labelled pixels of each class in each image are those of the data, whatever was predicted."""
    first = runs[0]
    for run in runs[1:]:
        differ = np.flatnonzero((run.counts.truth != first.counts.truth).any(axis=1))
        if len(differ):
            keys = ", ".join(first.kept.keys[place] for place in differ[:FEW])
            raise UserError(
                f"the labels of {len(differ)} {first.words.samples} are not those that {first.name} was scored on "
                f"({keys}): evaluate {first.name} and {run.name} again"
            )
