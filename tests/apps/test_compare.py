"""Runs compared by what evaluation kept: what is told, and which runs are refused."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from omegaconf import DictConfig

from segmentation.apps.compare import compare
from segmentation.apps.compare_pictures import pictures_of
from segmentation.apps.trained import classes_of
from segmentation.errors import UserError
from segmentation.metrics.kept import KeptCounts
from segmentation.runtime.files import read_json, write_json, write_text
from segmentation.runtime.run_folder import RunFolder
from tests.conftest import Compose, Run

NAMES = ("road", "tree", "car")
KEYS = tuple(f"image_{place:02d}" for place in range(40))


def confusion(right: Sequence[float], truth: int = 1000) -> np.ndarray:
    """`[N, 3, 3]` of images in which every class has so many pixels and this share of them is right."""
    hits = np.round(np.array(right) * truth).astype(np.int64)
    matrices = np.zeros((len(right), 3, 3), np.int64)
    for index in range(3):
        matrices[:, index, index] = hits
        matrices[:, index, (index + 1) % 3] = truth - hits
    return matrices


def shares(mean: float, seed: int, spread: float = 0.05) -> np.ndarray:
    return np.clip(np.random.default_rng(seed).normal(mean, spread, len(KEYS)), 0, 1)


def evaluated(
    path: Path,
    right: Sequence[float] | np.ndarray,
    config: str = "seed: 0\noptimizer: {lr: 0.1}",
    keys: Sequence[str] = KEYS,
    names: Sequence[str] = NAMES,
    groups: Sequence[str] | None = None,
    truth: int = 1000,
    evaluation: str = "val",
) -> Path:
    """A run folder with what a comparison reads."""
    folder = RunFolder(path)
    write_text(folder.config, config)
    counts = KeptCounts(tuple(keys), tuple(groups or keys), tuple(names), {"confusion": confusion(list(right), truth)})
    counts.save(folder.evaluation / f"{evaluation}.npz")
    write_json(
        folder.evaluation / f"{evaluation}.json",
        {"metrics": {}, "checkpoint": "best.pt", "seconds": 4.0, "images_per_second": 10.0},
    )
    return path


@pytest.fixture
def comparison(tmp_path: Path, composed: Compose) -> Any:
    """`comparison(A, B, ..., "key=value")`: the configuration that compares these runs; writes to tmp_path/out."""

    def make(*given: Path | str) -> DictConfig:
        runs = ",".join(str(path) for path in given if isinstance(path, Path))
        options = [option for option in given if isinstance(option, str)]
        output = f"output={tmp_path / 'out'}"
        return composed(f"runs=[{runs}]", "resamples=500", output, *options, name="compare")

    return make


def written(tmp_path: Path) -> dict[str, Any]:
    content: dict[str, Any] = read_json(tmp_path / "out" / "compare.json")
    return content


def test_the_same_predictions_differ_by_nothing(tmp_path: Path, comparison: Compose) -> None:
    right = shares(0.8, 1)
    first, second = evaluated(tmp_path / "a", right), evaluated(tmp_path / "b", right, "seed: 0\noptimizer: {lr: 0.2}")
    (found,) = compare(comparison(first, second))
    for difference in found.differences.values():
        assert (difference.value, difference.low, difference.high, difference.above) == (0, 0, 0, 0.5)
    assert found.beyond_noise is False
    assert "is equal to that of a, which is within noise" in found.sentence()
    assert found.changes() == []


def test_an_improvement_is_found(tmp_path: Path, comparison: Compose) -> None:
    """By 0.01 on every image, where images differ by 0.05: the pairing finds it."""
    right = shares(0.8, 1)
    first = evaluated(tmp_path / "a", right)
    second = evaluated(tmp_path / "b", right + 0.01, "seed: 0\noptimizer: {lr: 0.2}")
    (found,) = compare(comparison(first, second))
    accuracy = found.differences["pixel_accuracy"]
    assert accuracy.value == pytest.approx(0.01, abs=1e-4)
    assert accuracy.low > 0.009
    assert accuracy.above == 1
    assert found.beyond_noise is True
    assert "above that of a, which is beyond noise" in found.sentence()
    content = written(tmp_path)
    assert content["comparisons"][0]["beyond_noise"] is True
    assert content["comparisons"][0]["configuration"] == {"optimizer.lr": [0.1, 0.2]}
    assert content["comparisons"][0]["differences"]["IoU/car"]["value"] > 0
    page = (tmp_path / "out" / "compare.html").read_text()
    assert "beyond noise" in page
    assert "optimizer.lr" in page


def test_other_noise_is_within_noise(tmp_path: Path, comparison: Compose) -> None:
    first = evaluated(tmp_path / "a", shares(0.8, 1))
    second = evaluated(tmp_path / "b", shares(0.8, 2), "seed: 0\noptimizer: {lr: 0.2}")
    (found,) = compare(comparison(first, second))
    assert found.beyond_noise is False
    assert 0.02 < found.differences["mIoU"].above < 0.98


def test_the_images_that_changed_most_are_named(tmp_path: Path, comparison: Compose) -> None:
    right = np.full(len(KEYS), 0.8)
    changed = right.copy()
    changed[[3, 7, 11, 19]] = [0.9, 0.95, 0.4, 0.7]
    first, second = evaluated(tmp_path / "a", right), evaluated(tmp_path / "b", changed, "seed: 0\nmodel: unet")
    (found,) = compare(comparison(first, second))
    assert [(change.key, round(change.value, 3)) for change in found.changes()] == [
        ("image_07", 0.15),
        ("image_03", 0.1),
        ("image_11", -0.4),
        ("image_19", -0.1),
    ]


def test_runs_are_paired_by_key_whatever_their_order(tmp_path: Path, comparison: Compose) -> None:
    right = shares(0.8, 1)
    first = evaluated(tmp_path / "a", right)
    second = evaluated(tmp_path / "b", right[::-1], "seed: 0\nmodel: unet", keys=KEYS[::-1])
    (found,) = compare(comparison(first, second))
    assert found.differences["mIoU"].low == found.differences["mIoU"].high == 0


def test_frames_of_videos_are_resampled_in_blocks(tmp_path: Path, comparison: Compose) -> None:
    """The difference comes and goes in runs of ten frames: alone, frames would look far surer than they are."""
    right, videos = np.full(len(KEYS), 0.8), ["v0"] * 20 + ["v1"] * 20
    wave = right + 0.1 * np.repeat([1, -1, 1, -1], 10)
    config = "seed: 0\nmodel: unet"
    a, b = evaluated(tmp_path / "a", right, groups=videos), evaluated(tmp_path / "b", wave, config, groups=videos)
    (found,) = compare(comparison(a, b))
    assert found.block_length > 1
    assert any(
        f"frames of 2 videos and resemble their neighbours: resampled in blocks of {found.block_length}" in note
        for note in found.notes()
    )
    alone, wave_alone = evaluated(tmp_path / "c", right), evaluated(tmp_path / "d", wave, config)
    (single,) = compare(comparison(alone, wave_alone))
    assert single.block_length == 1
    wide, narrow = found.differences["pixel_accuracy"], single.differences["pixel_accuracy"]
    assert wide.high - wide.low > 1.2 * (narrow.high - narrow.low)


def test_seeds_of_one_configuration_are_one_group(tmp_path: Path, comparison: Compose) -> None:
    """Means of mIoU where a share p is right in every class: p / (2 - p)."""
    base = [evaluated(tmp_path / f"base_{seed}", [p] * 40, f"seed: {seed}\nlr: 1") for seed, p in ((0, 0.5), (1, 0.8))]
    other = evaluated(tmp_path / "other", [0.9] * 40, "seed: 0\nlr: 2")
    (found,) = compare(comparison(base[0], other, base[1]))
    assert [len(group.runs) for group in (found.baseline, found.other)] == [2, 1]
    means = [0.5 / 1.5, 0.8 / 1.2]
    assert found.differences["mIoU"].value == pytest.approx(0.9 / 1.1 - np.mean(means))
    group = written(tmp_path)["groups"][0]
    assert (group["name"], group["n"]) == ("base_0 and another seed", 2)
    assert group["mean"]["mIoU"] == pytest.approx(np.mean(means))
    assert group["std"]["mIoU"] == pytest.approx(np.std(means, ddof=1))
    assert any("Of other there is one seed:" in note for note in found.notes())


def test_seeds_alone_are_compared_one_by_one(tmp_path: Path, comparison: Compose) -> None:
    runs = [evaluated(tmp_path / f"seed_{seed}", shares(0.8, seed), f"seed: {seed}\nlr: 1") for seed in range(3)]
    found = compare(comparison(*runs))
    assert [each.other.name for each in found] == ["seed_1", "seed_2"]


def test_every_other_run_is_compared_with_the_first(tmp_path: Path, comparison: Compose) -> None:
    runs = [evaluated(tmp_path / name, shares(0.8, place), f"lr: {place}") for place, name in enumerate("abc")]
    found = compare(comparison(*runs))
    assert [(each.baseline.name, each.other.name) for each in found] == [("a", "b"), ("a", "c")]


def test_runs_of_one_name_are_told_apart_by_their_folders(tmp_path: Path, comparison: Compose) -> None:
    runs = [evaluated(tmp_path / sweep / "0", shares(0.8, 1), f"lr: {sweep}") for sweep in ("one", "two")]
    (found,) = compare(comparison(*runs))
    assert (found.baseline.name, found.other.name) == ("one/0", "two/0")


def test_other_evaluations_of_the_runs_are_compared_by_choice(tmp_path: Path, comparison: Compose) -> None:
    for name, right in (("a", 0.8), ("b", 0.9)):
        evaluated(tmp_path / name, [right] * 40, f"name: {name}", evaluation="test-last")
    compare(comparison(tmp_path / "a", tmp_path / "b", "split=test", "checkpoint=last"))
    assert written(tmp_path)["evaluation"] == "test-last"


def test_costs_are_told(tmp_path: Path, comparison: Compose) -> None:
    a, b = (evaluated(tmp_path / name, [0.8] * 40, f"name: {name}") for name in "ab")
    write_json(a / "summary.json", {"parameters": 1234567, "seconds": 60.5})
    timed = {"latency": {"p50": 12.5}, "image_size": [360, 480], "device": "cpu", "parameters": 7}
    write_json(b / "evaluation" / "benchmark.json", timed)
    compare(comparison(a, b))
    costs = [group["runs"][0]["cost"] for group in written(tmp_path)["groups"]]
    assert (costs[0]["parameters"], costs[0]["training_seconds"], costs[0]["latency_p50_ms"]) == (1234567, 60.5, None)
    assert (costs[1]["parameters"], costs[1]["latency_p50_ms"], costs[1]["images_per_second"]) == (7, 12.5, 10.0)
    assert "1,234,567" in (tmp_path / "out" / "compare.html").read_text()


@pytest.fixture
def two_runs(scored: RunFolder, tmp_path: Path) -> tuple[Path, Path]:
    """Runs with a checkpoint each, on data that is there, with counts that differ."""
    copy = tmp_path / "copy"
    shutil.copytree(scored.path, copy)
    keys, names = read_json(scored.splits)["val"], classes_of(scored).names
    for path, pixels in ((scored.path, (5, 6)), (copy, (9, 2))):
        folder, counts = RunFolder(path), np.zeros((2, len(names), len(names)), np.int64)
        counts[:, 0, 0], counts[:, 0, 1] = pixels, np.subtract(10, pixels)
        KeptCounts(tuple(keys), ("v", "v"), names, {"confusion": counts}).save(folder.evaluation / "val.npz")
        result = {"metrics": {}, "checkpoint": str(folder.checkpoint("best")), "weights": "raw", "precision": "fp32"}
        write_json(folder.evaluation / "val.json", result)
    return scored.path, copy


def test_images_that_changed_are_drawn_as_both_runs_see_them(
    two_runs: tuple[Path, Path], tmp_path: Path, comparison: Compose
) -> None:
    (found,) = compare(comparison(*two_runs))
    page = (tmp_path / "out" / "compare.html").read_text()
    assert page.count("data:image/jpeg") == 2
    keys = read_json(two_runs[0] / "splits.json")["val"]
    (better, first), (worse, _) = pictures_of([found.baseline.runs[0], found.other.runs[0]], keys, None, None)
    assert [better, worse] == keys
    half = first.shape[0] // 2
    assert first.shape[0] == 2 * half
    assert np.array_equal(first[:half], first[half:]), "both runs have the same weights"


def test_without_the_data_there_are_no_pictures_and_a_word_on_why(
    two_runs: tuple[Path, Path], tmp_path: Path, comparison: Compose, caplog: pytest.LogCaptureFixture
) -> None:
    compare(comparison(*two_runs, "dataset.root=/nowhere"))
    assert "no pictures of the images that changed most: /nowhere is not there" in caplog.text
    assert "data:image/jpeg" not in (tmp_path / "out" / "compare.html").read_text()


def refused(tmp_path: Path, cfg: DictConfig, says: str) -> str:
    with pytest.raises(UserError) as error:
        compare(cfg)
    assert says in str(error.value)
    assert not (tmp_path / "out").exists()
    return str(error.value)


def test_other_images_are_refused_with_what_differs(tmp_path: Path, comparison: Compose) -> None:
    a = evaluated(tmp_path / "a", shares(0.8, 1))
    b = evaluated(tmp_path / "b", shares(0.8, 1), keys=[*KEYS[:-5], "v", "w", "x", "y", "z"])
    told = refused(tmp_path, comparison(a, b), "the runs were evaluated on other images: 5 only in a (image_35, ")
    assert "image_37, ...), 5 only in b (v, w, x, ...), 35 in both" in told


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (("road", "tree", "bus"), "other classes: 1 only in a (car), 1 only in b (bus), 2 in both"),
        (("tree", "road", "car"), "other classes: a and b have the same in another order"),
    ],
)
def test_other_classes_are_refused_with_what_differs(
    tmp_path: Path, comparison: Compose, names: Sequence[str], says: str
) -> None:
    a, b = evaluated(tmp_path / "a", [0.8] * 40), evaluated(tmp_path / "b", [0.8] * 40, names=names)
    refused(tmp_path, comparison(a, b), says)


def test_other_labels_of_the_same_images_are_refused(tmp_path: Path, comparison: Compose) -> None:
    a, b = evaluated(tmp_path / "a", [0.8] * 40), evaluated(tmp_path / "b", [0.8] * 40, truth=900)
    refused(tmp_path, comparison(a, b), "the labels of 40 images are not those that a was scored on (image_00, ")


def test_a_run_that_was_not_evaluated_is_told_how(tmp_path: Path, comparison: Compose) -> None:
    a, b = (evaluated(tmp_path / name, [0.8] * 40) for name in "ab")
    (b / "evaluation" / "val.npz").unlink()
    refused(tmp_path, comparison(a, b), f"val.npz is missing: python evaluate.py run={b} split=val writes it")
    told = refused(
        tmp_path, comparison(a, b, "checkpoint=last-raw"), "2 of the runs have no evaluation/val-last-raw.npz"
    )
    assert f"run={a} split=val, with the choices of last-raw, writes it; there is val" in told


@pytest.mark.parametrize("name", ["val.npz", "val.json"])
def test_a_damaged_file_is_one_line(tmp_path: Path, comparison: Compose, name: str) -> None:
    a, b = (evaluated(tmp_path / each, [0.8] * 40) for each in "ab")
    (b / "evaluation" / name).write_text("{")
    assert "\n" not in refused(tmp_path, comparison(a, b), f"{name} is damaged: evaluate the run again to write it")


def test_a_run_named_twice_is_refused(tmp_path: Path, comparison: Compose) -> None:
    a = evaluated(tmp_path / "a", [0.8] * 40)
    refused(tmp_path, comparison(a, tmp_path / "a"), "is named twice in runs")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["runs=[a]"], 'runs=["a"]: expected a list of at least two run folders'),
        (["runs=a"], "runs=a: expected a list of at least two run folders"),
        (["split=all"], "split=all: expected train, val, test"),
        (["resamples=10"], "resamples=10: expected a whole number of at least 100"),
        (["+dataset.rot=x"], "did you mean root"),
        (["+checkpoints=best"], "did you mean checkpoint"),
    ],
)
def test_an_impossible_option_is_one_line(tmp_path: Path, comparison: Compose, options: list[str], says: str) -> None:
    refused(tmp_path, comparison(tmp_path / "a", tmp_path / "b", *options), says)


def test_compare_py_says_what_it_needs(run_script: Run) -> None:
    ended = run_script("compare.py")
    assert ended.returncode == 1
    assert ended.stderr.strip() == "error: runs is needed: give runs=..."
