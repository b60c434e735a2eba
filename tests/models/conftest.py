import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.models.image.support import Support


@pytest.fixture
def scratch(tmp_path: Path) -> Iterator[Path]:
    """A folder for files of weights, which are too large to be left for later as pytest leaves its folders."""
    yield tmp_path
    shutil.rmtree(tmp_path)


@pytest.fixture(scope="session")
def support() -> Iterator[Support]:
    """Written to the page that SUPPORT_PAGE names, as `make contract` does."""
    noted = Support()
    yield noted
    if "SUPPORT_PAGE" in os.environ:
        noted.write(Path(os.environ["SUPPORT_PAGE"]))
