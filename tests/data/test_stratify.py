from functools import partial

import numpy as np
import pytest

from segmentation.data.splits import split_folds, split_groups
from segmentation.data.stratify import holdings, stratified
from segmentation.errors import UserError

NAMES = [f"Video_{index:02d}" for index in range(20)]


def held(rng: np.random.Generator, chances: list[float], frames: int = 1) -> dict[str, np.ndarray]:
    """Groups of as many samples, each with each class by its chance."""
    return {name: np.append(rng.binomial(frames, chances), frames) for name in rng.permutation(NAMES).tolist()}


def test_holdings_by_hand() -> None:
    """Three samples in two groups; pixels of two classes."""
    found = holdings(["v", "w", "v"], np.array([[3, 0], [0, 9], [1, 1]]))
    assert {group: row.tolist() for group, row in found.items()} == {"v": [2, 1, 2], "w": [0, 1, 1]}


def test_a_rare_class_is_in_every_part() -> None:
    """Of 20 groups 4 have the rare class: 2, 1 and 1 where the parts have 10, 5 and 5."""
    have = {name: np.array([1, index < 4, 1]) for index, name in enumerate(NAMES)}
    parts = stratified(NAMES, {"train": 10, "val": 5, "test": 5}, have)
    assert {part: len(names) for part, names in parts.items()} == {"train": 10, "val": 5, "test": 5}
    rare = {part: sum(int(have[name][1]) for name in names) for part, names in parts.items()}
    assert rare == {"train": 2, "val": 1, "test": 1}


@pytest.mark.parametrize("seed", range(3))
def test_parts_have_their_shares_of_every_class_closer_than_by_chance(seed: int) -> None:
    rng = np.random.default_rng(seed)
    have = held(rng, [0.9, 0.5, 0.2, 0.1], frames=30)
    total = np.sum(list(have.values()), axis=0)

    def distance(parts: dict[str, list[str]]) -> float:
        shares = {"val": 0.25, "train": 0.75}
        return float(
            sum(
                np.abs(np.sum([have[name] for name in parts[part]], axis=0) / total - share).sum()
                for part, share in shares.items()
            )
        )

    fair = distance(stratified(NAMES, {"val": 5, "train": 15}, have))
    by_chance = []
    for _ in range(30):
        names = rng.permutation(NAMES).tolist()
        by_chance.append(distance({"val": names[:5], "train": names[5:]}))
    assert fair < np.quantile(by_chance, 0.2)


def test_groups_that_no_part_has_room_for_are_left_out() -> None:
    have = held(np.random.default_rng(0), [0.5])
    parts = stratified(NAMES, {"train": 3, "val": 1}, have)
    assert [len(names) for names in parts.values()] == [3, 1]
    assert stratified(NAMES, {"train": 0, "val": 0}, have) == {"train": [], "val": []}
    assert stratified([], {"train": 0}, have) == {"train": []}


def test_groups_without_any_class_are_divided_too() -> None:
    parts = stratified(NAMES, {"train": 15, "val": 5}, {name: np.array([0, 0, 1]) for name in NAMES})
    assert [len(names) for names in parts.values()] == [15, 5]


def test_a_stratified_split_is_a_function_of_names_and_seed() -> None:
    have = held(np.random.default_rng(1), [0.6, 0.2])
    shares = {"train": 0.5, "val": 0.25, "test": 0.25}
    deal = partial(stratified, held=have)
    split = split_groups(NAMES, shares, 0, deal)
    assert split == split_groups(NAMES[::-1] * 2, shares, 0, deal)
    assert [len(part) for part in split.values()] == [10, 5, 5]
    assert any(split != split_groups(NAMES, shares, seed, deal) for seed in range(1, 4))
    fixed = split_groups(NAMES, {"train": 0.8, "val": ["Video_03"], "test": 0.1}, 0, deal)
    assert fixed["val"] == ["Video_03"]
    assert "Video_03" not in fixed["train"] + fixed["test"]


@pytest.mark.parametrize("folds", [2, 3, 9])
def test_each_group_is_once_in_val_and_the_test_share_in_no_fold(folds: int) -> None:
    splits = split_folds(NAMES, folds, 0.1, seed=3)
    assert len(splits) == folds
    held_out = splits[0]["test"]
    assert len(held_out) == 2
    val = sorted(name for split in splits for name in split["val"])
    assert val == sorted(set(NAMES) - set(held_out))
    sizes = [len(split["val"]) for split in splits]
    assert max(sizes) - min(sizes) <= 1
    for split in splits:
        assert split["test"] == held_out
        assert sorted(split["train"] + split["val"] + split["test"]) == NAMES


def test_stratified_folds_share_a_rare_class() -> None:
    have = {name: np.array([1, index % 5 == 0, 1]) for index, name in enumerate(NAMES)}
    splits = split_folds(NAMES, 4, 0.0, 0, partial(stratified, held=have))
    assert [sum(int(have[name][1]) for name in split["val"]) for split in splits] == [1, 1, 1, 1]


def test_more_folds_than_groups_are_refused() -> None:
    with pytest.raises(UserError, match="folds=21, but there are 20 groups"):
        split_folds(NAMES, 21, 0.0, 0)
