"""Compare evaluated runs on the same images: is one really better, in what, and at what cost."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from segmentation.apps.compare_page import (
    Costs,
    compare_page,
    config_table,
    cost_table,
    groups_table,
    score_table,
    told,
)
from segmentation.apps.compare_pictures import pictures_of
from segmentation.apps.compared import ComparedRun, Group, config_difference, grouped, read_runs
from segmentation.apps.comparison import Comparison, compared
from segmentation.apps.config.check import faults_in_compare, raise_faults
from segmentation.runtime.console import progress_bar, table_text
from segmentation.runtime.files import read_json, write_json, write_text

log = logging.getLogger("segmentation")
PICTURED = 4  # images with a picture, of those that became better and of those that became worse
WIDEST = 40  # characters of a value on the console


def compare(cfg: DictConfig) -> list[Comparison]:
    """Compare every run (or group of seeds) with the first; tell it, and write compare.json and compare.html.

    Raises `UserError` before anything is written where the runs cannot be compared.
    """
    raise_faults(faults_in_compare(cfg))
    evaluation = cfg.split if cfg.checkpoint == "best" else f"{cfg.split}-{cfg.checkpoint}"
    runs = read_runs(list(cfg.runs), evaluation)
    groups = grouped(runs)
    comparisons = []
    with progress_bar("resampling", len(groups) - 1) as bar:
        for other in groups[1:]:
            comparisons.append(compared(groups[0], other, cfg.resamples, cfg.seed))
            bar.advance()
    costs = {run.name: _cost(run) for run in runs}
    _tell(groups, comparisons, costs)

    output = Path(cfg.output)
    pictures = [_pictures(comparison, cfg) for comparison in comparisons]
    content = {"evaluation": evaluation, "images": len(runs[0].kept.keys), "resamples": cfg.resamples, "seed": cfg.seed}
    write_json(output / "compare.json", {**content, **_as_json(groups, comparisons, costs)})
    write_text(output / "compare.html", compare_page(evaluation, groups, comparisons, costs, pictures))
    log.info("%s and compare.json", output / "compare.html")
    return comparisons


def _cost(run: ComparedRun) -> dict[str, Any]:
    """What is known of it: parameters and training from the run, the rest from its evaluation and its benchmark."""
    summary = _if_there(run.folder.summary)
    timed = _if_there(run.folder.evaluation / "benchmark.json")
    return {
        "parameters": summary.get("parameters", timed.get("parameters")),
        "training_seconds": summary.get("seconds"),
        "evaluation_seconds": run.result.get("seconds"),
        "images_per_second": run.result.get("images_per_second"),
        "latency_p50_ms": timed.get("latency", {}).get("p50"),
        "latency_of": f"{timed['image_size']} on {timed['device']}" if timed else None,
    }


def _if_there(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = read_json(path) if path.is_file() else {}
    return content


def _pictures(comparison: Comparison, cfg: DictConfig) -> list[tuple[str, Any]]:
    changes = comparison.changes()
    better = [change.key for change in changes if change.value > 0][:PICTURED]
    worse = [change.key for change in changes if change.value < 0][:PICTURED]
    pair = (comparison.baseline.runs[0], comparison.other.runs[0])
    return pictures_of(pair, [*better, *worse], cfg.device, cfg.dataset.root) if changes else []


def _tell(groups: Sequence[Group], comparisons: Sequence[Comparison], costs: Costs) -> None:
    for comparison in comparisons:
        title = f"{comparison.baseline.name} (first) and {comparison.other.name} (second)"
        log.info("%s", table_text(title, *told(score_table(comparison))))
        log.info("%s", table_text("configuration", *told(config_table(comparison, WIDEST))))
    log.info("%s", table_text("runs", *told(groups_table(groups))))
    log.info("%s", table_text("cost", *told(cost_table(groups, costs))))
    for note in dict.fromkeys(note for comparison in comparisons for note in comparison.notes()):
        log.info("%s", note)
    for comparison in comparisons:
        log.info("%s", comparison.sentence())


def _as_json(groups: Sequence[Group], comparisons: Sequence[Comparison], costs: Costs) -> dict[str, Any]:
    return {
        "groups": [
            {
                "name": group.name,
                "n": len(group.runs),
                "runs": [
                    {"name": run.name, "path": run.folder.path, "scores": run.scores, "cost": costs[run.name]}
                    for run in group.runs
                ],
                "mean": {score: group.mean(score) for score in group.runs[0].scores},
                "std": {score: group.deviation(score) for score in group.runs[0].scores},
            }
            for group in groups
        ],
        "comparisons": [
            {
                "baseline": comparison.baseline.name,
                "other": comparison.other.name,
                "sentence": comparison.sentence(),
                "beyond_noise": comparison.beyond_noise,
                "notes": comparison.notes(),
                "block_length": comparison.block_length,
                "differences": {name: found._asdict() for name, found in comparison.differences.items()},
                "images": [change._asdict() for change in comparison.changes()],
                "configuration": {
                    key: list(values)
                    for key, values in config_difference(comparison.baseline.runs[0], comparison.other.runs[0]).items()
                },
            }
            for comparison in comparisons
        ],
    }
