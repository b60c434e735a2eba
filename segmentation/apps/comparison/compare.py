"""Compare evaluated runs on the same images: is one really better, in what, and at what cost."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from segmentation.apps.comparison.compared import Group, compared_groups, config_difference, grouped
from segmentation.apps.comparison.cost import COSTS, cost_ratio
from segmentation.apps.comparison.difference import Comparison, compared, notes_on_all
from segmentation.apps.comparison.page import (
    compare_page,
    config_table,
    cost_table,
    groups_table,
    latency_notes,
    score_names,
    score_table,
    told,
)
from segmentation.apps.comparison.pictures import pictures_of
from segmentation.apps.comparison.read import read_compared
from segmentation.apps.config.check import faults_in_compare
from segmentation.apps.config.faults import raise_faults
from segmentation.runtime.console import progress_bar, table_text
from segmentation.runtime.files import write_json, write_text

log = logging.getLogger("segmentation")
PICTURED = 4  # images with a picture, of those that became better and of those that became worse
WIDEST = 40  # characters of a value on the console


def compare(cfg: DictConfig) -> list[Comparison]:
    """Compare every run (or group of seeds) with the first; tell it, and write compare.json and compare.html.

    Raises `UserError` before anything is written where the runs cannot be compared.
    """
    raise_faults(faults_in_compare(cfg))
    evaluation = cfg.split if cfg.checkpoint == "best" else f"{cfg.split}-{cfg.checkpoint}"
    runs, left_out = read_compared([str(run) for run in cfg.runs], evaluation)
    groups = grouped(runs)
    baseline, *others = compared_groups(groups)
    comparisons = []
    with progress_bar("resampling", len(others)) as bar:
        for other in others:
            comparisons.append(compared(baseline, other, cfg.resamples, cfg.seed))
            bar.advance()
    notes = [*notes_on_all(comparisons), *left_out]
    _tell(groups, comparisons, notes)

    output = Path(cfg.output)
    about = {"evaluation": evaluation, "images": len(runs[0].kept.keys), "resamples": cfg.resamples, "seed": cfg.seed}
    write_json(output / "compare.json", {**about, "notes": notes, **_as_json(groups, comparisons)})
    pictures = pictures_of([_pictured(comparison) for comparison in comparisons], cfg.device, cfg.dataset.root)
    write_text(output / "compare.html", compare_page(evaluation, groups, comparisons, pictures, notes))
    log.info("%s and compare.json", output / "compare.html")
    return comparisons


def _pictured(comparison: Comparison) -> Any:
    """The first run of each group, and the keys of the images."""
    better = [change.key for change in comparison.changes if change.value > 0][:PICTURED]
    worse = [change.key for change in comparison.changes if change.value < 0][:PICTURED]
    return comparison.baseline.runs[0], comparison.other.runs[0], [*better, *worse]


def _tell(groups: Sequence[Group], comparisons: Sequence[Comparison], notes: Sequence[str]) -> None:
    for comparison in comparisons:
        title = f"{comparison.baseline.name} (first) and {comparison.other.name} (second)"
        over_classes, by_class = score_names(comparison)
        names = [*over_classes, *(name for name in by_class if name.startswith(("IoU/", "area_IoU/")))]
        log.info("%s", table_text(title, *told(score_table(comparison, names))))
        log.info("%s", table_text("what differs", *told(config_table(comparison, WIDEST))))
        log.info("%s", table_text("cost", *told(cost_table(comparison))))
        for note in latency_notes(comparison):
            log.info("%s", note)
    log.info("%s", table_text("runs", *told(groups_table(groups))))
    for note in notes:
        log.info("%s", note)
    for comparison in comparisons:
        log.info("%s", comparison.sentence())


def _as_json(groups: Sequence[Group], comparisons: Sequence[Comparison]) -> dict[str, Any]:
    return {
        "groups": [
            {
                "name": group.name,
                "n": len(group.runs),
                "runs": [
                    {"name": run.name, "path": run.folder.path, "scores": run.scores, "cost": run.cost}
                    for run in group.runs
                ],
                "mean": {score: group.mean(score) for score in group.runs[0].scores},
                "std": {score: group.deviation(score) for score in group.runs[0].scores},
            }
            for group in groups
        ],
        "comparisons": [_comparison_as_json(comparison) for comparison in comparisons],
    }


def _comparison_as_json(comparison: Comparison) -> dict[str, Any]:
    first, second = comparison.baseline.runs[0], comparison.other.runs[0]
    return {
        "baseline": comparison.baseline.name,
        "other": comparison.other.name,
        "sentence": comparison.sentence(),
        "beyond_noise": comparison.beyond_noise,
        "notes": comparison.notes(),
        "block_length": comparison.resamples.length,
        "differences": {
            name: {**found._asdict(), "better": comparison.better_share(name)}
            for name, found in comparison.differences.items()
        },
        "cost_ratios": {cost: cost_ratio(first.cost, second.cost, cost) for cost in COSTS},
        "images": [change._asdict() for change in comparison.changes],
        "configuration": {key: list(values) for key, values in config_difference(first, second).items()},
    }
