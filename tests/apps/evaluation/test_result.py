"""What an evaluation leaves behind: counts of every image, scores with intervals, and a page."""

import shutil
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from segmentation.apps.evaluation.evaluate import evaluate_run
from segmentation.apps.evaluation.page import _chosen
from segmentation.errors import UserError
from segmentation.metrics.kept import KeptCounts
from segmentation.metrics.scores import metrics_from
from segmentation.metrics.summary import Summary
from segmentation.runtime.files import read_json
from segmentation.runtime.run_folder import RunFolder
from tests.conftest import Compose


def test_kept_counts_give_the_same_scores_without_model_or_data(scored: RunFolder, composed: Compose) -> None:
    options = (f"run={scored.path}", "resamples=200")
    miou = evaluate_run(composed(*options, name="evaluate"))
    result = read_json(scored.evaluation / "val.json")
    kept = KeptCounts.load(scored.evaluation / "val.npz")
    assert kept.arrays["confusion"].sum(axis=0).tolist() == result["confusion"]
    assert list(kept.keys) == read_json(scored.splits)["val"]
    shutil.rmtree(scored.checkpoints)
    assert evaluate_run(composed(*options, "from_counts=true", name="evaluate")) == miou
    assert read_json(scored.evaluation / "val.json") == result
    evaluate_run(composed(*options, "from_counts=true", "seed=1", name="evaluate"))
    other = read_json(scored.evaluation / "val.json")
    assert other["metrics"] == result["metrics"]
    assert other["resampling"]["seed"] == 1
    with pytest.raises(UserError, match=r"boundary_width=0\.1: what evaluation/val\.npz counted has 0\.02"):
        evaluate_run(composed(*options, "from_counts=true", "boundary_width=0.1", name="evaluate"))


def test_scores_of_an_image_are_those_of_its_counts(scored: RunFolder, composed: Compose) -> None:
    evaluate_run(composed(f"run={scored.path}", "resamples=100", "report=false", name="evaluate"))
    assert not (scored.evaluation / "val.html").exists()
    kept = KeptCounts.load(scored.evaluation / "val.npz")
    of_images = [metrics_from(confusion, kept.names)["mIoU"] for confusion in kept.arrays["confusion"]]
    metrics = read_json(scored.evaluation / "val.json")["metrics"]
    assert metrics["val/image_mean/mIoU"] == pytest.approx(np.mean(of_images))
    assert metrics["val/image_std/mIoU"] == pytest.approx(np.std(of_images))


class Seen(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.pictures: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        if tag == "img" and given.get("src"):
            self.pictures.append(str(given["src"]))
        self.addresses += [given[name] or "" for name in ("src", "href") if name in given]


def test_the_page_holds_its_pictures_and_needs_nothing_else(scored: RunFolder, composed: Compose) -> None:
    evaluate_run(composed(f"run={scored.path}", "resamples=100", name="evaluate"))
    seen = Seen()
    page = (scored.evaluation / "val.html").read_text(encoding="utf-8")
    seen.feed(page)
    assert seen.pictures
    assert all(address.startswith(("data:", "#")) for address in seen.addresses)
    assert f"{read_json(scored.evaluation / 'val.json')['metrics']['val/mIoU']:.3f}" in page


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("from_counts=true", "split=train"), "train.json is missing: evaluate the run again"),
        (("from_counts=true", "benchmark=true"), "from_counts=true with benchmark=true"),
        (("label_errors=true", "benchmark=true"), "benchmark=true with label_errors=true"),
        (("boundary_width=-1",), "boundary_width=-1"),
        (("boundary_width=1.5",), "boundary width=1.5: give whole pixels"),
        (("resamples=3",), "resamples=3"),
    ],
)
def test_what_cannot_be_is_one_line(scored: RunFolder, composed: Compose, options: tuple[str, ...], says: str) -> None:
    with pytest.raises(UserError, match=says):
        evaluate_run(composed(f"run={scored.path}", *options, name="evaluate"))


@pytest.mark.parametrize("left", [200, None], ids=["cut", "without what was counted beside the confusion"])
def test_damaged_counts_are_one_line(scored: RunFolder, composed: Compose, left: int | None) -> None:
    evaluate_run(composed(f"run={scored.path}", "resamples=100", "report=false", name="evaluate"))
    path = scored.evaluation / "val.npz"
    if left:
        path.write_bytes(path.read_bytes()[:left])
    else:
        kept = KeptCounts.load(path)
        replace(kept, arrays={"confusion": kept.arrays["confusion"]}).save(path)
    with pytest.raises(UserError, match=r"val\.npz is damaged: evaluate the run again"):
        evaluate_run(composed(f"run={scored.path}", "from_counts=true", name="evaluate"))


@pytest.mark.parametrize("name", ["history.json", "environment.json"])
def test_damaged_files_of_the_run_are_one_line(scored: RunFolder, composed: Compose, name: str) -> None:
    (scored.path / name).write_text("[1")
    with pytest.raises(UserError, match=rf"{name} is damaged"):
        evaluate_run(composed(f"run={scored.path}", "resamples=100", name="evaluate"))


def test_another_split_is_judged_by_what_was_chosen_on_val(scored: RunFolder, composed: Compose) -> None:
    options = (f"run={scored.path}", "resamples=100", "report=false")
    evaluate_run(composed(*options, "split=train", name="evaluate"))
    alone = read_json(scored.evaluation / "train.json")["metrics"]
    assert "train/ECE" in alone
    assert not {"train/temperature", "train/ECE_scaled"} & alone.keys()
    evaluate_run(composed(*options, name="evaluate"))
    evaluate_run(composed(*options, "split=train", name="evaluate"))
    val, train = (read_json(scored.evaluation / f"{split}.json")["metrics"] for split in ("val", "train"))
    assert train["train/temperature"] == val["val/temperature"]
    assert train["train/ECE_scaled"] != val["val/ECE_scaled"]


def confusions(*wrong: int) -> KeptCounts:
    """Images of 100 pixels of each of two classes, so many of the second taken for the first."""
    matrices = np.array([[[100, 0], [missed, 100 - missed]] for missed in wrong])
    keys = tuple(f"image_{place}" for place in range(len(wrong)))
    return KeptCounts(keys, keys, ("good", "defect"), {"confusion": matrices})


def test_the_worst_images_and_the_best_are_shown() -> None:
    worst, best, by_class = _chosen(Summary(confusions(5, 50, 0, 20), None, number=100, seed=0))
    assert (worst, best) == ([1, 3], [2, 0])
    assert by_class["defect"] == [1, 3, 0]
