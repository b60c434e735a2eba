"""Runs compared by what evaluation kept: what is told, and which runs are refused."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from segmentation.apps.comparison.compare import compare
from segmentation.apps.comparison.compared import ComparedRun
from segmentation.apps.comparison.pictures import options_of, pictures_of
from segmentation.apps.comparison.read import read_compared
from segmentation.apps.runs.opened import classes_of
from segmentation.errors import UserError
from segmentation.metrics.kept import KeptCounts
from segmentation.runtime.checkpoint import load_checkpoint, save_checkpoint
from segmentation.runtime.files import read_json, write_json
from segmentation.runtime.run_folder import RunFolder
from tests.conftest import Compose, Run
from tests.counted import counted, kept_in
from tests.models.image.own_network import OwnNetwork

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
    **result: Any,
) -> Path:
    """A run folder with what a comparison reads."""
    counts = KeptCounts(tuple(keys), tuple(groups or keys), tuple(names), {"confusion": confusion(list(right), truth)})
    return kept_in(path, counts, config, evaluation, **result)


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
    assert "is equal to that of a, which is within the noise of these images (one seed each: " in found.sentence()
    assert found.changes == []


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
    assert (
        "above that of a, which is beyond the noise of these images (one seed each: other seeds may differ by more)"
        in found.sentence()
    )
    content = written(tmp_path)
    assert content["comparisons"][0]["beyond_noise"] is True
    assert content["comparisons"][0]["configuration"] == {"optimizer.lr": [0.1, 0.2]}
    assert content["comparisons"][0]["differences"]["IoU/car"]["value"] > 0
    page = (tmp_path / "out" / "compare.html").read_text()
    assert "beyond the noise of these images" in page
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
    assert [(change.key, round(change.value, 3)) for change in found.changes] == [
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
    length = found.resamples.length
    assert length > 1
    assert found.notes()[0] == (
        f"95 % intervals: 500 resamples of 40 images by blocks of {length} neighbouring images of 2 videos or other "
        "groups; so few say little about others, which the intervals do not hold, the same for both."
    )
    alone, wave_alone = evaluated(tmp_path / "c", right), evaluated(tmp_path / "d", wave, config)
    (single,) = compare(comparison(alone, wave_alone))
    assert single.resamples.length == 1
    wide, narrow = found.differences["pixel_accuracy"], single.differences["pixel_accuracy"]
    assert wide.high - wide.low > 1.2 * (narrow.high - narrow.low)


def seed_of(composed: Compose, seed: int, *overrides: str) -> str:
    """The configuration as a run folder has it."""
    cfg = composed("dataset=david", "dataset.root=data", f"seed={seed}", f"experiment_name=seed_{seed}", *overrides)
    return OmegaConf.to_yaml(cfg, resolve=True)


def test_seeds_of_one_configuration_are_one_group(tmp_path: Path, comparison: Compose, composed: Compose) -> None:
    """Means of mIoU where a share p is right in every class: p / (2 - p)."""
    base = [evaluated(tmp_path / f"base_{seed}", [p] * 40, seed_of(composed, seed)) for seed, p in ((0, 0.5), (1, 0.8))]
    other = evaluated(tmp_path / "other", [0.9] * 40, seed_of(composed, 0, "optimizer.lr=1e-5"))
    (found,) = compare(comparison(base[0], other, base[1]))
    assert [len(group.runs) for group in (found.baseline, found.other)] == [2, 1]
    means = [0.5 / 1.5, 0.8 / 1.2]
    assert found.differences["mIoU"].value == pytest.approx(0.9 / 1.1 - np.mean(means))
    content = written(tmp_path)
    group = content["groups"][0]
    assert (group["name"], group["n"]) == ("base_0 and another seed", 2)
    assert group["mean"]["mIoU"] == pytest.approx(np.mean(means))
    assert group["std"]["mIoU"] == pytest.approx(np.std(means, ddof=1))
    assert list(content["comparisons"][0]["configuration"]) == ["optimizer.lr"]
    assert any("Of other there is one seed:" in note for note in found.notes())
    assert "within the noise of these images (of other one seed: other seeds may differ by more)" in found.sentence()
    assert "What differs, of each its first run" in (tmp_path / "out" / "compare.html").read_text()


def test_with_several_seeds_each_the_verdict_is_on_both_kinds_of_noise(tmp_path: Path, comparison: Compose) -> None:
    runs = [
        evaluated(tmp_path / f"{name}_{seed}", [right + 0.001 * seed] * 40, f"seed: {seed}\nlr: {name}")
        for name, right in (("a", 0.7), ("b", 0.8))
        for seed in range(3)
    ]
    (found,) = compare(comparison(*runs))
    assert "which is beyond the noise of images and seeds: " in found.sentence()


def test_seeds_alone_have_a_mean_and_no_verdict(tmp_path: Path, comparison: Compose, composed: Compose) -> None:
    runs = [evaluated(tmp_path / f"seed_{seed}", [0.7 + 0.1 * seed] * 40, seed_of(composed, seed)) for seed in range(3)]
    found = compare(comparison(*runs))
    assert [each.other.name for each in found] == ["seed_1", "seed_2"]
    assert [each.beyond_noise for each in found] == [None, None]
    assert "above that of seed_0, as two seeds of one configuration may differ; " in found[0].sentence()
    assert not any("would tell" in note for each in found for note in each.notes())
    (group,) = written(tmp_path)["groups"]
    of_each = [p / (2 - p) for p in (0.7, 0.8, 0.9)]
    assert (group["n"], group["mean"]["mIoU"]) == (3, pytest.approx(np.mean(of_each)))
    assert group["std"]["mIoU"] == pytest.approx(np.std(of_each, ddof=1))


def test_runs_that_were_evaluated_otherwise_are_no_seeds_of_one_and_it_is_told(
    tmp_path: Path, comparison: Compose
) -> None:
    a = evaluated(tmp_path / "a", [0.7] * 40, "seed: 0", tile=[256, 256], overlap=0.5, precision="fp32")
    b = evaluated(tmp_path / "b", [0.8] * 40, "seed: 1", tile=[512, 512], overlap=0.5, precision="bf16")
    (found,) = compare(comparison(a, b))
    assert found.beyond_noise
    assert written(tmp_path)["comparisons"][0]["configuration"] == {
        "evaluation.precision": ["fp32", "bf16"],
        "evaluation.tile": [[256, 256], [512, 512]],
        "seed": [0, 1],
    }


def test_all_scores_are_compared(tmp_path: Path, comparison: Compose) -> None:
    """90 % of the pixels are right; the first is 62 % sure of each, the second 88 %."""
    unsure, sure = (counted(("good", "defect"), samples=30, sure=logit) for logit in (0.5, 2.0))
    (found,) = compare(comparison(kept_in(tmp_path / "a", unsure), kept_in(tmp_path / "b", sure, "seed: 0\nlr: 2")))
    assert {
        "boundary_mIoU",
        "boundary_F1/defect",
        "Dice/good",
        "AUROC",
        "average_precision",
    } <= found.differences.keys()
    assert found.differences["boundary_mIoU"].value == 0
    assert found.differences["ECE"].high < 0
    assert (found.better_share("ECE"), found.differences["ECE"].above) == (1, 0)
    assert written(tmp_path)["comparisons"][0]["differences"]["ECE"]["better"] == 1
    page = (tmp_path / "out" / "compare.html").read_text()
    for told in ("ECE (lower is better)", "boundary_mF1", "precision/defect", "AUROC"):
        assert told in page


def test_boundaries_of_other_widths_are_left_out_with_a_note(tmp_path: Path, comparison: Compose) -> None:
    counts, second = counted(("road", "car", "sky")), "seed: 0\nlr: 2"
    a = kept_in(tmp_path / "a", counts, boundary_width=0.02, boundary_tolerance=0.0075)
    b = kept_in(tmp_path / "b", counts, second, boundary_width=3, boundary_tolerance=0.0075)
    (found,) = compare(comparison(a, b))
    assert not any("boundary" in name for name in found.differences)
    assert "ECE" in found.differences
    note = "Scores of boundary are left out: width and tolerance differ (a: 0.02 and 0.0075, b: 3 and 0.0075)."
    assert note in written(tmp_path)["notes"]
    older = KeptCounts(counts.keys, counts.groups, counts.names, {"confusion": counts.arrays["confusion"]})
    (found,) = compare(comparison(a, kept_in(tmp_path / "c", older, second)))
    assert "ECE" not in found.differences
    assert "Scores of confidence are left out: c was evaluated without them." in written(tmp_path)["notes"]


def test_of_many_comparisons_some_are_beyond_noise_by_chance(tmp_path: Path, comparison: Compose) -> None:
    runs = [evaluated(tmp_path / name, shares(0.8, place), f"lr: {place}") for place, name in enumerate("abc")]
    compare(comparison(*runs[:2]))
    assert not any("by chance" in note for note in written(tmp_path)["notes"])
    compare(comparison(*runs))
    assert "Of 2 comparisons, one in 20 is beyond noise by chance where nothing differs." in written(tmp_path)["notes"]


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


BENCHMARK = {"latency": {"p50": 12.5}, "image_size": [360, 480], "device": "cpu", "parameters": 2000000}


def test_costs_are_told_with_their_ratio(tmp_path: Path, comparison: Compose) -> None:
    a, b = (evaluated(tmp_path / name, [0.8] * 40, f"name: {name}") for name in "ab")
    write_json(a / "summary.json", {"parameters": 1000000, "seconds": 60.5})
    write_json(b / "evaluation" / "benchmark.json", BENCHMARK)
    compare(comparison(a, b))
    content = written(tmp_path)
    costs = [group["runs"][0]["cost"] for group in content["groups"]]
    assert (costs[0]["parameters"], costs[0]["training_seconds"], costs[0]["latency_p50_ms"]) == (1000000, 60.5, None)
    assert (costs[1]["parameters"], costs[1]["latency_p50_ms"], costs[1]["images_per_second"]) == (2000000, 12.5, 10.0)
    assert content["comparisons"][0]["cost_ratios"] == {
        "parameters": 2,
        "training_seconds": None,
        "evaluation_seconds": 1,
        "images_per_second": 1,
        "latency_p50_ms": None,
    }
    page = (tmp_path / "out" / "compare.html").read_text()
    assert "1,000,000" in page
    assert f"a: python evaluate.py run={a} benchmark=true measures its latency." in page
    assert "b: latency of one image of 360 x 480 on cpu." in page
    assert "measured otherwise" not in page


@pytest.mark.parametrize(("device", "ratio"), [("cpu", 2), ("cuda", None)])
def test_latencies_of_other_devices_have_no_ratio(
    tmp_path: Path, comparison: Compose, device: str, ratio: float | None
) -> None:
    a, b = (evaluated(tmp_path / name, [0.8] * 40, f"name: {name}") for name in "ab")
    write_json(a / "evaluation" / "benchmark.json", BENCHMARK)
    write_json(b / "evaluation" / "benchmark.json", {**BENCHMARK, "latency": {"p50": 25}, "device": device})
    compare(comparison(a, b))
    assert written(tmp_path)["comparisons"][0]["cost_ratios"]["latency_p50_ms"] == ratio
    assert ("measured otherwise" in (tmp_path / "out" / "compare.html").read_text()) == (ratio is None)


class Exhausting(OwnNetwork):
    """Needs more memory than there is."""

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        raise torch.OutOfMemoryError


@pytest.fixture
def two_runs(scored: RunFolder, tmp_path: Path) -> tuple[Path, Path]:
    """Runs with other weights each, on data that is there, with counts that differ."""
    copy = tmp_path / "copy"
    shutil.copytree(scored.path, copy)
    content, generator = load_checkpoint(scored.checkpoint("best")), torch.Generator().manual_seed(7)
    other = {
        name: torch.randn(value.shape, generator=generator) if value.is_floating_point() else value
        for name, value in content["model"].items()
    }
    save_checkpoint(RunFolder(copy).checkpoint("best"), {**content, "model": other})
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
    a, b = found.baseline.runs[0], found.other.runs[0]
    both, of_a, of_b = (
        dict(pictures) for pictures in pictures_of([(a, b, keys), (a, a, keys), (b, b, keys)], None, None)
    )
    for key in keys:
        first, second = (picture[key][: len(picture[key]) // 2] for picture in (of_a, of_b))
        assert np.array_equal(both[key], np.concatenate([first, second]))
        seen, predicted = (slice(None, 300), slice(None, 820)), (slice(None, 300), slice(820, 1228))  # of four panels
        assert np.array_equal(first[seen], second[seen])
        assert not np.array_equal(first[predicted], second[predicted])


def test_without_memory_there_is_a_page_without_pictures(
    two_runs: tuple[Path, Path], tmp_path: Path, comparison: Compose, caplog: pytest.LogCaptureFixture
) -> None:
    for path in two_runs:
        config = OmegaConf.load(path / "config.yaml")
        config.model.network._target_ = "tests.apps.comparison.test_compare.Exhausting"
        config.seed = 0 if path == two_runs[0] else 1
        OmegaConf.save(config, path / "config.yaml")
    compare(comparison(*two_runs))
    assert "no pictures of what copy makes of the images that changed most: out of memory" in caplog.text
    assert "data:image/jpeg" not in (tmp_path / "out" / "compare.html").read_text()


def read(path: Path, other: Path, evaluation: str = "val") -> ComparedRun:
    return read_compared([str(path), str(other)], evaluation)[0][0]


def test_pictures_are_made_as_the_evaluation_was(tmp_path: Path) -> None:
    chosen: dict[str, Any] = {
        "tile": [64, 64],
        "overlap": 0,
        "weights": "raw",
        "tta": {"flips": ["horizontal"]},
        "root": "/data",
    }
    a = evaluated(tmp_path / "a", [0.8] * 40, checkpoint="before/it/was/moved/checkpoints/last.pt", **chosen)
    b = evaluated(tmp_path / "b", [0.8] * 40)
    asked, usual = options_of(read(a, b), "cpu", None), options_of(read(b, a), None, "/elsewhere")
    assert (asked.overlap, asked.weights, asked.checkpoint, asked.device) == (0, "raw", "last", "cpu")
    assert (asked.tile, asked.tta.flips, asked.dataset.root) == ([64, 64], ["horizontal"], "/data")
    assert (usual.overlap, usual.weights, usual.tile, usual.dataset.root) == (0.5, "ema", None, "/elsewhere")


def test_another_runs_checkpoint_is_not_taken_for_the_own_one(tmp_path: Path) -> None:
    a, b = (
        evaluated(
            tmp_path / name, [0.8] * 40, evaluation="val-other-best", checkpoint="/gone/other/checkpoints/best.pt"
        )
        for name in "ab"
    )
    assert options_of(read(a, b, "val-other-best"), None, None).checkpoint == "/gone/other/checkpoints/best.pt"


def test_without_the_data_there_are_no_pictures_and_a_word_on_why(
    two_runs: tuple[Path, Path], tmp_path: Path, comparison: Compose, caplog: pytest.LogCaptureFixture
) -> None:
    compare(comparison(*two_runs, "dataset.root=/nowhere"))
    assert "makes of the images that changed most: dataset.root=/nowhere is not there" in caplog.text
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


@pytest.mark.parametrize("content", ["{", "7", '{"metrics": {}}', '{"parameters": 7, "image_size": 3}'])
@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("evaluation/val.npz", "evaluate the run again to write it"),
        ("evaluation/val.json", "evaluate the run again to write it"),
        ("evaluation/benchmark.json", "python evaluate.py run="),
        ("summary.json", "put back the file that train.py wrote"),
    ],
)
def test_a_damaged_file_is_one_line(tmp_path: Path, comparison: Compose, name: str, remedy: str, content: str) -> None:
    if name == "summary.json" and content.endswith("}"):
        pytest.skip("a summary may hold anything")
    a, b = (evaluated(tmp_path / each, [0.8] * 40) for each in "ab")
    (b / name).write_text(content)
    assert "\n" not in refused(tmp_path, comparison(a, b), f"{b / name} is damaged: {remedy}")


def test_a_folder_that_holds_runs_is_told_from_a_run(tmp_path: Path, comparison: Compose) -> None:
    a = evaluated(tmp_path / "many" / "a", [0.8] * 40)
    said = f"runs={tmp_path / 'many'} is no run folder (it has no config.yaml): give a folder that train.py wrote; "
    refused(tmp_path, comparison(a, tmp_path / "many"), f"{said}there are runs in {tmp_path / 'many'}")


def test_jobs_of_a_sweep_are_named_by_their_numbers(
    tmp_path: Path, composed: Compose, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "01":
        evaluated(tmp_path / name, [0.8] * 40, f"lr: {name}")
    monkeypatch.chdir(tmp_path)
    (found,) = compare(composed("runs=[0,1]", "resamples=100", f"output={tmp_path / 'out'}", name="compare"))
    assert (found.baseline.name, found.other.name) == ("0", "1")


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
