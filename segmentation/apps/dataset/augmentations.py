"""A picture of training samples as the model will see them, before a run is spent on them."""

import logging
from pathlib import Path

from omegaconf import DictConfig, OmegaConf
from PIL import Image

from segmentation.apps.config.check import faults_in, refuse_meshes
from segmentation.apps.config.faults import raise_faults
from segmentation.build.class_weights import asks_for_counts
from segmentation.build.data import build_source, build_split
from segmentation.build.feed import build_feed, draw_training_grid
from segmentation.build.kinds import kind_of
from segmentation.build.training import build_options
from segmentation.runtime.files import write_atomically

log = logging.getLogger("segmentation")
OWN = ("output", "count")


def draw_augmentations(cfg: DictConfig) -> Path:
    """Returns the file of the picture. Raises `UserError` for what is wrong with the configuration or the data."""
    training = OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key not in OWN])
    faults = faults_in(training)
    if not isinstance(cfg.count, int) or cfg.count < 1:
        faults.append(f"count={cfg.count}: expected a whole number of at least 1")
    raise_faults(faults)
    refuse_meshes(training)
    source = build_source(training.dataset)
    parts = build_split(training.dataset, source)
    counts = kind_of(source).class_counts(training, source, parts["train"]) if asks_for_counts(training) else None
    feed = build_feed(training, source, parts, build_options(training, validates=bool(parts["val"])), counts)
    picture = Image.fromarray(draw_training_grid(feed, cfg.count))
    path = Path(cfg.output)
    write_atomically(path, lambda temporary: picture.save(temporary, format="png"))
    log.info("%d training samples: %s", cfg.count, path)
    return path
