"""How fast one process makes training images of CamVid, as ratios to what cannot be avoided, and what workers cost.

python -m tests.bench.data
"""

import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import albumentations
import cv2
import numpy as np
import psutil
import torch
from albumentations.pytorch import ToTensorV2
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch.utils.data import DataLoader, default_collate

from segmentation.build.data import build_source
from segmentation.classes import Classes
from segmentation.data.batch import Batch
from segmentation.data.image.augmentation.options import Augmentation
from segmentation.data.image.augmentation.training import TrainingSamples
from segmentation.data.image.cached import CacheOptions
from segmentation.data.image.dataset import ImageDataset, ImageItem, collate, start_worker
from segmentation.data.image.labels.palette import PaletteDecoder
from segmentation.data.image.resized import Reading, ResizedSamples
from segmentation.data.image.source import ImageSource
from segmentation.data.sampler import Bucket, Draw, TrainingBatches

ROOT = Path(__file__).resolve().parents[2]
CAMVID = ROOT.parent / "shared" / "data" / "camvid"
CROP, BATCH, IMAGES, ROUNDS = (256, 320), 8, 96, 7
LOOKUP_SIZE, LOOKUP_CLASSES, LOOKUP_ROUNDS = (720, 960), 32, 5
EPOCHS, GROWTH_MB = 10, 10.0
TARGETS = {"pipeline / decode": 0.6, "cached / augmentation": 0.9, "lookup / per colour": 50.0}
CACHE = CacheOptions("ram", 4.0)
Pair = tuple[np.ndarray, np.ndarray]


class InMemory(ResizedSamples):
    """Samples without any reading."""

    def keep(self) -> "InMemory":
        self.pairs = [tuple(map(np.array, super(InMemory, self).read(index, None))) for index in range(len(self))]
        return self

    def read(self, index: int, size: Any) -> Pair:
        image, mask = self.pairs[index]
        return image, mask


class Bench:
    """Each measure takes the place of a sample, or of a batch of them, and makes it."""

    def __init__(self, folder: Path) -> None:
        with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
            cfg = compose("config", ["dataset=camvid", f"dataset.root={CAMVID}", f"augmentation.crop.size={[*CROP]}"])
        OmegaConf.resolve(cfg)
        self.source: ImageSource = build_source(cfg.dataset)
        self.augmentation: Augmentation = instantiate(cfg.augmentation, _convert_="all")
        self.samples = [sample for sample in self.source.samples if sample.part == "train"][:IMAGES]
        self.uncached, self.cached = self.dataset(Reading()), self.dataset(Reading(CACHE))
        in_memory = InMemory(self.source, self.samples, resize_masks=True).keep()
        self.augment = TrainingSamples(in_memory, None, self.augmentation, self.source.classes, None)
        self.colored = [folder / f"{index}.png" for index in range(len(self.samples))]
        self.tutorial_transforms = tutorial_transforms(self.augmentation)
        for path, sample in zip(self.colored, self.samples, strict=True):
            picture = self.source.classes.paint(self.source.read_mask(sample))
            cv2.imwrite(str(path), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))

    def dataset(self, reading: Reading) -> ImageDataset:
        return ImageDataset(self.source, self.samples, None, self.augmentation, reading=reading)

    def decode(self, draws: list[Draw]) -> None:
        for draw in draws:
            sample = self.samples[draw.index]
            cv2.imdecode(np.fromfile(sample.image, np.uint8), cv2.IMREAD_COLOR)
            cv2.imdecode(np.fromfile(sample.mask, np.uint8), cv2.IMREAD_UNCHANGED)

    def pipeline(self, draws: list[Draw]) -> None:
        collate([self.uncached[draw] for draw in draws])

    def from_cache(self, draws: list[Draw]) -> None:
        collate([self.cached[draw] for draw in draws])

    def augmentation_alone(self, draws: list[Draw]) -> None:
        collate([ImageItem(*self.augment(draw), "") for draw in draws])

    def tutorial(self, draws: list[Draw]) -> None:
        items = []
        for draw in draws:
            image = read_rgb(self.samples[draw.index].image)
            colors = read_rgb(self.colored[draw.index])
            made = self.tutorial_transforms(image=image, mask=compared_by_color(colors, self.source.classes))
            items.append((made["image"], made["mask"].long()))
        default_collate(items)


def read_rgb(path: Path) -> np.ndarray:
    picture = cv2.imread(str(path))
    assert picture is not None
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


def tutorial_transforms(augmentation: Augmentation) -> albumentations.Compose:
    """The same ones, then a crop, floats and their normalisation."""
    height, width = CROP
    crop = albumentations.RandomCrop(height, width)
    return albumentations.Compose(
        [*augmentation.for_training().steps, crop, albumentations.Normalize(), ToTensorV2()], seed=0
    )


def compared_by_color(picture: np.ndarray, classes: Classes) -> np.ndarray:
    ids = np.full(picture.shape[:2], classes.ignore_index, np.uint8)
    for index, color in enumerate(classes.colors):
        ids[(picture == np.array(color, np.uint8)).all(axis=-1)] = index
    return ids


def pipelines(say: Callable[[str], object], bench: Bench) -> dict[str, float]:
    """All ways take turns with every batch, so that what else the machine does meets all of them."""
    ways: dict[str, Callable[[list[Draw]], None]] = {
        "decode only (opencv)": bench.decode,
        "whole pipeline, light": bench.pipeline,
        "augmentation alone": bench.augmentation_alone,
        "whole pipeline, cached": bench.from_cache,
        "the tutorial way": bench.tutorial,
    }
    batches = TrainingBatches([Bucket(range(IMAGES), BATCH)], 0)
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for batches.epoch in range(ROUNDS + 1):
        for draws in batches:
            for name, way in ways.items():
                seconds = timed(lambda way=way, draws=draws: way(draws))  # type: ignore[misc]
                if batches.epoch:  # the first round fills caches
                    taken[name].append(seconds)
    speed = {name: BATCH / statistics.median(each) for name, each in taken.items()}
    for name, each in speed.items():
        say(f"{name:24} {each:7.0f} images/s\n")
    decode, pipeline, augmentation, cached, _ = speed.values()
    return {"pipeline / decode": pipeline / decode, "cached / augmentation": cached / augmentation}


def timed(work: Callable[[], object]) -> float:
    """Seconds that this thread had a core: what else the machine does is not to count. Files are in memory."""
    start = time.thread_time()
    work()
    return time.thread_time() - start


def lookup(say: Callable[[str], object]) -> dict[str, float]:
    """Of colours to classes, both ways."""
    rng = random.Random(0)
    colors = tuple((rng.randrange(256), rng.randrange(256), rng.randrange(256)) for _ in range(LOOKUP_CLASSES))
    classes = Classes(tuple(map(str, range(LOOKUP_CLASSES))), colors)
    ids = np.random.default_rng(0).integers(0, LOOKUP_CLASSES, tuple(side // 8 for side in LOOKUP_SIZE), np.uint8)
    picture = classes.paint(cv2.resize(ids, LOOKUP_SIZE[::-1], interpolation=cv2.INTER_NEAREST))
    stored = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    decode = PaletteDecoder(classes)
    assert np.array_equal(decode(stored), compared_by_color(picture, classes))
    taken = [
        (timed(lambda: decode(stored)), timed(lambda: compared_by_color(picture, classes)))
        for _ in range(LOOKUP_ROUNDS)
    ]
    fast, slow = (statistics.median(each) * 1000 for each in zip(*taken, strict=True))
    size = "x".join(map(str, LOOKUP_SIZE))
    say(f"masks of {size}, {LOOKUP_CLASSES} classes: lookup {fast:.2f} ms, colour by colour {slow:.0f} ms\n")
    return {"lookup / per colour": slow / fast}


@contextmanager
def loader(dataset: ImageDataset, workers: int) -> Iterator[tuple[DataLoader[Batch], TrainingBatches]]:
    batches = TrainingBatches([Bucket(range(len(dataset)), BATCH)], 0)
    loading = DataLoader[Batch](
        dataset,  # type: ignore[arg-type]
        num_workers=workers,
        batch_sampler=batches,
        collate_fn=collate,
        worker_init_fn=start_worker,
        persistent_workers=True,
    )
    yield loading, batches
    del loading


def memory_by_epoch(dataset: ImageDataset, workers: int) -> list[tuple[float, float]]:
    """After each epoch, of all workers: MB that are theirs alone, and MB with a fair part of what they share."""
    seen = []
    with loader(dataset, workers) as (loading, batches):
        for epoch in range(EPOCHS):
            batches.epoch = epoch
            for _ in loading:
                pass
            usage = [child.memory_full_info() for child in psutil.Process().children(recursive=True)]
            seen.append((sum(each.uss for each in usage) / 2**20, sum(each.pss for each in usage) / 2**20))
    return seen


def memory(say: Callable[[str], object], bench: Bench) -> bool:
    """Whether it stays, and whether it does not multiply with workers."""
    assert bench.cached._resized.cache is not None
    cache = bench.cached._resized.cache.size / 2**20
    say(f"memory of the workers; the cache has {cache:.0f} MB\n")
    alone = {}
    holds = True
    for name, dataset in (("uncached", bench.uncached), ("cached", bench.cached)):
        for workers in (1, 2):
            seen = memory_by_epoch(dataset, workers)
            growth = (seen[-1][0] - seen[1][0]) / workers
            alone[name, workers] = seen[-1][0] / workers
            holds = holds and growth < GROWTH_MB
            say(
                f"  {name:8} {workers} workers: each has {alone[name, workers]:5.1f} MB of its own, {growth:+.1f} MB "
                f"from epoch 2 to {EPOCHS}; all together with their part of what is shared: {seen[-1][1]:.0f} MB\n"
            )
    more = max(alone["cached", workers] - alone["uncached", workers] for workers in (1, 2))
    say(f"a worker's own memory with the cache: {more:+.1f} MB (below {0.1 * cache:.0f}, a tenth of it, is wanted)\n")
    return holds and more < 0.1 * cache


def main() -> None:
    say = sys.stdout.write
    if not CAMVID.is_dir():
        say(f"{CAMVID} is not there: nothing to measure\n")
        return
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    with TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        say(f"CamVid, 480x360 JPEG, crops of {CROP[1]}x{CROP[0]}, CPU time, medians of {ROUNDS} rounds\n")
        ratios = {**pipelines(say, bench), **lookup(say)}
        for name, target in TARGETS.items():
            say(f"{name}: {ratios[name]:.2f} (at least {target:g} is wanted)\n")
        stays = memory(say, bench)
    if not stays or any(ratios[name] < target for name, target in TARGETS.items()):
        sys.exit(1)


if __name__ == "__main__":
    main()
