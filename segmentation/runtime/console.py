"""What a person sees: one console that log lines, tables and progress bars share."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import StringIO
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

console = Console(highlight=False)
error_console = Console(stderr=True, highlight=False)
log = logging.getLogger("segmentation")


class ConsoleHandler(logging.Handler):
    """Prints log records above a running progress bar; warnings in yellow, errors in red and to stderr."""

    def emit(self, record: logging.LogRecord) -> None:
        style = {logging.WARNING: "yellow", logging.ERROR: "bold red"}.get(record.levelno)
        target = error_console if record.levelno >= logging.ERROR else console
        target.print(self.format(record), style=style, markup=False, soft_wrap=True)


class Bar:
    """Advances a bar on a terminal; elsewhere only `tell` shows, as a plain line."""

    def __init__(self, description: str, total: int, progress: Progress | None) -> None:
        self.description, self.total, self.done = description, total, 0
        self._progress = progress
        self._task = progress.add_task(description, total=total, told="") if progress else None

    @property
    def is_shown(self) -> bool:
        return self._progress is not None

    def advance(self, count: int = 1) -> None:
        self.done += count
        if self._progress is not None and self._task is not None:
            self._progress.advance(self._task, count)

    def tell(self, text: str) -> None:
        """Beside the bar, or as a line of its own that also says how far it is."""
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, told=text)
        else:
            log.info("%s %d/%d  %s", self.description, self.done, self.total, text)


@contextmanager
def progress_bar(description: str, total: int) -> Iterator[Bar]:
    """A bar that disappears when done; on anything but a terminal no bar at all."""
    if not console.is_terminal:
        yield Bar(description, total, None)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=28),
        MofNCompleteColumn(),
        TextColumn("{task.fields[told]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, refresh_per_second=4) as progress:
        yield Bar(description, total, progress)


def table_text(title: str, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A table as text, the first column to the left and the others to the right, for the console and train.log."""
    table = Table(title=title, title_justify="left", title_style="", show_edge=False, pad_edge=False)
    for index, name in enumerate(header):
        table.add_column(name, justify="left" if index == 0 else "right", no_wrap=True)
    for row in rows:
        table.add_row(*(cell if isinstance(cell, str) else f"{cell:.4g}" for cell in row))
    text = StringIO()
    Console(file=text, width=140, no_color=True, markup=False, emoji=False).print(table)  # names are no markup
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines())
