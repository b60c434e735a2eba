"""pareto.py: what each way of running a trained model is worth, and what it costs."""

import logging
import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from omegaconf import DictConfig

from segmentation.apps.config.check import faults_in_pareto, refuse_meshes
from segmentation.apps.export.formats import FORMATS
from segmentation.apps.export.pictures import ProofPictures, validation_images
from segmentation.apps.export.write import failing_in_one_line
from segmentation.apps.pareto.backends import Backends
from segmentation.apps.pareto.measured import Measured
from segmentation.apps.pareto.ways import Way, ways
from segmentation.apps.runs.opened import Trained, classes_of, load_trained, open_run_as_it_was
from segmentation.classes import Classes
from segmentation.data.image.dataset import ImageDataset, collate
from segmentation.data.sampler import Draw
from segmentation.engine.cost import Cost, cost_of
from segmentation.engine.memory import explains_out_of_memory
from segmentation.errors import UserError
from segmentation.reports.pareto import WayFacts, efficient_in, pareto_page, ways_table
from segmentation.runtime.console import progress_bar, table_text
from segmentation.runtime.device import choose_device
from segmentation.runtime.files import write_text
from segmentation.runtime.run_folder import RunFolder

log = logging.getLogger("segmentation")


def pareto_run(cfg: DictConfig) -> int:
    """Measure every way that `cfg` asks for and that was not measured yet, tell and write all of them, and return how
    many of them are efficient.

    Each is written as soon as it is measured, so that a run that was stopped goes on where it was. What cannot be
    measured is told and left out. Raises `UserError` where nothing could be.
    """
    folder, run = open_run_as_it_was(cfg, faults_in_pareto)
    refuse_meshes(run)
    device = choose_device(run.trainer.device if cfg.device is None else cfg.device)
    asked = ways(cfg, run, device)
    if "onnx" in cfg.backends:
        FORMATS["onnx"].refuse_missing("onnx")
    classes = classes_of(folder)
    images = validation_images(run, folder, classes, cfg.dataset.root)
    if images is None:
        raise UserError("scores need the run's data: give dataset.root=PATH")
    pictures = ProofPictures(run, images, "nchw")
    trained = load_trained(cfg, folder, run, classes, device)
    chosen = pictures.chosen(cfg.images)
    conditions = _conditions(trained, device, images, chosen)
    measured = Measured(folder.evaluation / "pareto.json", conditions)
    missing = [way for way in asked if not measured.has(way)]
    log.info("%d ways to run %s, %d of them measured before", len(asked), trained.path, len(asked) - len(missing))
    with TemporaryDirectory() as temporary:
        backends = Backends(trained.model.eval(), device, pictures, Path(temporary))
        calibration = pictures.chosen(cfg.calibration_images, without=chosen)
        missing = _writable(missing, backends, calibration, cfg.opset)
        with progress_bar("measuring", len(missing) * len(chosen)) as bar:
            for way in missing:
                with _left_out_if_failing(", ".join(way.settings().values())):
                    measured.add(way, _cost(way, backends, images, chosen, classes, bar.advance))
    return _tell(measured, folder)


def _writable(missing: Sequence[Way], backends: Backends, calibration: Sequence[int], opset: int) -> list[Way]:
    """All but those whose ONNX file cannot be written; the others are."""
    written = set()
    for precision in dict.fromkeys(way.precision for way in missing if way.backend == "onnx"):
        log.info("writing ONNX, %s", precision)
        with _left_out_if_failing(f"{precision}, onnx"):
            backends.write(precision, calibration, opset)
            written.add(precision)
    return [way for way in missing if way.backend != "onnx" or way.precision in written]


def _cost(
    way: Way,
    backends: Backends,
    images: ImageDataset,
    chosen: Sequence[int],
    classes: Classes,
    advance: Callable[[int], None],
) -> Cost:
    batches = (collate([images[Draw(index, 0, way.size)]]) for index in chosen)
    example = collate([images[Draw(chosen[0], 0, way.size)]]).inputs
    backend = backends.open(way.backend, way.precision, way.around, example)
    return cost_of(backend.model, batches, classes, backend.device, backend.precision, advance)


@contextmanager
def _left_out_if_failing(told: str) -> Iterator[None]:
    """What fails in one way may work in the others."""
    try:
        with failing_in_one_line("it fails"), explains_out_of_memory("out of memory"):
            yield
    except UserError as error:
        log.warning("left out: %s: %s", told, error)


def _conditions(trained: Trained, device: torch.device, images: ImageDataset, chosen: Sequence[int]) -> dict[str, Any]:
    """What numbers have to have in common to be compared."""
    gpu = torch.cuda.get_device_name(device) if device.type == "cuda" else None
    return {
        "checkpoint": trained.path.stem,
        "epoch": trained.epoch,
        "weights": trained.weights,
        "images": len(chosen),
        "first_image": images.samples[chosen[0]].key,
        "device": gpu or platform.processor() or platform.machine(),
        "threads": torch.get_num_threads(),
    }


def _tell(measured: Measured, folder: RunFolder) -> int:
    """Of all that was measured under the present conditions, whenever."""
    if not measured.present():
        raise UserError("nothing could be measured: the lines above say why")
    found = [_facts(way, cost) for way, cost in measured.present()]
    marks = efficient_in(found)
    measured.mark([list(mark) for mark in marks])
    header, rows = ways_table(found)
    told = [[cell if isinstance(cell, str) else cell.told for cell in row] for row in rows]
    log.info("%s", table_text(f"{len(found)} ways, the fastest first", header, told))
    page = folder.evaluation / "pareto.html"
    about = {name.replace("_", " "): str(value) for name, value in measured.conditions.items()}
    write_text(page, pareto_page(f"{folder.path.resolve().name}: ways to run it", about, found))
    log.info("%s, %s", measured.path, page)
    return sum(map(bool, marks))


def _facts(way: Way, cost: Cost) -> WayFacts:
    return WayFacts(way.settings(), way.backend, cost.miou, cost.latency_ms, cost.memory_mb)
