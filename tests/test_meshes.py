"""Training and evaluation on meshes as a whole: the same loop, run folder and commands as for images."""

import json
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest
import torch
from omegaconf import DictConfig

from segmentation.apps.comparison.pictures import pictures_of
from segmentation.apps.comparison.read import read_compared
from segmentation.apps.dataset.augmentations import draw_augmentations
from segmentation.apps.evaluation.evaluate import evaluate_run
from segmentation.apps.training.schedule import draw_rates
from segmentation.apps.training.train import train
from segmentation.build.data import build_source, build_split
from segmentation.build.feed import build_feed
from segmentation.build.training import build_options
from segmentation.data.sampler import TrainingBatches
from segmentation.errors import UserError
from segmentation.runtime.checkpoint import load_checkpoint
from segmentation.runtime.files import read_json
from segmentation.runtime.run_folder import RunFolder
from tests.conftest import Compose
from tests.data.mesh.mesh_files import SMALL_RUN, write_boxes, write_ply
from tests.test_resume import assert_same_run


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
    assert max(row["val/mIoU"] for row in history) == best
    assert "val/Dice/side3" in history[-1]
    assert {"best.pt", "last.pt", "average.pt"} <= {path.name for path in folder.checkpoints.iterdir()}
    assert evaluated(composed, folder.path) == best
    found = json.loads((folder.evaluation / "val.json").read_text())
    assert found["images"] == 2
    assert {path.name for path in (folder.visualizations / "epoch_002").iterdir()} == {"val_4.png", "val_5.png"}
    assert (folder.evaluation / "val.html").read_text().count("data:image/jpeg") >= 2
    faces = np.load(folder.evaluation / "val.npz", allow_pickle=False)["confusion"].sum(axis=(1, 2))
    assert faces.tolist() == [12, 12], "each face once"
    assert evaluated(composed, folder.path, "from_counts=true") == best


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


def test_a_mesh_that_cannot_be_used_is_told_before_a_run_begins(
    on_meshes: Compose, boxes: Path, tmp_path: Path
) -> None:
    write_ply(boxes / "train" / "bad.ply", labels=None)
    with pytest.raises(UserError, match=r"bad\.ply"):
        train(on_meshes(), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_what_is_for_images_alone_refuses_meshes(on_meshes: Compose, composed: Compose, tmp_path: Path) -> None:
    options = ("dataset=mesh_folder", f"dataset.root={tmp_path / 'boxes'}", "model=nomeformer", "augmentation=mesh")
    with pytest.raises(UserError, match="this command is for images"):
        draw_augmentations(composed(*options, name="augmentations"))
    train(on_meshes("trainer.max_steps=1"), tmp_path / "run")
    for asked in ("label_errors=true", "tta.flips=[horizontal]", "tile=[64,64]"):
        with pytest.raises(UserError, match="this is a run on meshes"):
            evaluated(composed, tmp_path / "run", asked)


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
