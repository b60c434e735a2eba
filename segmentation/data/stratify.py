"""Dividing groups of samples so that each part has its share of every class."""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np

MOST_SWAPPED = 300  # groups
LEAST_GAIN = 1e-9  # against going round in circles


def holdings(groups: Sequence[str], counts: np.ndarray) -> dict[str, np.ndarray]:
    """`[C + 1]` of each group: how many of its samples have each class, and how many samples it has.

    `groups` names the group of each sample, `counts` `[N, C]` says how many pixels of each class the sample has.
    """
    held = {group: np.zeros(counts.shape[1] + 1, np.int64) for group in groups}
    for group, pixels in zip(groups, counts, strict=True):
        held[group] += np.append(pixels > 0, True)
    return held


def stratified(names: Sequence[str], sizes: Mapping[str, int], held: Mapping[str, np.ndarray]) -> dict[str, list[str]]:
    """As many of the groups `names` for each part as `sizes` says; what they hold is told by `holdings`.

    Iterative stratification, which is made for single samples, then swaps where there are few groups: of videos that
    all have most classes it cannot see which ones go well together.
    """
    parts = _dealt(names, sizes, held)
    if len(names) <= MOST_SWAPPED:
        _swap(parts, held)
    return {part: sorted(members) for part, members in parts.items()}


def _dealt(names: Sequence[str], sizes: Mapping[str, int], held: Mapping[str, np.ndarray]) -> dict[str, list[str]]:
    """The class that the fewest samples are left of is dealt out first, each group that has it to the part that still
    wants most of this class, then most samples, then most groups; else by the order of `names`. (Sechidis, Tsoumakas
    and Vlahavas, "On the stratification of multi-label data", ECML PKDD 2011.)
    """
    left = {name: held[name] for name in names}
    room = np.array(list(sizes.values()))
    wants = room[:, None] / max(room.sum(), 1) * np.sum(list(left.values()), axis=0)
    dealt: list[list[str]] = [[] for _ in sizes]
    while left and room.any():
        remaining = np.sum(list(left.values()), axis=0)
        rarest = int(np.argmin(np.where(remaining > 0, remaining, remaining[-1] + 1)))
        having = sorted((name for name in left if left[name][rarest]), key=lambda name: -int(left[name][rarest]))
        for name in having[: room.sum()]:
            part = max(np.flatnonzero(room), key=lambda part: (wants[part, rarest], wants[part, -1], room[part]))
            dealt[part].append(name)
            room[part] -= 1
            wants[part] -= left.pop(name)
    return dict(zip(sizes, dealt, strict=True))


def _swap(parts: dict[str, list[str]], held: Mapping[str, np.ndarray]) -> None:
    """Swap the two groups that bring the parts nearest to their shares of all classes, as long as two do."""
    used = [name for members in parts.values() for name in members]
    if not used:
        return
    total = np.maximum(np.sum([held[name] for name in used], axis=0), 1)
    shares = {name: held[name] / total for name in used}
    excess = {
        part: np.sum([shares[name] for name in members], axis=0) - len(members) / len(used)
        for part, members in parts.items()
        if members
    }
    while True:
        swaps = [_best_swap(parts, shares, excess, first, second) for first, second in combinations(excess, 2)]
        gain, first, second, here, there = max(swaps, default=(0.0, "", "", 0, 0))
        if gain < LEAST_GAIN:
            return
        moved = shares[parts[second][there]] - shares[parts[first][here]]
        excess[first], excess[second] = excess[first] + moved, excess[second] - moved
        parts[first][here], parts[second][there] = parts[second][there], parts[first][here]


def _best_swap(
    parts: Mapping[str, list[str]],
    shares: Mapping[str, np.ndarray],
    excess: Mapping[str, np.ndarray],
    first: str,
    second: str,
) -> tuple[float, str, str, int, int]:
    """By how much the squared excess falls, between which parts, and the places of the two groups in them."""
    a, b = (np.array([shares[name] for name in parts[part]]) for part in (first, second))
    moved = b[None] - a[:, None]  # [groups of first, groups of second, C + 1]
    before = (excess[first] ** 2).sum() + (excess[second] ** 2).sum()
    gain = before - ((excess[first] + moved) ** 2).sum(axis=2) - ((excess[second] - moved) ** 2).sum(axis=2)
    here, there = np.unravel_index(int(gain.argmax()), gain.shape)
    return float(gain[here, there]), first, second, int(here), int(there)
