"""The table of docs/models.md: every shipped model, and what of it works."""

import re

import pytest

from tests.conftest import ROOT
from tests.models.image.support import BEGIN, END, Support
from tests.models.image.test_contract import IMAGE_MODELS

PAGE = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")


def rows() -> dict[str, list[str]]:
    """What stands beside each model."""
    table = PAGE.split(BEGIN)[1].split(END)[0]
    cells = [[cell.strip() for cell in line.strip("| ").split("|")] for line in table.strip().splitlines()[2:]]
    return {name: rest for name, *rest in cells}


def test_every_model_of_the_configuration_has_a_row_and_no_other() -> None:
    assert list(rows()) == IMAGE_MODELS


def test_what_does_not_work_has_its_reason_beside_it() -> None:
    """`no` or `not tried`, then why."""
    for name, cells in rows().items():
        for cell in cells:
            assert cell == "yes" or re.fullmatch(r"(no|not tried)\W+\w.*", cell), f"{name}: {cell}"


def test_a_failure_is_noted_with_its_reason() -> None:
    noted = Support()
    with noted.noting("a", "ONNX"):
        pass
    with pytest.raises(ValueError, match="of two"), noted.noting("b", "ONNX"):
        raise ValueError("the first line\nof two | lines")
    assert noted.table().splitlines()[2:] == ["| a | yes |", "| b | no: the first line of two / lines |"]


def test_the_readme_points_there() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (anchor,) = re.findall(r"docs/models\.md#([\w-]+)", readme)
    titles = re.findall(r"^## (.+)$", PAGE, re.MULTILINE)
    assert anchor in [title.lower().replace(" ", "-") for title in titles]
