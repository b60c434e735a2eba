"""What run folders say of their runs: how far they are, which options they were given, what came out."""

import math
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from segmentation.apps.config.content import flat, shown
from segmentation.errors import UserError
from segmentation.reports.runs import Value
from segmentation.runtime.console import progress_bar
from segmentation.runtime.files import read_json
from segmentation.runtime.run_folder import RunFolder, read_written

DONE = ("all steps done", "early stopping")  # how the loop says that it came to its end
SILENT_FROM = 600  # seconds without a sign of life from which a run that did not end may not be running any more
SCORES = ("val/mIoU", "val/loss", "val/pixel_accuracy")
NO_OPTIONS = ("experiment_name", "trainer.resume")  # where a run goes, not what it is


@dataclass(frozen=True)
class Run:
    """`config` and `choices` are all options and the choice of each group; `given` those that the command named with
    their text, None where there is no record of them. `monitor` is the score it is judged by, `mode` is max or min.
    """

    folder: Path
    state: str
    config: Mapping[str, Any]
    choices: Mapping[str, str]
    given: Mapping[str, str] | None
    monitor: str
    mode: str
    scores: Mapping[str, float | None]
    history: Sequence[Mapping[str, Any]]

    def option(self, name: str) -> Value:
        """Its value, as the command told it where it did: `enet` and not the weights that it came to. None where there
        is no such option.
        """
        value = self.config.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return value
        if name in (self.given or {}):
            return (self.given or {})[name].replace(" ", "")
        if name in self.choices:
            return self.choices[name]
        return shown(value).replace(" ", "") if name in self.config else None


def run_folders(path: Path) -> list[Path]:
    """The folder itself, or those in it where it holds runs; none of a file, such as lie beside runs."""
    if path.is_file():
        return []
    within = sorted((folder for folder in path.glob("[!.]*") if folder.is_dir()), key=_in_order)
    holds_runs = any((folder / "config.yaml").is_file() for folder in within)
    return within if holds_runs and not (path / "config.yaml").is_file() else [path]


def _in_order(path: Path) -> tuple[int, str]:
    """The jobs of a sweep are numbered."""
    return (int(path.name) if path.name.isdecimal() else sys.maxsize, path.name)


def read_runs(folders: Sequence[Path]) -> tuple[list[Run], list[str]]:
    """The runs that can be read, and what is wrong with the others."""
    runs, faults = [], []
    with progress_bar("reading the runs", len(folders)) as bar:
        for folder in folders:
            try:
                runs.append(read_run(RunFolder.existing(folder, "RUNS")))
            except UserError as error:
                faults.append(str(error))
            bar.advance()
    return runs, faults


def read_run(folder: RunFolder) -> Run:
    """Raises `UserError` where a file that every run has is missing or damaged."""
    config = read_written(folder.config, _read_options)
    history = read_written(folder.history, _read_history)
    summary = read_written(folder.summary, _read_summary) if folder.summary.is_file() else {}
    monitor = summary.get("monitor") or config.get("trainer.monitor") or "val/mIoU"
    mode = config.get("trainer.monitor_mode") if monitor == config.get("trainer.monitor") else None
    mode = mode or ("min" if "loss" in monitor else "max")
    return Run(
        folder.path,
        _state(folder, summary),
        config,
        _choices(folder.hydra / "hydra.yaml"),
        _given(folder.hydra / "overrides.yaml"),
        monitor,
        mode,
        _scores(folder, history, monitor, mode),
        history,
    )


def _read_options(path: Path) -> dict[str, Any]:
    return flat(OmegaConf.to_container(OmegaConf.load(path), resolve=True))


def _read_summary(path: Path) -> dict[str, Any]:
    """Raises whatever a file makes it raise that is no summary of a run."""
    summary = dict(read_json(path))
    if not isinstance(summary.get("monitor", ""), str):
        raise TypeError
    return summary


def _read_history(path: Path) -> list[dict[str, Any]]:
    """Raises whatever a file makes it raise that holds no rows of epochs."""
    rows = read_json(path)
    return [{**row, "epoch": int(row["epoch"])} for row in rows]


def _state(folder: RunFolder, summary: Mapping[str, Any]) -> str:
    """A summary that is older than the last event is of the run that was gone on with."""
    last_sign = max((path.stat().st_mtime for path in (folder.events, folder.history) if path.is_file()), default=0.0)
    if summary and folder.summary.stat().st_mtime >= last_sign:
        ended = str(summary.get("ended"))
        if ended in DONE:
            return "finished"
        return ended if ended == "interrupted" else f"failed: {ended}"
    if time.time() - last_sign < SILENT_FROM:
        return "running"
    return f"silent since {datetime.fromtimestamp(last_sign):%Y-%m-%d %H:%M}"


def _choices(path: Path) -> dict[str, str]:
    """Of each group of the configuration; nothing where it was not Hydra that started the run."""
    return read_written(path, _read_choices) if path.is_file() else {}


def _read_choices(path: Path) -> dict[str, str]:
    content: Any = OmegaConf.load(path)
    return {name: choice for name, choice in content.hydra.runtime.choices.items() if isinstance(choice, str)}


def _given(path: Path) -> dict[str, str] | None:
    """`key=value`, `+key=value` and `~key`, as the command had them; the last of one key counts."""
    if not path.is_file():
        return None
    pairs = [str(word).lstrip("+~").partition("=") for word in read_written(path, OmegaConf.load)]
    return {key: value for key, _, value in pairs if key not in NO_OPTIONS}


def _scores(
    folder: RunFolder, history: Sequence[Mapping[str, Any]], monitor: str, mode: str
) -> dict[str, float | None]:
    """At the best epoch, and what evaluate.py found for it."""
    judged = [row for row in history if _is_number(row.get(monitor))]
    best = (min if mode == "min" else max)(judged, key=lambda row: row[monitor]) if judged else {}
    evaluation = folder.evaluation / "val.json"
    evaluated = read_written(evaluation, _read_miou) if evaluation.is_file() else None
    seconds = [row["epoch_seconds"] for row in history if _is_number(row.get("epoch_seconds"))]
    return {
        **{name: best.get(name) for name in (monitor, *SCORES)},
        "evaluated val/mIoU": evaluated,
        "best epoch": best.get("epoch"),
        "epochs": len(history),
        "minutes": round(sum(seconds) / 60, 1),
    }


def _read_miou(path: Path) -> float | None:
    value = read_json(path)["metrics"]["val/mIoU"]
    return None if value is None else float(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def differing_options(runs: Sequence[Run]) -> tuple[list[str], list[str]]:
    """Names of those that are not the same in all runs, and `name=value` of those that their commands had in common.

    Of what the commands named, or of the whole configuration where that is not known of every run.
    """
    given = [run.given for run in runs if run.given is not None]
    if len(given) == len(runs):
        names = list(dict.fromkeys(name for options in given for name in options))
    else:
        names = sorted({name for run in runs for name in run.config if name not in NO_OPTIONS})
    same = [name for name in names if len(runs) > 1 and len({str(run.option(name)) for run in runs}) == 1]
    told = [f"{name}={runs[0].option(name)}" for name in same] if len(given) == len(runs) else []
    return [name for name in names if name not in same], told
