"""What an evaluation counted in each sample, as a file: every score follows from it without the model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from segmentation.metrics.scores import CONFUSIONS
from segmentation.runtime.files import write_atomically
from segmentation.runtime.run_folder import read_written

LABELS = ("keys", "groups", "names")


@dataclass(frozen=True)
class KeptCounts:
    """Counts of N samples, `arrays[name][n]` those of the sample `keys[n]`, which belongs to `groups[n]` (a video, a
    recording; the key itself where it belongs to nothing).

    `names` are the classes; `arrays["confusion"]` is `[N, C, C]`, int64, and so is, where areas were counted,
    `arrays["area"]`, in mm2. The samples of a group are in the order of the split, that is in the order of the frames:
    see `in_order`. Raises `ValueError` where the sizes do not agree.
    """

    keys: tuple[str, ...]
    groups: tuple[str, ...]
    names: tuple[str, ...]
    arrays: Mapping[str, np.ndarray]

    def __post_init__(self) -> None:
        expected = (len(self.keys), len(self.names), len(self.names))
        for name in {"confusion", *self.arrays} & set(CONFUSIONS):
            counts = self.arrays[name]
            if counts.shape != expected or counts.dtype != np.int64:
                raise ValueError(f"{name} is {counts.dtype} {list(counts.shape)}, expected int64 {list(expected)}")
        for name, array in {"groups": self.groups, **self.arrays}.items():
            if len(array) != len(self.keys):
                raise ValueError(f"{name} has {len(array)} entries for {len(self.keys)} samples")
        if len(set(self.keys)) < len(self.keys):
            raise ValueError("a sample was counted twice")
        if taken := self.arrays.keys() & set(LABELS):
            raise ValueError(f"{', '.join(sorted(taken))}: give the counts another name")

    def in_order(self, keys: Sequence[str]) -> "KeptCounts":
        """The same counts in the order of `keys`, all of them, whatever the order they were counted in.

        In the order of the split's samples, which batches and processes do not change, and in which the frames of a
        video follow each other as its reader has them (a sort by name would put frame 10 before frame 9). Raises
        `ValueError` where these are other samples.
        """
        if len(keys) != len(self.keys) or set(keys) != set(self.keys):
            differing = sorted(set(keys) ^ set(self.keys))
            raise ValueError(f"not the samples that were counted: {len(differing)} differ, such as {differing[:3]}")
        place = {key: index for index, key in enumerate(self.keys)}
        order = [place[key] for key in keys]
        return replace(
            self,
            keys=tuple(keys),
            groups=tuple(self.groups[index] for index in order),
            arrays={name: array[order] for name, array in self.arrays.items()},
        )

    def save(self, path: Path) -> None:
        """As a compressed npz: `keys`, `groups` and `names` as text, and each array under its name."""
        labels = {name: np.array(getattr(self, name), dtype=np.str_) for name in LABELS}
        content: dict[str, Any] = labels | dict(self.arrays)

        def write(temporary: Path) -> None:
            with temporary.open("wb") as file:  # a file object: given a name, numpy appends its own suffix
                np.savez_compressed(file, **content)

        write_atomically(path, write)

    @classmethod
    def load(cls, path: Path) -> "KeptCounts":
        """What `save` wrote. Raises `UserError` where the file is missing, damaged or none of these."""
        return read_written(path, cls._read, "evaluate the run again to write it")

    @classmethod
    def _read(cls, path: Path) -> "KeptCounts":
        """Raises whatever another file makes it raise."""
        with np.load(path, allow_pickle=False) as file:
            content = dict(file)
        labels = {name: tuple(content.pop(name).tolist()) for name in LABELS}
        return cls(**labels, arrays=content)
