"""The ways of running a model that pareto.py measures: every combination of its options that there is."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

import torch
from omegaconf import DictConfig
from torch import nn

from segmentation.build.images import image_size
from segmentation.build.make import plain
from segmentation.data.image.files import Size
from segmentation.errors import UserError
from segmentation.inference.augmented import views
from segmentation.inference.prediction import Prediction
from segmentation.inference.windows import Tiles

SMALLER = (0.75, 0.5)  # of the sides of training, where no sizes are given
TILES_AT_ONCE = 4
STORED = "as stored"


@dataclass(frozen=True)
class Way:
    """`size` None: images as they are stored; `tile` None: whole images."""

    size: Size | None
    tile: Size | None
    overlap: float | None
    tta: Mapping[str, Any]
    precision: str
    backend: str

    def row(self) -> dict[str, Any]:
        """As JSON reads it back."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    def settings(self) -> dict[str, str]:
        """For people."""
        return {
            "size": STORED if self.size is None else "x".join(map(str, self.size)),
            "tiles": "whole" if self.tile is None else "x".join(map(str, self.tile)),
            "TTA": "; ".join(_told(value) for value in self.tta.values() if value) or "none",
            "precision": self.precision,
            "backend": self.backend,
        }

    def around(self, model: nn.Module) -> Prediction:
        """The model asked in these tiles and views."""
        tiles = None if self.tile is None else Tiles(self.tile, self.overlap or 0.0, TILES_AT_ONCE)
        return Prediction(model, tiles, views(**self.tta))


def ways(cfg: DictConfig, run: DictConfig, device: torch.device) -> list[Way]:
    """Each once. Raises `UserError` where no backend has any of the precisions that were asked for."""
    choices = plain(cfg)
    pairs = [
        (precision, backend)
        for backend, precision in product(choices["backends"], choices["precisions"])
        if precision in precisions_of(backend, device)
    ]
    if not pairs:
        known = "; ".join(f"{name} has {', '.join(precisions_of(name, device))}" for name in choices["backends"])
        raise UserError(f"precisions={choices['precisions']}: none is there with these backends ({known})")
    every = (
        Way(size, tile, None if tile is None else choices["overlap"], tta, precision, backend)
        for size, tile, tta, (precision, backend) in product(
            _sizes(choices["sizes"], image_size(run.dataset)),
            [None if tile is None else _pair(tile) for tile in choices["tiles"]],
            choices["tta"],
            pairs,
        )
    )
    return list({str(way.row()): way for way in every}.values())


def precisions_of(backend: str, device: torch.device) -> tuple[str, ...]:
    """fp16 is left out where PyTorch computes in it many times slower than in fp32: on a CPU."""
    if backend == "onnx":
        return ("fp32", "fp16", "int8")
    return ("fp32", "bf16", "fp16") if device.type == "cuda" else ("fp32", "bf16")


def _sizes(given: list[list[int]] | None, of_training: Size | None) -> Iterator[Size | None]:
    if given is not None:
        yield from map(_pair, given)
        return
    yield of_training
    if of_training is not None:
        yield from (_pair([max(round(side * factor), 1) for side in of_training]) for factor in SMALLER)


def _pair(size: list[int]) -> Size:
    return size[0], size[1]


def _told(values: list[Any]) -> str:
    return " ".join(map(str, values))
