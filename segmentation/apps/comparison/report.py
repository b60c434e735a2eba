"""python -m segmentation.apps.comparison.report RUNS... [output=FILE]: one page over many runs, or over a sweep."""

import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from segmentation.apps.runs.records import Run, differing_options, read_runs, run_folders
from segmentation.errors import UserError, gathered
from segmentation.reports.runs import RunFacts, runs_page
from segmentation.runtime.console import ConsoleHandler
from segmentation.runtime.files import write_text

log = logging.getLogger("segmentation")


def report(paths: Sequence[Path], output: Path | None) -> Path:
    """Read the runs, write their page and return where it is.

    `paths` are run folders, or folders that hold them; what cannot be read is told and left out. Raises `UserError`
    where no run can be read, and where the runs lie in several folders and no `output` is named.
    """
    folders = list({folder.resolve(): folder for path in paths for folder in run_folders(path)}.values())
    if not folders:
        raise UserError('no runs were named: make report RUNS="outputs/default/*", or the folder of a sweep')
    runs, faults = read_runs(folders)
    for fault in faults:
        log.warning("left out: %s", fault)
    if not runs:
        raise gathered(f"none of {len(folders)} folders can be read as a run", faults)
    output = output or _beside(runs)
    write_text(output, page_of(runs, faults))
    log.info("%d runs -> %s", len(runs), output)
    return output


def page_of(runs: Sequence[Run], faults: Sequence[str]) -> str:
    """HTML. The runs are judged by what the first of them is judged by."""
    common = Path(os.path.commonpath([run.folder.resolve().parent for run in runs]))
    options, shared = differing_options(runs)
    told = dict.fromkeys(name for run in runs for name, value in run.scores.items() if value is not None)
    scores = dict.fromkeys([runs[0].monitor, *told])
    facts = [
        RunFacts(
            run.folder.resolve().relative_to(common).as_posix(),
            run.state,
            {name: run.option(name) for name in options},
            {name: run.scores.get(name) for name in scores},
            run.history,
        )
        for run in runs
    ]
    return runs_page(f"Runs of {common.name}", facts, runs[0].monitor, runs[0].mode, shared, faults)


def _beside(runs: Sequence[Run]) -> Path:
    parents = {run.folder.resolve().parent for run in runs}
    if len(parents) > 1:
        raise UserError(f"the runs lie in {len(parents)} folders: say where the page is to go with output=FILE.html")
    return parents.pop() / "report.html"


def told_apart(words: Sequence[str]) -> tuple[list[Path], Path | None]:
    """The runs and the output. Raises `UserError` for another option and for an output without a name."""
    options = [word for word in words if "=" in word and not Path(word).exists()]
    for option in options:
        name, _, value = option.partition("=")
        if name != "output":
            raise UserError(f"{option}: the only option is output=FILE.html; all other words are folders of runs")
        if not value or Path(value).is_dir():
            raise UserError(f"{option}: expected the file that the page is to go to, such as output=report.html")
    paths = [Path(word) for word in words if word not in options]
    return paths, Path(options[-1].partition("=")[2]) if options else None


def main(arguments: Sequence[str]) -> None:
    log.addHandler(ConsoleHandler())
    log.setLevel(logging.INFO)
    try:
        report(*told_apart(arguments))
    except (UserError, OSError) as error:
        log.error("error: %s", error)
        sys.exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
