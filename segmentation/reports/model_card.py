"""A model card: what a deployed model is, what it was made of, how good it is and where that ends."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2

WEAK = 0.5  # IoU below which a class is named among the limits
HEADLINES = ("mIoU", "pixel_accuracy", "mDice", "boundary_mIoU", "ECE")


def model_card(metadata: Mapping[str, Any], record: Mapping[str, Any], made_of: Mapping[str, Any]) -> str:
    """Markdown. `metadata` is what the file says of itself, `record` what its proof found, and `made_of` has `data`,
    `samples` (by split), `licence` (None: not stated), `command` and `epochs`.

    The way of putting it follows Mitchell et al. 2019, Model Cards for Model Reporting (arXiv 1810.03993).
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).with_name("templates")),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    names = [entry["name"] for entry in metadata["classes"]]
    scores = _scores(metadata, names)
    values = {name: value for name, value, _ in scores}
    weak = [name for name in names if values.get(f"IoU of {name}", 1.0) < WEAK]
    return environment.get_template("model_card.md.j2").render(
        **made_of, about=metadata, record=record, scores=scores, weak=weak, weak_below=WEAK
    )


def _scores(metadata: Mapping[str, Any], names: list[str]) -> list[tuple[str, float, str]]:
    """Name, value and interval as text, of what is known."""
    wanted = {name: f"val/{name}" for name in HEADLINES} | {f"IoU of {name}": f"val/IoU/{name}" for name in names}
    rows = []
    for name, key in wanted.items():
        value, interval = metadata["metrics"].get(key), metadata["intervals"].get(key, (None, None))
        if value is not None:
            rows.append((name, value, "-" if interval[0] is None else f"{interval[0]:.3f} to {interval[1]:.3f}"))
    return rows
