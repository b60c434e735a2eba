"""What an evaluation leaves behind: counts of every image, scores with intervals, and a page."""

import shutil
from html.parser import HTMLParser

import numpy as np
import pytest

from segmentation.apps.evaluate import evaluate_run
from segmentation.errors import UserError
from segmentation.metrics.kept import KeptCounts
from segmentation.metrics.scores import metrics_from
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
    assert other["resampling"] != result["resampling"]


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
        (("from_counts=true", "split=train"), "train.npz is missing: evaluate the run again"),
        (("from_counts=true", "benchmark=true"), "benchmark=true with from_counts=true"),
        (("boundary_width=-1",), "boundary_width=-1"),
        (("boundary_width=1.5",), "boundary width=1.5: give whole pixels"),
        (("resamples=3",), "resamples=3"),
    ],
)
def test_what_cannot_be_is_one_line(scored: RunFolder, composed: Compose, options: tuple[str, ...], says: str) -> None:
    with pytest.raises(UserError, match=says):
        evaluate_run(composed(f"run={scored.path}", *options, name="evaluate"))


def test_damaged_counts_are_one_line(scored: RunFolder, composed: Compose) -> None:
    evaluate_run(composed(f"run={scored.path}", "resamples=100", "report=false", name="evaluate"))
    path = scored.evaluation / "val.npz"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(UserError, match=r"val\.npz is damaged: evaluate the run again"):
        evaluate_run(composed(f"run={scored.path}", "from_counts=true", name="evaluate"))
