"""Figures of matplotlib, without a screen and never half written."""

from pathlib import Path
from typing import Any

from segmentation.runtime.files import write_atomically


def pyplot() -> Any:
    import matplotlib  # half a second that no other part of a run should wait for

    matplotlib.use("agg")
    from matplotlib import pyplot

    return pyplot


def save_figure(figure: Any, path: Path) -> None:
    """As PNG; the figure is closed."""
    write_atomically(path, lambda temporary: figure.savefig(temporary, format="png", dpi=110))
    pyplot().close(figure)
