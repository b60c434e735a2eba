"""Runs on meshes as predict.py asks them."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import trimesh
from omegaconf import OmegaConf

from segmentation.apps.config.prediction import OF_IMAGES
from segmentation.apps.evaluation.evaluate import evaluate_run
from segmentation.apps.prediction.predict import predict
from segmentation.apps.runs.opened import read_classes
from segmentation.build.model import build_model
from segmentation.build.training import build_options
from segmentation.data.mesh.formats.ply import read_ply
from segmentation.data.mesh.layouts.mesh_folder import mesh_folder
from segmentation.errors import UserError
from segmentation.runtime.checkpoint import save_checkpoint
from segmentation.runtime.files import read_json
from segmentation.runtime.run_folder import RunFolder
from tests.apps.conftest import described
from tests.apps.prediction.conftest import files_in
from tests.conftest import ROOT, Compose
from tests.data.mesh.mesh_files import AREAS, BOX, SIDES, SMALL_RUN, write_boxes, write_obj, write_ply

PredictMeshes = Callable[..., Path]


@pytest.fixture
def boxes(tmp_path: Path) -> Path:
    return write_boxes(tmp_path / "boxes", train=1, val=2)


@pytest.fixture
def run(boxes: Path, composed: Compose, tmp_path: Path) -> RunFolder:
    """A run with a checkpoint of a network that was not trained; it looks at textures."""
    data = ("dataset=mesh_folder", f"dataset.root={boxes}", "dataset.texture_dir=textures")
    cfg = composed("model=nomeformer_textured", "augmentation=mesh", *data, *SMALL_RUN, "loss.class_weights=null")
    folder = described(cfg, tmp_path / "run")
    torch.manual_seed(3)
    options = build_options(cfg, True)
    model = build_model(cfg, read_classes(folder.classes), options, torch.device("cpu"), pretrained=False)
    weights = {name: value * 3 if value.ndim > 1 else value for name, value in model.state_dict().items()}
    save_checkpoint(folder.checkpoint("best"), {"model": weights, "epoch": 1})
    return folder


@pytest.fixture
def predicted(run: RunFolder, boxes: Path, composed: Compose, tmp_path: Path) -> PredictMeshes:
    """`predicted("threads=1", ...)`: of boxes/val into `out`, as predict.py does; the folder of the results."""
    usual = (f"run={run.path}", f"input={boxes / 'val'}", f"output={tmp_path / 'out'}", "overlay=false")

    def ask(*options: str) -> Path:
        given = {option.partition("=")[0] for option in options}
        cfg = composed(*(one for one in usual if one.partition("=")[0] not in given), *options, name="predict")
        predict(cfg)
        return Path(cfg.output)

    return ask


def labels_of(path: Path) -> np.ndarray:
    labels = read_ply(path).labels
    assert labels is not None
    return labels


def test_the_faces_have_the_classes_that_evaluation_counts(
    predicted: PredictMeshes, run: RunFolder, boxes: Path, composed: Compose
) -> None:
    out = predicted()
    evaluate_run(composed(f"run={run.path}", "resamples=100", "report=false", name="evaluate"))
    counted = np.load(run.evaluation / "val.npz", allow_pickle=False)["confusion"]
    for confusion, name in zip(counted, ("1", "2"), strict=True):
        said, truth = labels_of(out / f"meshes/{name}.ply"), labels_of(boxes / f"val/{name}.ply")
        assert len(np.unique(said)) > 1, "a network that says the same of all faces would show nothing"
        by_hand = np.zeros((6, 6), int)
        np.add.at(by_hand, (truth, said), 1)
        assert (confusion[:, :6] == by_hand).all()


def test_the_labels_of_the_input_do_not_matter(predicted: PredictMeshes, boxes: Path, tmp_path: Path) -> None:
    first = predicted()
    mesh = read_ply(boxes / "val/1.ply")
    assert mesh.uv is not None
    rng = np.random.default_rng(1)
    faces = {"uv": mesh.uv.reshape(12, 6), "images": ["wall.png"], "image": np.zeros(12, int)}
    more = {name: ("float", rng.random(12)) for name in ("face_segment_id", "label_probabilities", "red")}
    others = {"none": (None, None), "wrong": (rng.integers(50, 99, 12), more)}
    for name, (labels, leaking) in others.items():
        write_ply(boxes / f"{name}/1.ply", mesh.vertices, labels=labels, more=leaking, **faces)  # type: ignore[arg-type]
        second = predicted(f"input={boxes / name}", f"output={tmp_path / name}")
        assert (first / "meshes/1.ply").read_bytes() == (second / "meshes/1.ply").read_bytes(), name


def test_a_folder_of_results_tells_of_all(predicted: PredictMeshes, boxes: Path) -> None:
    out = predicted(f"input={boxes}", "overlay=true")
    assert {str(path.relative_to(out)) for path in out.rglob("*.png")} == {
        f"overlay/{key}.png" for key in ("train/0", "val/1", "val/2")
    }
    assert sorted(name for name in files_in(out) if name.endswith(".ply")) == [
        f"meshes/{key}.ply" for key in ("train/0", "val/1", "val/2")
    ]
    lines = (out / "summary.csv").read_text().splitlines()
    row = dict(zip(lines[0].split(","), lines[1].split(","), strict=True))
    assert (row["input"], row["faces"]) == ("train/0", "12")
    assert float(row["area_m2"]) == AREAS.sum()
    said = labels_of(out / "meshes/train/0.ply")
    for number in range(6):
        assert float(row[f"share/side{number}"]) == pytest.approx((said == number).mean(), abs=1e-6)
        by_area = AREAS[said == number].sum() / AREAS.sum()
        assert float(row[f"share_by_area/side{number}"]) == pytest.approx(by_area, abs=1e-6)
    page = (out / "index.html").read_text()
    assert "share of area" in page
    assert page.count("data:image/") == 3
    assert "pixels" not in page
    assert not {"tile", "crf"} & read_json(out / "predict.json").keys()


def test_bad_meshes_are_told_together_and_the_others_done(predicted: PredictMeshes, boxes: Path) -> None:
    write_ply(boxes / "val/nan.ply", np.where(BOX == 3, np.nan, BOX))
    write_ply(boxes / "val/no_picture.ply", uv=np.zeros((12, 6)), images=["lost.png"], image=np.zeros(12, int))
    (boxes / "val/broken.ply").write_text("ply\n")
    with pytest.raises(UserError, match=r"^3 of 5 inputs could not be done in whole") as error:
        predicted()
    told = str(error.value)
    assert "nan.ply: 4 vertices are not finite" in told
    assert "no_picture.ply names 1 texture images that are not in" in told
    assert "broken.ply cannot be read as PLY" in told
    out = boxes.parent / "out"
    assert {path.stem for path in (out / "meshes").iterdir()} == {"1", "2"}
    assert "broken.ply" in (out / "index.html").read_text()


def test_a_mesh_without_texture_is_done_and_told(
    predicted: PredictMeshes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_obj(tmp_path / "plain/quads.obj", obj_of_quads())
    out = predicted(f"input={tmp_path / 'plain/quads.obj'}")
    assert "quads.obj shows no texture, which the model was trained with" in caplog.text
    assert "quads.obj: its 6 polygons became 12 triangles" in caplog.text
    assert len(labels_of(out / "meshes/quads.ply")) == 12


def obj_of_quads() -> str:
    vertices = "".join(f"v {x} {y} {z}\n" for x, y, z in BOX)
    return vertices + "".join(f"f {' '.join(str(corner + 1) for corner in side)}\n" for side in SIDES)


def test_it_goes_on_where_it_was_stopped(predicted: PredictMeshes) -> None:
    out = predicted()
    whole, written = files_in(out), (out / "meshes/1.ply").stat().st_mtime_ns
    (out / "meshes/2.ply").unlink()
    with pytest.raises(UserError, match=r"holds results of .*run: give another output, skip_existing=true"):
        predicted()
    predicted("skip_existing=true")
    assert (out / "meshes/1.ply").stat().st_mtime_ns == written
    assert (out / "meshes/2.ply").read_bytes() == whole["meshes/2.ply"]
    predicted("overwrite=true")
    assert (out / "meshes/1.ply").read_bytes() == whole["meshes/1.ply"]


def test_pseudo_labels_are_a_data_set_to_train_on(predicted: PredictMeshes, boxes: Path) -> None:
    confidence = float(np.median(confidence_of(predicted())))
    out = predicted("pseudo_labels=true", f"confidence={confidence}", "threads=1", "overwrite=true")
    source = mesh_folder(str(out / "pseudo_labels"))
    assert source.classes.names == tuple(f"side{number}" for number in range(6))
    kept = []
    for sample in source.samples:
        labels, whole = source.read(sample).labels, labels_of(out / f"meshes/{sample.key}.ply")
        assert labels is not None
        kept.append(labels != 255)
        assert (labels[kept[-1]] == whole[kept[-1]]).all()
    assert 0 < np.mean(kept) < 1


def test_several_runs_are_averaged(predicted: PredictMeshes, run: RunFolder, tmp_path: Path) -> None:
    other = RunFolder(tmp_path / "other")
    shutil.copytree(run.path, other.path)
    cfg = OmegaConf.load(other.config)
    cfg.dataset.faces_per_cluster = 12  # clusters of its own
    OmegaConf.save(cfg, other.config)
    first, second = (
        confidence_of(predicted(f"run={one.path}", f"output={tmp_path / one.path.name}-out")) for one in (run, other)
    )
    together = confidence_of(predicted(f"run=[{run.path},{other.path}]", f"output={tmp_path / 'both'}"))
    assert not np.allclose(first, second)
    assert (together <= (first + second) / 2 + 1e-6).all(), "the mean's highest is at most the mean of the highest"


def confidence_of(out: Path) -> np.ndarray:
    loaded: Any = trimesh.load(out / "meshes/1.ply", process=False)
    return np.asarray(loaded.metadata["_ply_raw"]["face"]["data"]["confidence"])


def test_options_of_images_are_refused_together(predicted: PredictMeshes) -> None:
    with pytest.raises(
        UserError, match=r"^tile, tta.flips, crf.iterations, thresholds: for images, and .*run is a run"
    ):
        predicted("tile=[64,64]", "tta.flips=[horizontal]", "thresholds=0.5", "crf.iterations=3")


def test_options_of_images_are_what_they_are_unless_given() -> None:
    usual: Any = OmegaConf.load(ROOT / "conf/predict/predict.yaml")
    assert {name: usual[name] for name in OF_IMAGES} == OF_IMAGES


def test_runs_on_meshes_and_on_images_are_not_averaged(
    predicted: PredictMeshes, run: RunFolder, tmp_path: Path
) -> None:
    other = RunFolder(tmp_path / "other")
    shutil.copytree(run.path, other.path)
    cfg = OmegaConf.load(other.config)
    cfg.model._target_ = "segmentation.models.image.unet"
    OmegaConf.save(cfg, other.config)
    with pytest.raises(
        UserError, match=r"other is a run on images, .*run is a run on meshes: they cannot be averaged$"
    ):
        predicted(f"run=[{other.path},{run.path}]")
