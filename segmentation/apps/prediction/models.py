"""Which model predict.py asks: an exported file here; runs, which need PyTorch, in `trained`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from segmentation.classes import Classes
from segmentation.data.fingerprint import fingerprint
from segmentation.data.image.files import PixelFormat, Size
from segmentation.errors import UserError
from segmentation.inference.exported import ExportedModel
from segmentation.inference.scoring import ExportedScorer, Scorer
from segmentation.inference.windows import Tiles

USUAL_TILE = (512, 512)
NEEDED = {"classes", "ignore_index", "input", "outputs"}  # of what a file says of itself


@dataclass(frozen=True)
class Opened:
    """What is known of a model before it is loaded. `identity` tells its results from others'. Where `only_says`, there
    are no probabilities.
    """

    classes: Classes
    pixels: PixelFormat
    identity: Mapping[str, str]
    load: Callable[[], Scorer]
    only_says: bool = False


def open_exported(cfg: DictConfig) -> Opened:
    """The file that `cfg.model` names. Raises `UserError` for what export.py did not write."""
    path = Path(cfg.model)
    model = ExportedModel.open(path)
    if not model.metadata.keys() >= NEEDED:
        raise UserError(f"{path} does not say what it takes and gives as export.py writes it: export the run anew")
    about = model.metadata["input"]
    white = None if about["dtype"] == "uint8" or about["white"] == 1 else float(about["white"])
    size = asked_size(cfg, about["size_in_training"] and tuple(about["size_in_training"]))
    tiles = asked_tiles(cfg, usual_batch=1)
    return Opened(
        model.classes,
        PixelFormat(int(about["bands"]), white),
        {"model": str(path), "file": fingerprint([path])},
        lambda: ExportedScorer(model, model.classes, size, tiles, whole=cfg.tile is None),
        only_says="probabilities" not in model.metadata["outputs"],
    )


def asked_size(cfg: DictConfig, in_training: Size | None) -> Size | None:
    if cfg.image_size is None:
        return in_training
    return None if cfg.image_size == "stored" else (int(cfg.image_size[0]), int(cfg.image_size[1]))


def asked_tiles(cfg: DictConfig, usual_batch: int) -> Tiles:
    """Those of large pictures where no tile is asked for."""
    size = USUAL_TILE if cfg.tile is None else (int(cfg.tile[0]), int(cfg.tile[1]))
    return Tiles(size, float(cfg.overlap), usual_batch if cfg.tile_batch == "auto" else int(cfg.tile_batch))


def refuse_probabilities(cfg: DictConfig, asked: Any) -> None:
    """Raises `UserError` for options that need more than class ids; `asked` are those of the post-processing."""
    given = {
        "probabilities": cfg.probabilities,
        "pseudo_labels": cfg.pseudo_labels,
        "thresholds": asked.thresholds,
        "crf.iterations": asked.crf,
        "smoothing.keep": cfg.smoothing.keep,
    }
    needing = [name for name, value in given.items() if value]
    if needing:
        raise UserError(
            f"{cfg.model} gives class ids alone, and {', '.join(needing)} would need probabilities: "
            "export it with probabilities=true"
        )
