"""Training and evaluation on meshes as a whole: the same loop, run folder and commands as for images."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest
import torch
from omegaconf import DictConfig
from sklearn.metrics import confusion_matrix

from segmentation.apps.comparison.compare import compare
from segmentation.apps.comparison.pictures import pictures_of
from segmentation.apps.comparison.read import read_compared
from segmentation.apps.config.check import faults_in
from segmentation.apps.dataset.augmentations import draw_augmentations
from segmentation.apps.evaluation.benchmark import benchmark_run
from segmentation.apps.evaluation.evaluate import evaluate_run
from segmentation.apps.runs.opened import load_trained, open_folder
from segmentation.apps.training.schedule import draw_rates
from segmentation.apps.training.train import train
from segmentation.build.data import build_source, build_split
from segmentation.build.feed import build_feed
from segmentation.build.predictor import predictor
from segmentation.build.training import build_options
from segmentation.data.sampler import TrainingBatches
from segmentation.errors import UserError
from segmentation.metrics.kept import KeptCounts
from segmentation.metrics.scores import metrics_from
from segmentation.outputs import labels_from
from segmentation.runtime.checkpoint import load_checkpoint
from segmentation.runtime.device import Precision
from segmentation.runtime.files import read_json
from segmentation.runtime.run_folder import RunFolder
from tests.conftest import Compose
from tests.data.mesh.mesh_files import AREAS, SMALL_RUN, write_boxes, write_ply
from tests.test_resume import assert_same_run

SIDE_AREAS = AREAS[::2] * 2  # m2, of two triangles each


@pytest.fixture
def boxes(tmp_path: Path) -> Path:
    """Four textured boxes to train on and two for validation."""
    return write_boxes(tmp_path / "boxes")


@pytest.fixture
def on_meshes(boxes: Path, composed: Compose) -> Compose:
    """`on_meshes("model=nomeformer", ...)`: a small run on the boxes."""

    def make(*overrides: str) -> DictConfig:
        data = ("dataset=mesh_folder", f"dataset.root={boxes}", "dataset.texture_dir=textures")
        chosen = any(given.startswith("model=") for given in overrides)
        return composed(*(() if chosen else ("model=nomeformer",)), *data, *SMALL_RUN, *overrides)

    return make


def evaluated(composed: Compose, run: Path, *overrides: str) -> float:
    return evaluate_run(composed(f"run={run}", "device=cpu", "resamples=100", *overrides, name="evaluate"))


@pytest.mark.parametrize("name", ["nomeformer", "nomeformer_textured"])
def test_a_run_on_meshes_is_complete_and_evaluation_gives_its_score(
    name: str, on_meshes: Compose, composed: Compose, tmp_path: Path
) -> None:
    folder = RunFolder(tmp_path / "run")
    best = train(on_meshes(f"model={name}", "loss.class_weights=enet", "trainer.max_checkpoints=1"), folder.path)
    history = read_json(folder.history)
    assert [row["step"] for row in history] == [
        4,
        8,
    ]  # 4 boxes of 3 clusters, 2 of them at once: each twice, 2 in a batch
    assert max(row["val/mDice"] for row in history) == best
    (mIoU,) = [row["val/mIoU"] for row in history if row["epoch"] == read_json(folder.summary)["best_epoch"]]
    assert "val/Dice/side3" in history[-1]
    assert {"best.pt", "last.pt", "average.pt"} <= {path.name for path in folder.checkpoints.iterdir()}
    assert evaluated(composed, folder.path) == mIoU
    found = json.loads((folder.evaluation / "val.json").read_text())
    assert found["images"] == 2
    assert {path.name for path in (folder.visualizations / "epoch_002").iterdir()} == {"val_4.png", "val_5.png"}
    assert (folder.evaluation / "val.html").read_text().count("data:image/jpeg") >= 2
    faces = np.load(folder.evaluation / "val.npz", allow_pickle=False)["confusion"].sum(axis=(1, 2))
    assert faces.tolist() == [12, 12], "each face once"
    assert evaluated(composed, folder.path, "from_counts=true") == mIoU


def words_of_images(page: Path) -> list[str]:
    """On a page, without its style, its script, its pictures and the command that made it."""
    said = page.read_text(encoding="utf-8").partition('id="how-it-was-made"')[0]
    shown = re.sub(r'<(style|script).*?</\1>|src="data:[^"]*"', "", said, flags=re.DOTALL)
    return re.findall(r".{20}\b(?:image|pixel)s?\b.{20}", shown)


@pytest.fixture
def scored(on_meshes: Compose, composed: Compose, tmp_path: Path) -> RunFolder:
    """A short run and its evaluation."""
    folder = RunFolder(tmp_path / "run")
    train(on_meshes("trainer.max_steps=1", "trainer.monitor=val/area_mIoU"), folder.path)
    evaluated(composed, folder.path)
    return folder


def test_a_mesh_is_scored_by_its_area_too(scored: RunFolder, composed: Compose) -> None:
    """The predictions of the evaluation, asked for again, and counted by scikit-learn with the areas as weights."""
    kept, (row,) = KeptCounts.load(scored.evaluation / "val.npz"), read_json(scored.history)
    run = open_folder(str(scored.path))[1]
    source = build_source(run.dataset)
    samples = build_split(run.dataset, source)["val"]
    trained = load_trained(composed(name="evaluate"), scored, run, source.classes, torch.device("cpu"))
    predict = predictor(trained.model, run, source, torch.device("cpu"), Precision("fp32", None, False))
    (batch, logits), ids = next(predict(samples)), range(len(source.classes))
    assert batch.weights is not None
    for key, said, truth, areas in zip(batch.keys, labels_from(logits), batch.target, batch.weights, strict=True):
        there = truth != source.classes.ignore_index
        expected = confusion_matrix(truth[there], said[there], labels=ids, sample_weight=areas[there].numpy())
        place = kept.keys.index(key)
        assert np.array_equal(kept.arrays["area"][place], expected)
        assert expected.sum(axis=1).tolist() == [round(1e6 * area) for area in (1 + int(key[-1]) / 4) ** 2 * SIDE_AREAS]
    result = read_json(scored.evaluation / "val.json")
    assert result["area_confusion"] == kept.arrays["area"].sum(axis=0).tolist()
    scores = metrics_from(result["area_confusion"], kept.names)
    for name in ("mIoU", "mDice", "kappa", "IoU/side1"):
        assert result["metrics"][f"val/area_{name}"] == pytest.approx(scores[name], nan_ok=True)
        assert row[f"val/area_{name}"] == result["metrics"][f"val/area_{name}"]
        assert f"train/area_{name}" in row
        assert len(result["intervals"][f"val/area_{name}"]) == 2
    assert result["metrics"]["val/area_accuracy"] == scores["pixel_accuracy"]
    summary = read_json(scored.summary)
    assert (summary["monitor"], summary["best_value"]) == ("val/area_mIoU", row["val/area_mIoU"])


def test_pages_speak_of_meshes_and_runs_are_compared_by_area_too(
    scored: RunFolder, composed: Compose, tmp_path: Path
) -> None:
    page = scored.evaluation / "val.html"
    for told in ("resamples of 2 meshes", "mIoU by area", "face accuracy", "of the area", "faces of side0"):
        assert told in page.read_text(encoding="utf-8")
    assert not words_of_images(page)
    assert "boundary width" not in page.read_text(encoding="utf-8")
    evaluated(composed, scored.path, "from_counts=true")
    assert "resamples of 2 meshes" in page.read_text(encoding="utf-8")
    assert not words_of_images(page)

    other = RunFolder(shutil.copytree(scored.path, tmp_path / "other"))
    config = scored.config.read_text(encoding="utf-8")
    other.config.write_text(config.replace("optimizer:", "optimizer:\n  rho: 1", 1), encoding="utf-8")
    kept = KeptCounts.load(other.evaluation / "val.npz")
    right = {name: np.apply_along_axis(np.diag, 1, kept.arrays[name].sum(axis=2)) for name in ("confusion", "area")}
    replace(kept, arrays={**kept.arrays, **right}).save(other.evaluation / "val.npz")
    (found,) = compare(composed(f"runs=[{scored.path},{other.path}]", f"output={tmp_path / 'out'}", name="compare"))
    before = read_json(scored.evaluation / "val.json")["metrics"]["val/area_accuracy"]
    assert found.differences["area_accuracy"].value == pytest.approx(1 - before)
    assert "noise of these meshes" in found.sentence()
    page = tmp_path / "out" / "compare.html"
    for told in ("The meshes that changed most", "area_mIoU", "area_IoU/side0", "evaluation, meshes/s"):
        assert told in page.read_text(encoding="utf-8")
    for not_told in ("area_mean_F1", "benchmark=true"):
        assert not_told not in page.read_text(encoding="utf-8")
    assert not words_of_images(page)


def test_two_runs_are_compared_with_pictures(on_meshes: Compose, composed: Compose, tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    train(on_meshes("trainer.max_steps=1", "trainer.visualization_interval=0"), one)
    evaluated(composed, one, "report=false")
    copytree(one, other)
    first, second = read_compared([str(one), str(other)], "val")[0]
    ((key, picture),) = pictures_of([(first, second, ["val/5"])], "cpu", None)[0]
    assert key == "val/5"
    above, below = np.split(picture, 2)
    np.testing.assert_array_equal(above, below)


def test_a_run_that_stops_and_goes_on_ends_equal(on_meshes: Compose, tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    train(on_meshes("trainer.epochs=3", "trainer.max_checkpoints=3"), whole)
    kept = whole / "checkpoints" / "epoch_001.pt"
    train(on_meshes("trainer.epochs=3", "trainer.max_checkpoints=3", f"trainer.resume={kept}"), parts)
    assert_same_run(whole, parts)


def test_what_the_data_gives_of_a_face_is_what_the_model_takes(on_meshes: Compose, tmp_path: Path) -> None:
    names = "dataset.features.names=[corners,log_area,height]"
    train(on_meshes(names, "trainer.max_steps=1", "trainer.ema_decay=null"), tmp_path / "run")
    weights = load_checkpoint(tmp_path / "run" / "checkpoints" / "last.pt")["model"]
    assert any(tensor.shape[-1:] == (3 * 11,) for key, tensor in weights.items() if "embedding" in key)


def test_meshes_come_as_often_as_they_have_clusters_to_show(on_meshes: Compose) -> None:
    cfg = on_meshes("dataset.clusters_per_batch=1", "trainer.batch_size=1")
    source = build_source(cfg.dataset)
    feed = build_feed(cfg, source, build_split(cfg.dataset, source), build_options(cfg, True), None)
    assert isinstance(feed.train.batch_sampler, TrainingBatches)
    batch = next(iter(feed.train))
    assert batch.inputs.mask.shape[1] == 1
    assert feed.val is not None
    (whole,) = list(feed.val)
    clusters = whole.inputs.mask.any(dim=2).sum(dim=1)
    assert len(feed.train) == 4 * int(clusters[0])
    assert whole.weights is not None
    assert torch.equal(whole.weights > 0, whole.inputs.mask)


def test_classes_are_balanced_by_their_faces(on_meshes: Compose, tmp_path: Path) -> None:
    train(on_meshes("trainer.sampling=class_balanced", "trainer.max_steps=1"), tmp_path / "run")
    assert read_json(tmp_path / "run" / "history.json")[0]["step"] == 1


def test_a_score_by_area_is_for_meshes(on_meshes: Compose, composed: Compose) -> None:
    monitors = [f"{option}=val/area_mIoU" for option in ("trainer.monitor", "trainer.early_stopping.monitor")]
    classes = "dataset.classes=[wall,roof]"
    usual = on_meshes(classes).trainer
    assert usual.monitor == usual.early_stopping.monitor == "val/mDice"
    assert faults_in(on_meshes(classes, *monitors)) == []
    assert faults_in(on_meshes(classes, "trainer.monitor=train/area_IoU/roof")) == []
    first, second = faults_in(composed(*monitors))
    assert first == "trainer.monitor=val/area_mIoU: there is no such metric; did you mean val/mIoU?"
    assert second.startswith("trainer.early_stopping.monitor=val/area_mIoU: there is no such metric")


def test_a_mesh_that_cannot_be_used_is_told_before_a_run_begins(
    on_meshes: Compose, boxes: Path, tmp_path: Path
) -> None:
    write_ply(boxes / "train" / "bad.ply", labels=None)
    with pytest.raises(UserError, match=r"bad\.ply"):
        train(on_meshes(), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_what_is_for_images_alone_refuses_meshes(on_meshes: Compose, composed: Compose, tmp_path: Path) -> None:
    options = ("dataset=mesh_folder", f"dataset.root={tmp_path / 'boxes'}", "model=nomeformer", "augmentation=mesh")
    with pytest.raises(UserError, match="this command is for images alone"):
        draw_augmentations(composed(*options, name="augmentations"))
    train(on_meshes("trainer.max_steps=1"), tmp_path / "run")
    for asked in ("label_errors=true", "tta.flips=[horizontal]", "tile=[64,64]"):
        with pytest.raises(UserError, match="this is a run on meshes"):
            evaluated(composed, tmp_path / "run", asked)
    with pytest.raises(UserError, match="benchmark=true is for images alone"):
        benchmark_run(composed(f"run={tmp_path / 'run'}", "benchmark=true", name="evaluate"))


def test_the_schedule_of_a_run_on_meshes_has_its_steps(
    boxes: Path, composed: Compose, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = ("dataset=mesh_folder", f"dataset.root={boxes}", "model=nomeformer", *SMALL_RUN)
    with caplog.at_level("INFO"):
        assert draw_rates(composed(*data, f"output={tmp_path / 'rates.png'}", name="schedule")).is_file()
    assert "8 steps, 2 epochs of 4" in caplog.text, "as many as a run has"


def test_other_data_is_of_the_same_kind_and_shown_alike(
    on_meshes: Compose, composed: Compose, boxes: Path, tmp_path: Path
) -> None:
    names = "dataset.features.names=[corners,log_area]"
    train(on_meshes("trainer.max_steps=1", names), tmp_path / "run")
    with pytest.raises(UserError, match=r"demo is for images, this is a run on meshes"):
        evaluated(composed, tmp_path / "run", "dataset=demo", f"dataset.root={tmp_path / 'demo'}")
    of_run = evaluated(composed, tmp_path / "run")
    other = ("dataset=mesh_folder", f"dataset.root={boxes}", "dataset.texture_dir=textures")
    assert evaluated(composed, tmp_path / "run", *other) == of_run
