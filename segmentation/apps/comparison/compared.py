"""The runs of a comparison, grouped by seed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from segmentation.apps.config.content import flat
from segmentation.apps.runs.records import NO_OPTIONS
from segmentation.build.kinds import Kind, kind_for
from segmentation.metrics.kept import KeptCounts
from segmentation.metrics.kept_scores import kept_scores
from segmentation.metrics.scores import Counts, scores_from
from segmentation.reports.words import Words
from segmentation.runtime.run_folder import RunFolder

# Runs that differ in these alone are seeds of one. The split follows the seed; other images of val are refused anyway.
NOT_THE_EXPERIMENT = {"seed", "dataset.split_seed", *NO_OPTIONS}
ASKED = ("weights", "image_size", "tile", "overlap", "tta")  # how a run was evaluated
FOUND = ("epoch", "precision", "root", "boundary_width", "boundary_tolerance")  # seeds may differ in these


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

    @property
    def kind(self) -> Kind:
        return kind_for({"_target_": self.config.get("dataset._target_")})

    @property
    def words(self) -> Words:
        return self.kind.WORDS

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
