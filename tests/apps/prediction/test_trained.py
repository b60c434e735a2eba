"""Runs as predict.py asks them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from segmentation.apps.evaluation.evaluate import evaluate_run
from segmentation.apps.prediction.predict import predict
from segmentation.apps.runs.opened import read_classes
from segmentation.build.data import build_source, build_split
from segmentation.build.feed import build_feed
from segmentation.build.training import build_options
from segmentation.errors import UserError
from segmentation.runtime.checkpoint import load_checkpoint, save_checkpoint
from segmentation.runtime.files import read_json, write_json
from segmentation.runtime.run_folder import RunFolder
from tests.conftest import Compose

USUAL = ("colour=false", "overlay=false")


def mask_of(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture)


@pytest.fixture
def other(scored: RunFolder, tmp_path: Path) -> RunFolder:
    """The same run with other weights."""
    folder = RunFolder(tmp_path / "other")
    for path in (scored.config, scored.classes, scored.splits, scored.environment):
        (folder.path / path.name).parent.mkdir(exist_ok=True)
        (folder.path / path.name).write_bytes(path.read_bytes())
    content = load_checkpoint(scored.checkpoint("best"))
    torch.manual_seed(7)
    weights = content["model"].items()
    changed = {
        name: value + 0.3 * torch.randn(value.shape) if value.is_floating_point() else value for name, value in weights
    }
    save_checkpoint(folder.checkpoint("best"), {**content, "model": changed})
    return folder


def test_the_masks_have_the_score_that_evaluation_gives(
    scored: RunFolder, tiny_root: Path, composed: Compose, tmp_path: Path
) -> None:
    evaluate_run(composed(f"run={scored.path}", "resamples=100", "report=false", name="evaluate"))
    expected = read_json(scored.evaluation / "val.json")["metrics"]
    (video,) = {Path(key).parts[0] for key in read_json(scored.splits)["val"]}
    images, labels = tiny_root / "Images" / video, tiny_root / "Labels" / video
    given = (f"input={images}", f"labels={labels}", "labels_format=palette", f"output={tmp_path / 'out'}", *USUAL)
    predict(composed(f"run={scored.path}", *given, name="predict"))
    metrics = read_json(tmp_path / "out" / "metrics.json")
    assert metrics["metrics"]["mIoU"] == pytest.approx(expected["val/mIoU"], abs=1e-12)
    assert metrics["images"] == 2
    first = next(iter(sorted(images.iterdir())))
    assert mask_of(tmp_path / "out" / "masks" / f"{first.stem}.png").shape == (48, 64), "that of the picture, not 32x64"


def test_several_runs_are_averaged(
    scored: RunFolder, other: RunFolder, tiny_root: Path, composed: Compose, tmp_path: Path
) -> None:
    def probabilities(run: str, name: str) -> np.ndarray:
        output = tmp_path / name
        given = (f"run={run}", f"input={tiny_root / 'Images'}", f"output={output}", "probabilities=npz", *USUAL)
        predict(composed(*given, name="predict"))
        stored: np.ndarray = np.load(next(iter(sorted(output.rglob("*.npz")))))["probabilities"]
        return stored.astype(np.float32)

    first, second = probabilities(f"{scored.path}", "a"), probabilities(f"{other.path}", "b")
    assert np.abs(first - second).max() > 0.05
    together = probabilities(f"[{scored.path},{other.path}]", "both")
    np.testing.assert_allclose(together, (first + second) / 2, atol=2e-3)


def test_runs_of_other_classes_are_not_averaged(
    scored: RunFolder, other: RunFolder, tiny_root: Path, composed: Compose, tmp_path: Path
) -> None:
    content = read_json(other.classes)
    content["classes"][0]["name"] = "signpost"
    write_json(other.classes, content)
    given = (f"run=[{scored.path},{other.path}]", f"input={tiny_root / 'Images'}", f"output={tmp_path / 'out'}")
    with pytest.raises(UserError, match=r"other has other classes than .*: missing \['traffic_sign'\], extra \['signp"):
        predict(composed(*given, name="predict"))
    assert not (tmp_path / "out").exists()


def test_pseudo_labels_are_a_data_set_to_train_on(
    scored: RunFolder, tiny_root: Path, small: Compose, composed: Compose, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    given = (f"run={scored.path}", f"input={tiny_root / 'Images'}", f"output={output}", "probabilities=npz", *USUAL)
    predict(composed(*given, name="predict"))
    sure = float(np.median([np.load(path)["probabilities"].max(axis=0) for path in output.rglob("*.npz")]))
    predict(composed(*given, "pseudo_labels=true", f"confidence={sure}", "overwrite=true", name="predict"))
    cfg = small("dataset=folder", f"dataset.root={output / 'pseudo_labels'}", "dataset.split={train:6,val:2,test:0}")
    source = build_source(cfg.dataset)
    assert source.classes == read_classes(scored.classes)
    assert len(source.samples) == 8
    feed = build_feed(cfg, source, build_split(cfg.dataset, source), build_options(cfg, True), None)
    assert next(iter(feed.train)).inputs.shape == (2, 3, 32, 64)
    sample = source.samples[0]
    mask, whole = source.read_mask(sample), mask_of(output / "masks" / f"{sample.key}.png")
    highest = np.load(output / "probabilities" / f"{sample.key}.npz")["probabilities"].max(axis=0)
    clear = np.abs(highest - sure) > 1e-3
    assert (mask == np.where(highest >= sure, whole, 255))[clear].all()
    assert 0 < (mask == 255).mean() < 1


def test_a_precision_and_a_size_can_be_asked_for(
    scored: RunFolder, tiny_root: Path, composed: Compose, tmp_path: Path
) -> None:
    given = (f"run={scored.path}", f"input={tiny_root / 'Images'}", f"output={tmp_path / 'out'}", *USUAL)
    predict(composed(*given, "image_size=stored", "device=cpu", "precision=fp32", "tile=[32,32]", name="predict"))
    sizes = {mask_of(path).shape for path in (tmp_path / "out" / "masks").rglob("*.png")}
    assert sizes == {(48, 64)}


def test_a_run_that_is_none_is_told(composed: Compose, tmp_path: Path) -> None:
    given = (f"run={tmp_path}", f"input={tmp_path}", f"output={tmp_path / 'out'}")
    with pytest.raises(UserError, match=r"is no run folder"):
        predict(composed(*given, name="predict"))
