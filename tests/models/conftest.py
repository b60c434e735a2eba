import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def scratch(tmp_path: Path) -> Iterator[Path]:
    """A folder for files of weights, which are too large to be left for later as pytest leaves its folders."""
    yield tmp_path
    shutil.rmtree(tmp_path)
