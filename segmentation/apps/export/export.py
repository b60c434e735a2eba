"""export.py: the model of a run as one file that takes stored pixels, proven to say what the model says."""

import logging
import platform
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig

from segmentation.apps.config.check import faults_in_export, refuse_meshes
from segmentation.apps.export.formats import FORMATS, in_numpy
from segmentation.apps.export.metadata import metadata_of
from segmentation.apps.export.package import refuse_unpackable, write_package
from segmentation.apps.export.pictures import ProofPictures, validation_images
from segmentation.apps.export.write import (
    failing_in_one_line,
    folder_beside,
    halved,
    unwritable_in_one_line,
    write_onnx_in,
)
from segmentation.apps.runs.opened import classes_of, load_trained, open_run_as_it_was
from segmentation.build.make import plain
from segmentation.engine.proof import Proof, prove
from segmentation.errors import UserError
from segmentation.inference.deployed import Deployed
from segmentation.inference.onnx_file import seal
from segmentation.inference.options import post_processing
from segmentation.runtime.console import progress_bar, table_text
from segmentation.runtime.files import link_or_copy, read_json, write_json, write_text
from segmentation.runtime.run_folder import RunFolder, read_written

log = logging.getLogger("segmentation")
CPU = torch.device("cpu")


def export_run(cfg: DictConfig) -> float:
    """Write the file that `cfg` describes, prove it, tell what was found, and return the pixels' agreement in [0, 1].

    The file appears under its name when it is proven; what was there before stays until then. Raises `UserError` for
    what cannot be exported, and for a file that differs from the model by more than its precision allows.
    """
    folder, run = open_run_as_it_was(cfg, faults_in_export)
    refuse_meshes(run)
    kind = FORMATS[cfg.format]
    kind.refuse_missing(cfg.format)
    path = _path(cfg, folder)
    classes = classes_of(folder)
    decision = post_processing({name: plain(cfg)[name] for name in ("thresholds", "otherwise")}, classes)
    run.trainer.channels_last = False  # how tensors lie in memory is of no use to a file
    trained = load_trained(cfg, folder, run, classes, CPU)
    images = validation_images(run, folder, classes, cfg.dataset.root)
    if cfg.precision == "int8" and images is None:
        raise UserError("precision=int8 is calibrated on validation images: give dataset.root=PATH, the run's data")
    pictures = ProofPictures(run, images, cfg.layout)
    deployed = Deployed(
        trained.model, cfg.layout, pictures.max_value, cfg.probabilities, decision.thresholds, decision.otherwise
    )
    metadata = metadata_of(folder, run, trained, deployed, classes, cfg.precision)
    if cfg.package:
        refuse_unpackable(metadata)
    if metadata["confidence"] is None:
        log.info("no recommended confidence: it follows from evaluate.py run=%s, for the best checkpoint", cfg.run)

    proof_images = pictures.chosen(cfg.proof_images)
    with unwritable_in_one_line(path), folder_beside(path) as temporary:
        file = temporary / path.name
        log.info("writing %s: %s, epoch %d, %s weights", path, trained.path, trained.epoch, trained.weights)
        with failing_in_one_line(f"format={cfg.format}: this model cannot be exported"):
            _write(cfg, deployed, pictures, proof_images, metadata, file)
            exported = kind.open(file)
        with progress_bar("proving", pictures.number(proof_images)) as bar:
            proof = prove(pictures.of(proof_images), in_numpy(deployed), exported, classes, bar.advance)
        fault = proof.fault(cfg.precision)
        if fault is not None:
            raise UserError(f"{path.name} is not what the model is and was deleted: {fault}")
        link_or_copy(file, path)
    record = _record(cfg, proof, path, metadata, len(proof_images))
    _tell(record, path)
    _add(record, path)
    if cfg.format == "tensorrt":
        _write_trtexec(path, deployed, pictures.bands)
    if cfg.package:
        log.info("the package: %s", write_package(path, folder, run, metadata, record, cfg.data_licence))
    return proof.agreement_of_all


def _path(cfg: DictConfig, folder: RunFolder) -> Path:
    suffix = FORMATS[cfg.format].suffix
    precision = "" if cfg.precision == "fp32" else f"-{cfg.precision}"
    path = folder.export / f"model{precision}{suffix}" if cfg.output is None else Path(cfg.output)
    ending = Path(f"model{suffix}").suffix
    if path.suffix != ending:
        raise UserError(f"output={cfg.output}: a file of format={cfg.format} ends with {ending}")
    if path.is_dir():
        raise UserError(f"output={cfg.output} is a folder: name a file")
    return path


def _write(
    cfg: DictConfig,
    deployed: Deployed,
    pictures: ProofPictures,
    proof_images: list[int],
    metadata: Mapping[str, Any],
    file: Path,
) -> None:
    write = FORMATS[cfg.format].write
    if write is None:
        calibration = pictures.chosen(cfg.calibration_images, without=proof_images)
        write_onnx_in(cfg.precision, deployed, pictures, calibration, file, cfg.opset)
        seal(file, metadata, cfg.opset)
    else:
        write(halved(deployed) if cfg.precision == "fp16" else deployed, pictures.example(), file, metadata)


def _record(cfg: DictConfig, proof: Proof, path: Path, metadata: Mapping[str, Any], images: int) -> dict[str, Any]:
    runtime = FORMATS[cfg.format].runtime
    return {
        "format": cfg.format,
        "precision": cfg.precision,
        "layout": cfg.layout,
        "checkpoint": metadata["checkpoint"],
        "epoch": metadata["epoch"],
        "weights": metadata["weights"],
        "bytes": path.stat().st_size,
        "runtime": f"{runtime} {import_module(runtime).__version__}",
        "processor": platform.processor() or platform.machine(),
        "threads": torch.get_num_threads(),
        "proven_on": f"{images} validation images" if images else "noise",
        "pixel_agreement": proof.agreement_of_all,
        "pixel_agreement_by_picture": dict(proof.agreement),
        "mIoU": proof.miou,
        "mIoU_eager": proof.eager_miou,
        "mIoU_difference": proof.miou - proof.eager_miou,
        "latency_ms": round(proof.ms, 3),
        "latency_ms_eager": round(proof.eager_ms, 3),
    }


def _tell(record: Mapping[str, Any], path: Path) -> None:
    worst = min(record["pixel_agreement_by_picture"].values())
    rows = [
        ["pixels that agree", f"{100 * record['pixel_agreement']:.4f} %"],
        ["in the worst picture", f"{100 * worst:.4f} %"],
        ["mIoU", f"{record['mIoU']:.4f}"],
        ["mIoU less that of the model", f"{record['mIoU_difference']:+.4f}"],
        ["latency, ms", f"{record['latency_ms']:.1f}"],
        ["latency of the model, ms", f"{record['latency_ms_eager']:.1f}"],
        ["size, MB", f"{record['bytes'] / 1e6:.2f}"],
    ]
    log.info("%s", table_text(f"{path.name}, proven on {record['proven_on']}", ["", record["runtime"]], rows))


def _add(record: Mapping[str, Any], path: Path) -> None:
    """To export.json beside the file, which has an entry for each file of the folder."""
    known = path.with_name("export.json")
    records = read_written(known, read_json, "delete it: the next export writes it anew") if known.is_file() else {}
    write_json(known, {**records, path.name: record})


def _write_trtexec(path: Path, deployed: Deployed, bands: int) -> None:
    """The engine depends on the GPU and on TensorRT's version, so it is made where it is used."""

    def shape(batch: int, side: int) -> str:
        sides = (batch, side, side, bands) if deployed.layout == "nhwc" else (batch, bands, side, side)
        return "pixels:" + "x".join(map(str, sides))

    engine, command = path.with_suffix(".engine"), path.with_suffix(".trtexec.sh")
    shapes = f"--minShapes={shape(1, 32)} --optShapes={shape(1, 512)} --maxShapes={shape(8, 2048)}"
    write_text(command, f"trtexec --onnx={path.name} --saveEngine={engine.name} {shapes}\n")
    log.warning("TensorRT (trtexec) makes the engine on the GPU that is to run it; the command: %s", command)
