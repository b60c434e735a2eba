"""The table of docs/models.md: every shipped model, and what of it works."""

import re

from segmentation.apps.models import BEGIN, END
from tests.conftest import ROOT
from tests.models.image.test_contract import IMAGE_MODELS

PAGE = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
TABLE, BELOW = PAGE.split(BEGIN)[1].split(END)


def lines() -> list[list[str]]:
    """The cells of the header and of each model."""
    rows = [[cell.strip() for cell in line.strip("| ").split("|")] for line in TABLE.strip().splitlines()]
    return [rows[0], *rows[2:]]


def test_every_model_of_the_configuration_has_a_row_and_no_other() -> None:
    assert [name for name, *_ in lines()[1:]] == IMAGE_MODELS


def test_everything_was_tried_and_what_does_not_work_is_explained() -> None:
    """What a column says no to has its reason below the table."""
    (_, *columns), *rows = lines()
    for name, *cells in rows:
        for column, cell in zip(columns, cells, strict=True):
            assert cell in ("yes", "no"), f"{name}, {column}"
            assert cell == "yes" or f"Where `{column.split(',')[0]}` says no, " in BELOW, column


def test_the_readme_points_there() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    anchors = re.findall(r"docs/models\.md#([\w-]+)", readme)
    titles = re.findall(r"^## (.+)$", PAGE, re.MULTILINE)
    assert "what-is-known-to-work" in anchors
    assert set(anchors) <= {title.lower().replace(" ", "-") for title in titles}
