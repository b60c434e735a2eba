"""evaluate.py benchmark=true: how fast the model of a run is, and a check that it is fast enough."""

import logging
from dataclasses import asdict

import torch
from omegaconf import DictConfig
from torch import Tensor

from segmentation.apps.config.check import refuse_meshes
from segmentation.apps.runs.opened import Trained, as_asked, classes_of, load_trained, names_of_choices, open_run
from segmentation.build.images import image_size
from segmentation.build.make import plain
from segmentation.data.image.files import Size
from segmentation.engine.benchmark import Benchmark, benchmark, steps
from segmentation.engine.memory import advice_for_evaluation, explains_out_of_memory
from segmentation.errors import UserError
from segmentation.runtime.console import progress_bar, table_text
from segmentation.runtime.device import Precision, choose_device, choose_precision, describe_device
from segmentation.runtime.distributed import world_of_torchrun
from segmentation.runtime.files import write_json

log = logging.getLogger("segmentation")


def benchmark_run(cfg: DictConfig) -> float:
    """Time the model on noise of one size, print and write what was measured, and return the images a second.

    It needs no data. Device, precision, memory format, tiles and views are those that an evaluation would have. Raises
    `UserError` where the model is slower than `cfg.min_fps` or `cfg.max_latency_ms` allow.
    """
    folder, run = open_run(cfg)
    refuse_meshes(run, "benchmark=true")
    size = _size(cfg, run)
    if world_of_torchrun().size > 1:
        raise UserError("benchmark=true times a single process: start it without torchrun")
    device = choose_device(run.trainer.device)
    precision = choose_precision(run.trainer.precision, device)
    log.info("device: %s", describe_device(device, precision))
    trained = load_trained(cfg, folder, run, classes_of(folder), device)
    model = as_asked(trained.model, cfg, run.trainer.val_batch_size)
    image = _noise(run, size).to(device)
    largest = cfg.benchmark_batch_size
    with (
        explains_out_of_memory(advice_for_evaluation(1, in_tiles=True)),
        progress_bar("timing the model", steps(largest)) as bar,
    ):
        measured = benchmark(model, image, device, precision, largest, bar.advance)
    log.info("%s", _tables(measured, size))
    path = folder.evaluation / f"{'-'.join(['benchmark', *names_of_choices(cfg)])}.json"
    write_json(path, {**_conditions(cfg, run, trained, size, device, precision), **asdict(measured)})
    log.info("%s -> %s", trained.path, path)
    _refuse_slow(measured, cfg)
    return measured.fps


def _size(cfg: DictConfig, run: DictConfig) -> Size:
    if cfg.benchmark_size is not None:
        return cfg.benchmark_size[0], cfg.benchmark_size[1]
    size = image_size(run.dataset)
    if size is None:
        raise UserError(
            "the run's dataset.image_size is null, its images are of any size: give benchmark_size=[HEIGHT,WIDTH]"
        )
    return size


def _noise(run: DictConfig, size: Size) -> Tensor:
    """`[1, bands, H, W]`, as a loader gives it: uint8, or in [0, 1] where the data says which value means 1."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (1, *size, run.dataset.in_channels), dtype=torch.uint8, generator=generator)
    pixels = pixels.permute(0, 3, 1, 2)
    return pixels if run.dataset.max_value is None else pixels / 255


def _tables(measured: Benchmark, size: Size) -> str:
    latency = measured.latency
    one = [
        ["latency p50, ms", f"{latency.p50:.2f}"],
        ["latency p90, ms", f"{latency.p90:.2f}"],
        ["latency p99, ms", f"{latency.p99:.2f}"],
        ["images/s", f"{measured.fps:.2f}"],
        ["parameters, M", f"{measured.parameters / 1e6:.2f}"],
        ["GFLOPs", f"{measured.flops / 1e9:.2f}"],
    ]
    many = [
        [str(row.batch_size), f"{row.images_per_second:.2f}", f"{row.peak_memory_mb:.0f}"]
        for row in measured.throughput
    ]
    alone = table_text(f"one image of {size[0]} x {size[1]}", ["", "value"], one)
    return f"{alone}\n{table_text('by batch size', ['batch size', 'images/s', 'peak memory, MB'], many)}"


def _conditions(
    cfg: DictConfig, run: DictConfig, trained: Trained, size: Size, device: torch.device, precision: Precision
) -> dict[str, object]:
    return {
        "checkpoint": str(trained.path),
        "weights": trained.weights,
        "device": describe_device(device, precision),
        "precision": precision.name,
        "channels_last": bool(run.trainer.channels_last),
        "image_size": list(size),
        "tile": None if cfg.tile is None else list(cfg.tile),
        "overlap": None if cfg.tile is None else cfg.overlap,
        "tta": plain(cfg.tta),
    }


def _refuse_slow(measured: Benchmark, cfg: DictConfig) -> None:
    slow = []
    if cfg.min_fps is not None and measured.fps < cfg.min_fps:
        slow.append(f"{measured.fps:.2f} images/s are below min_fps={cfg.min_fps}")
    if cfg.max_latency_ms is not None and measured.latency.p99 > cfg.max_latency_ms:
        slow.append(f"the latency of {measured.latency.p99:.2f} ms (p99) is above max_latency_ms={cfg.max_latency_ms}")
    if slow:
        raise UserError("; ".join(slow))
