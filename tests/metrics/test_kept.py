from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from segmentation.errors import UserError
from segmentation.metrics.kept import KeptCounts

KEYS = ("Video_2/frame_9", "Video_2/frame_10", "Video_1/frame_1", "straße")


@pytest.fixture
def kept() -> KeptCounts:
    random = np.random.default_rng(0)
    bins = random.random((4, 15), dtype=np.float32)
    arrays: dict[str, np.ndarray] = {"confusion": random.integers(0, 2**40, (4, 3, 3)), "bins": bins}
    return KeptCounts(KEYS, ("Video_2", "Video_2", "Video_1", "straße"), ("road", "car", "sky"), arrays)


def same(first: KeptCounts, second: KeptCounts) -> bool:
    """In every label, and every number and type to the bit."""
    labels = (first.keys, first.groups, first.names) == (second.keys, second.groups, second.names)
    return (
        labels
        and list(first.arrays) == list(second.arrays)
        and all(
            array.dtype == second.arrays[name].dtype and np.array_equal(array, second.arrays[name])
            for name, array in first.arrays.items()
        )
    )


def test_what_was_saved_is_loaded(kept: KeptCounts, tmp_path: Path) -> None:
    path = tmp_path / "evaluation" / "val.npz"
    kept.save(path)
    assert same(KeptCounts.load(path), kept)
    assert [file.name for file in path.parent.iterdir()] == ["val.npz"]
    with np.load(path, allow_pickle=False) as file:  # by name and without this project
        assert file["keys"].tolist() == list(KEYS)
        assert file["confusion"].dtype == np.int64


def test_no_samples_are_kept_too(tmp_path: Path) -> None:
    nothing = KeptCounts((), (), ("road",), {"confusion": np.zeros((0, 1, 1), np.int64)})
    nothing.save(tmp_path / "val.npz")
    assert same(KeptCounts.load(tmp_path / "val.npz"), nothing)


def test_the_order_of_batches_does_not_matter(kept: KeptCounts) -> None:
    shuffled = kept.in_order([KEYS[index] for index in (3, 1, 0, 2)])
    assert shuffled.keys == ("straße", "Video_2/frame_10", "Video_2/frame_9", "Video_1/frame_1")
    assert shuffled.groups == ("straße", "Video_2", "Video_2", "Video_1")
    assert np.array_equal(shuffled.arrays["bins"][0], kept.arrays["bins"][3])
    assert same(shuffled.in_order(KEYS), kept)


def test_other_samples_are_refused(kept: KeptCounts) -> None:
    for keys in (KEYS[:3], (*KEYS, "more"), (*KEYS[:3], "other"), (*KEYS[:3], KEYS[0])):
        with pytest.raises(ValueError, match="not the samples"):
            kept.in_order(keys)


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^.*val\.npz is missing: evaluate the run again[^\n]*$"):
        KeptCounts.load(tmp_path / "val.npz")


@pytest.mark.parametrize("size", [0, 10, 200, -1])
def test_a_truncated_file_is_one_line(kept: KeptCounts, tmp_path: Path, size: int) -> None:
    path = tmp_path / "val.npz"
    kept.save(path)
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(UserError, match=r"^.*val\.npz is damaged: evaluate the run again[^\n]*$"):
        KeptCounts.load(path)


def test_a_damaged_file_is_one_line(kept: KeptCounts, tmp_path: Path) -> None:
    path = tmp_path / "val.npz"
    kept.save(path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(UserError, match="is damaged"):
        KeptCounts.load(path)


def test_a_foreign_file_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "val.npz"
    confusion, labels = np.zeros((1, 1, 1), np.int64), {"keys": ["a"], "groups": ["a"], "names": ["road"]}
    foreign = (
        {"images": np.zeros(3)},
        {**labels, "confusion": confusion.astype(np.float64)},
        {**labels, "confusion": np.zeros((1, 2, 2), np.int64)},
        {**labels, "keys": ["a", "b"], "confusion": confusion},
        {**labels, "keys": np.array([{"a": 1}]), "confusion": confusion},
    )
    for content in foreign:
        np.savez(path, **content)
        with pytest.raises(UserError, match="is damaged"):
            KeptCounts.load(path)
    for text in (b"not a zip", b"\x93NUMPY"):
        path.write_bytes(text)
        with pytest.raises(UserError, match="is damaged"):
            KeptCounts.load(path)
    with path.open("wb") as file:
        np.save(file, confusion)
    with pytest.raises(UserError, match="is damaged"):
        KeptCounts.load(path)


def test_counts_that_do_not_fit_together_are_told(kept: KeptCounts) -> None:
    with pytest.raises(ValueError, match="groups has 3 entries for 4"):
        replace(kept, groups=kept.groups[:3])
    with pytest.raises(ValueError, match="bins has 3"):
        replace(kept, arrays={**kept.arrays, "bins": np.zeros((3, 15))})
    with pytest.raises(ValueError, match="twice"):
        replace(kept, keys=(*KEYS[:3], KEYS[0]))
    with pytest.raises(ValueError, match="another name"):
        replace(kept, arrays={**kept.arrays, "keys": np.zeros(4)})
