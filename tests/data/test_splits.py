import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from omegaconf import DictConfig, OmegaConf

from segmentation.build.data import build_split, sample_keys, write_split_file
from segmentation.data.image.layouts.david import david
from segmentation.data.image.source import ImageSource
from segmentation.data.splits import Share, assign, grouped, read_split, split_groups, split_samples, write_split
from segmentation.errors import UserError
from tests.data.image.david_files import ENTRIES, write_david

VIDEOS = [f"Video_{index:03d}" for index in range(10)]
USUAL: dict[str, Share] = {"train": 0.8, "val": 0.1, "test": 0.1}


class Frame(NamedTuple):
    key: str
    group: str


FRAMES = [Frame(f"{video}/{index}", video) for video in VIDEOS[:3] for index in range(2)]


def counts(total: int, shares: Mapping[str, Share]) -> tuple[int, ...]:
    split = split_groups([f"Video_{index:03d}" for index in range(total)], shares, seed=0)
    assert list(split) == ["train", "val", "test"]
    named = [name for part in split.values() for name in part]
    assert len(named) == len(set(named))
    return tuple(len(part) for part in split.values())


@pytest.mark.parametrize(
    ("total", "expected"),
    [(1, (1, 0, 0)), (2, (1, 1, 0)), (5, (4, 1, 0)), (6, (4, 1, 1)), (10, (8, 1, 1)), (28, (22, 3, 3))],
)
def test_fractions_use_every_group_and_one_video_is_for_training(total: int, expected: tuple[int, ...]) -> None:
    assert counts(total, USUAL) == expected


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        ({"train": 7, "val": 2, "test": 1}, (7, 2, 1)),
        ({"train": 3, "val": 2, "test": 0}, (3, 2, 0)),
        ({"train": None, "val": 2, "test": 3}, (5, 2, 3)),
        ({"train": 6, "val": None, "test": 1}, (6, 3, 1)),
        ({"train": None, "val": 0.2, "test": 0.1}, (7, 2, 1)),
        ({"train": 0.5, "val": 0.2, "test": None}, (5, 2, 3)),
        ({"train": 0.5, "val": 0.2, "test": 0.0}, (5, 2, 0)),
        ({"train": 1.0, "val": 0.0, "test": 0.0}, (10, 0, 0)),
        ({"train": 0.5, "val": 3, "test": 0.1}, (5, 3, 1)),
        ({"train": ["Video_003"], "val": ["Video_001", "Video_009"], "test": []}, (1, 2, 0)),
        ({"train": None, "val": ["Video_001"], "test": ["Video_009"]}, (8, 1, 1)),
        ({"train": 0.8, "val": ["Video_001"], "test": 0.1}, (8, 1, 1)),
    ],
)
def test_fractions_counts_lists_and_the_rest(shares: dict[str, Share], expected: tuple[int, ...]) -> None:
    assert counts(10, shares) == expected


@pytest.mark.parametrize(("total", "expected"), [(1, (1, 0, 0)), (2, (1, 1, 0)), (3, (1, 1, 1))])
def test_training_on_the_rest_is_not_left_without_a_video(total: int, expected: tuple[int, ...]) -> None:
    assert counts(total, {"train": None, "val": 0.1, "test": 0.1}) == expected


def test_listed_groups_are_where_the_list_says() -> None:
    split = split_groups(VIDEOS, {"train": None, "val": ["Video_009", "Video_001"], "test": 2}, seed=0)
    assert split["val"] == ["Video_001", "Video_009"]
    assert sorted([*split["train"], *split["test"], *split["val"]]) == VIDEOS


def test_a_split_is_a_pure_function_of_names_shares_and_seed() -> None:
    state = random.getstate()
    split = split_groups(VIDEOS, USUAL, seed=3)
    assert random.getstate() == state
    random.seed(1)
    shuffled = random.sample(VIDEOS * 2, 20)
    assert split_groups(shuffled, USUAL, seed=3) == split
    random.setstate(state)


def test_a_split_is_the_same_on_every_machine() -> None:
    assert split_groups(VIDEOS, USUAL, seed=0) == {
        "train": [f"Video_{index:03d}" for index in (0, 1, 2, 3, 4, 7, 8, 9)],
        "val": ["Video_005"],
        "test": ["Video_006"],
    }


def test_other_seeds_hold_out_other_videos() -> None:
    held_out = {tuple(split_groups(VIDEOS, USUAL, seed)["val"]) for seed in range(20)}
    assert len(held_out) > 5


def test_less_training_data_leaves_validation_and_test_as_they_are() -> None:
    whole = split_groups(VIDEOS, {"train": None, "val": 2, "test": 1}, seed=0)
    for train in (1, 3, 5):
        part = split_groups(VIDEOS, {"train": train, "val": 2, "test": 1}, seed=0)
        assert part["val"] == whole["val"]
        assert part["test"] == whole["test"]
        assert set(part["train"]) < set(whole["train"])


@pytest.mark.parametrize(
    ("shares", "named"),
    [
        ({"train": 8, "val": 2, "test": 1}, ["11 groups", "10"]),
        ({"train": ["Video_000", "Video_777"], "val": None, "test": []}, ["dataset.split.train", "Video_777"]),
        ({"train": ["Video_000"], "val": ["Video_000"], "test": []}, ["Video_000 is in both train and val"]),
        ({"train": ["Video_777"], "val": ["Video_888", "Video_888"]}, ["Video_777", "Video_888 is in both"]),
    ],
)
def test_shares_that_do_not_fit_are_named(shares: dict[str, Share], named: list[str]) -> None:
    with pytest.raises(UserError) as told:
        split_groups(VIDEOS, shares, seed=0)
    assert all(name in str(told.value) for name in named)


def test_samples_follow_their_group_or_are_named_themselves() -> None:
    parts = assign(FRAMES, {"train": ["Video_000", "Video_001/1"], "val": ["Video_001/0"], "test": ["Video_002"]})
    assert {part: [frame.key for frame in frames] for part, frames in parts.items()} == {
        "train": ["Video_000/0", "Video_000/1", "Video_001/1"],
        "val": ["Video_001/0"],
        "test": ["Video_002/0", "Video_002/1"],
    }


def test_what_no_part_names_is_left_out() -> None:
    assert assign(FRAMES, {"val": ["Video_001"]}) == {"train": [], "val": FRAMES[2:4], "test": []}


def test_entries_that_do_not_fit_are_told_together() -> None:
    split = {
        "train": ["Video_000", "Video_001", "Video_009"],
        "val": ["Video_000/1", "Video_001"],
        "test": ["Video_002/7"],
    }
    with pytest.raises(UserError) as told:
        assign(FRAMES, split)
    lines = str(told.value).splitlines()
    for fault in ("Video_009 is not in", "Video_002/7 is not in", "Video_001 is listed twice", "Video_000/1 is in"):
        assert sum(fault in line for line in lines) == 1


def test_a_split_file_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "made" / "for it" / "split.json"
    write_split(path, {"train": ["Video_000"], "val": ["Vidéo"]})
    assert read_split(path) == {"train": ["Video_000"], "val": ["Vidéo"], "test": []}
    assert [entry.name for entry in path.parent.iterdir()] == ["split.json"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        '["Video_000"]',
        '{"train": []}',
        '{"val": ["Video_000"]}',
        '{"train": "Video_000"}',
        '{"train": ["Video_000"], "val": null}',
        '{"train": ["Video_000"], "val": {"Video_001": 1}}',
        '{"train": ["Video_000"], "validation": ["Video_001"]}',
        "\xff\xfe",
    ],
)
def test_a_file_that_is_no_split_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "split.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(UserError, match=rf"^dataset\.split_file={path} .*$"):
        read_split(path)


@pytest.mark.parametrize("place", ["a folder", "a file/split.json"])
def test_a_place_that_takes_no_file_is_named(tmp_path: Path, place: str) -> None:
    (tmp_path / "a folder").mkdir()
    (tmp_path / "a file").write_text("kept")
    with pytest.raises(UserError, match=rf"^.*{tmp_path / place} .*$"):
        write_split(tmp_path / place, {"train": ["Video_000"]})
    assert (tmp_path / "a file").read_text() == "kept"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a file", "a folder"]


# The configuration's side: dataset.split, dataset.split_seed, dataset.split_file and dataset.force_resplit.


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> ImageSource:
    root = write_david(tmp_path_factory.mktemp("data"), dict.fromkeys(VIDEOS, 2), size=(2, 3))
    return david(str(root), ENTRIES)


@pytest.fixture(scope="module")
def one_video(tmp_path_factory: pytest.TempPathFactory) -> ImageSource:
    return david(str(write_david(tmp_path_factory.mktemp("data"), {"Video_007": 3}, size=(2, 3))), ENTRIES)


def dataset(**changes: Any) -> DictConfig:
    usual = {"split": USUAL, "split_seed": 0, "split_file": None, "force_resplit": False}
    return OmegaConf.create({**usual, **changes})


def groups(cfg: DictConfig, source: ImageSource) -> dict[str, list[str]]:
    parts = build_split(cfg, source)
    write_split_file(cfg, source)
    return {part: sorted({sample.group for sample in samples}) for part, samples in parts.items()}


def test_all_frames_of_a_video_are_on_one_side(source: ImageSource) -> None:
    parts = build_split(dataset(), source)
    assert {part: len(samples) for part, samples in parts.items()} == {"train": 16, "val": 2, "test": 2}
    sides = [{sample.group for sample in samples} for samples in parts.values()]
    assert sum(map(len, sides)) == len(set.union(*sides)) == 10


def test_explicit_lists_from_the_configuration(source: ImageSource) -> None:
    lists = {"train": ["Video_004", "Video_002"], "val": ["Video_001"], "test": []}
    assert groups(dataset(split=lists), source) == {
        "train": ["Video_002", "Video_004"],
        "val": ["Video_001"],
        "test": [],
    }


def test_one_video_trains_without_validation(one_video: ImageSource) -> None:
    for split in (USUAL, {"train": None, "val": 0.1, "test": 0.1}):
        assert groups(dataset(split=split), one_video) == {"train": ["Video_007"], "val": [], "test": []}


def test_an_absent_split_file_is_written_and_then_obeyed_whatever_the_seed(source: ImageSource, tmp_path: Path) -> None:
    path = tmp_path / "split.json"
    split = groups(dataset(split_file=str(path)), source)
    assert json.loads(path.read_text()) == split
    other = groups(dataset(split_seed=1), source)
    assert other != split
    assert groups(dataset(split_file=str(path), split_seed=1), source) == split


def test_force_resplit_writes_the_file_anew(source: ImageSource, tmp_path: Path) -> None:
    path = tmp_path / "split.json"
    groups(dataset(split_file=str(path)), source)
    split = groups(dataset(split_file=str(path), split_seed=1, force_resplit=True), source)
    assert split == groups(dataset(split_seed=1), source)
    assert json.loads(path.read_text()) == split


def test_force_resplit_needs_no_readable_file(source: ImageSource, tmp_path: Path) -> None:
    path = tmp_path / "split.json"
    path.write_text("{")
    split = groups(dataset(split_file=str(path), force_resplit=True), source)
    assert json.loads(path.read_text()) == split


def test_the_samples_that_a_run_recorded_are_a_split_file(source: ImageSource, tmp_path: Path) -> None:
    path = tmp_path / "splits.json"
    parts = build_split(dataset(), source)
    write_split(path, sample_keys(parts))
    assert json.loads(path.read_text())["val"] == [sample.key for sample in parts["val"]]
    assert build_split(dataset(split_file=str(path), split_seed=1), source) == parts


def test_a_split_file_of_other_data_is_refused_and_kept(source: ImageSource, tmp_path: Path) -> None:
    path = tmp_path / "split.json"
    write_split(path, {"train": ["Video_000", "Video_777"]})
    before = path.read_bytes()
    with pytest.raises(UserError, match="Video_777 is not in the data"):
        build_split(dataset(split_file=str(path)), source)
    assert path.read_bytes() == before


def test_a_refused_split_overwrites_no_file(source: ImageSource, tmp_path: Path) -> None:
    path = tmp_path / "split.json"
    write_split(path, {"train": ["Video_000"]})
    before = path.read_bytes()
    with pytest.raises(UserError, match="Video_777"):
        build_split(dataset(split={"train": ["Video_777"]}, split_file=str(path), force_resplit=True), source)
    assert path.read_bytes() == before


def test_training_on_nothing_is_refused(source: ImageSource) -> None:
    with pytest.raises(UserError, match=r"^.*training split .* is empty.*$"):
        build_split(dataset(split={"train": 0, "val": 10, "test": 0}), source)


# Parts that the data set itself declares.


class PartedFrame(NamedTuple):
    key: str
    group: str
    part: str | None


def parted(**parts: Sequence[str]) -> list[PartedFrame]:
    """Two frames of each of the groups that `train="abc"` and so on name."""
    return [
        PartedFrame(f"{part}/{group}{index}", group, None if part == "none" else part)
        for part, names in parts.items()
        for group in names
        for index in range(2)
    ]


def test_parts_of_the_data_are_the_split_where_val_is_among_them() -> None:
    split = split_samples(parted(train="ab", val="b", none="c"), USUAL, seed=0)
    assert split == {"train": ["train/a0", "train/a1", "train/b0", "train/b1"], "val": ["val/b0", "val/b1"], "test": []}


def test_without_parts_groups_are_split() -> None:
    assert split_samples(parted(none="abcdefghij"), USUAL, seed=3) == split_groups("abcdefghij", USUAL, seed=3)


def test_val_is_taken_of_whole_groups_in_train_and_train_keeps_the_others() -> None:
    samples = parted(train="abcdefghij", test="kl")
    split = split_samples(samples, {"train": 0.5, "val": 0.2, "test": 0.3}, seed=0)
    assert {part: len(keys) for part, keys in split.items()} == {"train": 16, "val": 4, "test": 4}
    assert split["test"] == ["test/k0", "test/k1", "test/l0", "test/l1"]
    assert not {key[:-1] for key in split["train"]} & {key[:-1] for key in split["val"]}
    turned = split_samples(samples[::-1], {"train": 0.5, "val": 0.2, "test": 0.3}, seed=0)
    assert set(turned["val"]) == set(split["val"])
    others = [split_samples(samples, USUAL, seed)["val"] for seed in range(5)]
    assert len({tuple(keys) for keys in others}) > 1


def test_test_too_is_taken_of_train_where_there_is_none() -> None:
    split = split_samples(parted(train="abcdefghij"), USUAL, seed=0)
    assert {part: len(keys) for part, keys in split.items()} == {"train": 16, "val": 2, "test": 2}


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        ({"train": 0.8, "val": 0, "test": 0}, (10, 0)),
        ({"train": 3, "val": None, "test": 0}, (3, 7)),
        ({"train": None, "val": ["a", "c"], "test": 0}, (8, 2)),
    ],
)
def test_other_shares_of_train(shares: Mapping[str, Share], expected: tuple[int, int]) -> None:
    split = split_samples(parted(train="abcdefghij", test="k"), shares, seed=0)
    assert (len(split["train"]) // 2, len(split["val"]) // 2) == expected


def in_parts(source: ImageSource, *parts: str | None) -> ImageSource:
    samples = [replace(sample, part=part) for sample, part in zip(source.samples, parts * 20, strict=False)]
    return replace(source, samples=tuple(samples))


def test_a_split_file_comes_before_the_parts_of_the_data(source: ImageSource, tmp_path: Path) -> None:
    declared = in_parts(source, "train", "val")
    parts = build_split(dataset(), declared)
    assert {part: {sample.part for sample in samples} for part, samples in parts.items()} == {
        "train": {"train"},
        "val": {"val"},
        "test": set(),
    }
    path = tmp_path / "split.json"
    assert build_split(dataset(split_file=str(path)), declared) == parts
    write_split_file(dataset(split_file=str(path)), declared)
    assert json.loads(path.read_text()) == sample_keys(parts)
    write_split(path, {"train": ["Video_001"], "val": ["Video_002"]})
    assert groups(dataset(split_file=str(path)), declared) == {"train": ["Video_001"], "val": ["Video_002"], "test": []}


@dataclass(frozen=True)
class Alone:
    key: str
    group: str


def alone(*keys: str) -> list[Alone]:
    return [Alone(key, key) for key in keys]


def test_the_parentheses_of_a_pattern_name_the_group() -> None:
    found, faults = grouped(alone("train/a_1", "train/a_2", "b"), r"([^/]+)_\d+$")
    assert [(sample.key, sample.group) for sample in found] == [("train/a_1", "a"), ("train/a_2", "a")]
    assert faults == [r"b: dataset.group=([^/]+)_\d+$ does not fit"]
    assert grouped(alone("b"), None) == (alone("b"), [])


@pytest.mark.parametrize(("pattern", "named"), [("(", "no regular expression"), (".*_", "parentheses")])
def test_a_pattern_that_names_no_group_is_told(pattern: str, named: str) -> None:
    with pytest.raises(UserError, match=named) as error:
        grouped(alone("a"), pattern)
    assert "\n" not in str(error.value)
