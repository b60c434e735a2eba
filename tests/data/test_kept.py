import logging
from pathlib import Path

import numpy as np
import pytest

from segmentation.data.kept import keep_arrays, read_arrays


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "segmentation-lab"


def test_arrays_come_back_as_they_were(cache: Path) -> None:
    arrays = {"counts": np.arange(6).reshape(2, 3), "text": np.array("ü"), "none": np.zeros((0, 2), np.uint8)}
    keep_arrays("masks-1", arrays)
    kept = read_arrays("masks-1")
    assert kept is not None
    assert kept.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(kept[name], array)
        assert kept[name].dtype == array.dtype
    assert [path.name for path in cache.iterdir()] == ["masks-1.npz"]


def test_what_is_not_there_or_damaged_is_nothing(cache: Path) -> None:
    assert read_arrays("masks-1") is None
    keep_arrays("masks-1", {"counts": np.arange(1000)})
    place = cache / "masks-1.npz"
    content = place.read_bytes()
    for damaged in (b"", b"no archive", content[:200], content[:-40]):
        place.write_bytes(damaged)
        assert read_arrays("masks-1") is None


def test_a_cache_that_cannot_be_written_is_a_warning(cache: Path, caplog: pytest.LogCaptureFixture) -> None:
    cache.write_text("a file where the folder should be")
    with caplog.at_level(logging.WARNING):
        keep_arrays("masks-1", {"counts": np.arange(3)})
    assert "could not be kept" in caplog.text
    assert read_arrays("masks-1") is None
