"""What an evaluation found, told and written: all of it from the counts that it kept."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from segmentation.apps.resampling import resampling
from segmentation.engine.record import BY_AREA, class_table
from segmentation.errors import UserError
from segmentation.metrics.kept import KeptCounts
from segmentation.metrics.scores import HEADLINES
from segmentation.metrics.summary import Summary
from segmentation.runtime.console import table_text
from segmentation.runtime.files import read_json, write_json
from segmentation.runtime.run_folder import RunFolder, read_written

log = logging.getLogger("segmentation")
FURTHER = (*BY_AREA, "boundary_mIoU", "boundary_mF1", "ECE", "AUROC", "average_precision")
SUMS = {"confusion": "confusion", "area": "area_confusion"}  # of counts over all samples, and their keys
COUNTED = ("metrics", "intervals", "resampling", *SUMS.values())
AGAIN = "evaluate the run again to write it"


def write_result(
    stem: Path, summary: Summary, about: Mapping[str, Any], scores: Mapping[str, float], samples: str
) -> None:
    """Tell the scores with their intervals and write `<stem>.json`; `about` says what was evaluated, and how, `samples`
    what images or meshes are called.

    Of `scores`, those that the evaluation had, the losses are taken, which no counts hold.
    """
    split = about["split"]
    losses = {name: value for name, value in scores.items() if name.split("/")[0] == "loss"}
    row = {f"{split}/{name}": value for name, value in {**losses, **summary.values}.items()}
    log.info("%s", class_table(row, split, summary.kept.names))
    log.info("%s", table_text(f"{split}, {about['images']} {samples}", *headline_table(summary)))
    log.info("%s", resampling(summary.kept.groups, summary.resamples, samples))
    intervals = {f"{split}/{name}": [found.low, found.high] for name, found in summary.intervals.items()}
    drawn = summary.resamples
    result = {
        **about,
        "metrics": row,
        "intervals": intervals,
        "resampling": {
            "number": summary.number,
            "seed": summary.seed,
            "blocks": drawn.blocks,
            "block_length": drawn.length,
        },
        **{SUMS[name]: counts.sum(axis=0).tolist() for name, counts in summary.kept.arrays.items() if name in SUMS},
    }
    write_json(stem.with_name(f"{stem.name}.json"), result)


def read_result(folder: RunFolder, name: str) -> tuple[dict[str, Any], dict[str, float]]:
    """What `evaluation/<name>.json` says of what was evaluated, and the scores by their names without a split."""
    had = read_written(folder.evaluation / f"{name}.json", _read_result, AGAIN)
    scores = {key.removeprefix(f"{had['split']}/"): value for key, value in had["metrics"].items()}
    return {key: value for key, value in had.items() if key not in COUNTED}, scores


def read_summary(folder: RunFolder, name: str, val: str, number: int, seed: int) -> Summary:
    """Of the counts in `evaluation/<name>.npz`; `val` is the name of the evaluation of val."""

    def read(path: Path) -> Summary:
        """Raises whatever a file makes it raise that does not hold all counts."""
        kept = KeptCounts.load(path)
        summary = Summary(kept, kept if name == val else counts_of_val(folder, val), number, seed)
        if not {"confidence", "pixels"} <= kept.arrays.keys() or not summary.values:
            raise ValueError
        return summary

    return read_written(folder.evaluation / f"{name}.npz", read, AGAIN)


def counts_of_val(folder: RunFolder, name: str) -> KeptCounts | None:
    """Those that another split is judged by; None, with a word on what is missing, where val was not evaluated."""
    path = folder.evaluation / f"{name}.npz"
    if path.is_file():
        return KeptCounts.load(path)
    log.info("there is no %s: evaluate split=val first for the temperature and, of two classes, the threshold", path)
    return None


def _read_result(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = read_json(path)
    if not {"split", "images", "metrics", "environment"} <= content.keys():
        raise ValueError
    return content


def headline_table(summary: Summary) -> tuple[list[str], list[list[str]]]:
    """Header and rows of the scores over all classes."""
    names = [name for name in (*HEADLINES, *FURTHER) if name in summary.values]
    rows = [[name, f"{summary.values[name]:.4f}", _told(summary, name)] for name in names]
    return ["score", "value", "95 % interval"], rows


def _told(summary: Summary, name: str) -> str:
    found = summary.intervals[name]
    return f"{found.low:.4f} to {found.high:.4f}" if found.low == found.low else "-"


def refuse_below(minimum: float | None, split: str, miou: float) -> None:
    if minimum is not None and not miou >= minimum:
        raise UserError(f"{split}/mIoU is {miou:.4f}, below min_mIoU={minimum}")
