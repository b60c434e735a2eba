"""Masks in COCO's run lengths: how many pixels are outside, then inside, then outside, ..., column by column."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pycocotools import mask as coco_mask

from segmentation.data.patch import Patch, Size


@dataclass(frozen=True)
class RunLengths:
    """A mask in the compressed form, made with `RunLengths.of`."""

    counts: bytes

    @classmethod
    def of(cls, counts: str | Sequence[int], size: Size) -> "RunLengths":
        """From the compressed form (text) or the plain one. Raises `ValueError` where they do not fill `size`, which
        pycocotools would fill up with whatever is in the memory.
        """
        try:
            packed = counts.encode() if isinstance(counts, str) else _packed(counts, size)
            runs = _unpacked(packed)
        except (TypeError, ValueError, OverflowError, AttributeError) as error:
            raise ValueError("run lengths that are no numbers of at least 0") from error
        if min(runs, default=0) < 0 or sum(runs) != size[0] * size[1]:
            raise ValueError(f"run lengths of {sum(runs)} pixels: expected {size[1]}x{size[0]}")
        return cls(packed)

    def patch(self, size: Size) -> Patch:
        """`size` is the one it was made for."""
        mask: np.ndarray = coco_mask.decode({"counts": self.counts, "size": list(size)})
        return Patch.of(mask > 0)


def _packed(runs: Sequence[int], size: Size) -> bytes:
    packed: bytes = coco_mask.frPyObjects({"counts": list(runs), "size": list(size)}, *size)["counts"]
    return packed


def _unpacked(counts: bytes) -> list[int]:
    """COCO packs five bits into a character from "0" on, the lowest first, 32 more where others follow, with a sign;
    from the fourth run on it is the difference to the run before the last.
    """
    runs: list[int] = []
    number = bits = 0
    for character in counts:
        five = character - 48
        number |= (five & 31) << bits
        bits += 5
        if five & 32:
            continue
        if five & 16:
            number -= 1 << bits
        runs.append(number + runs[-2] if len(runs) > 2 else number)
        number = bits = 0
    return runs
