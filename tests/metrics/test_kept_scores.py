from dataclasses import replace

import numpy as np
import pytest

from segmentation.metrics.bootstrap import resample
from segmentation.metrics.kept import KeptCounts
from segmentation.metrics.kept_scores import kept_scores, scored_kept
from segmentation.metrics.scores import metric_names
from tests.counted import counted

BOUNDARY = ["boundary_mIoU", "boundary_mF1"]


def with_areas(kept: KeptCounts) -> KeptCounts:
    """Each place counts as much as the number of its row and column."""
    size = len(kept.names)
    return replace(
        kept, arrays={**kept.arrays, "area": kept.arrays["confusion"] * np.arange(1, size**2 + 1).reshape(size, size)}
    )


@pytest.mark.parametrize("names", [("good", "defect"), ("road", "car", "sky")])
def test_scores_of_a_resample_are_those_of_its_samples(names: tuple[str, ...]) -> None:
    kept = with_areas(counted(names))
    resamples = resample(kept.keys, number=3)
    found = scored_kept(kept, resamples)
    for weights, drawn in zip(resamples.weights, found.drawn, strict=True):
        again = {name: array.repeat(weights, axis=0) for name, array in kept.arrays.items()}
        keys = tuple(map(str, range(12)))
        scores = kept_scores(replace(kept, keys=keys, groups=keys, arrays=again))
        assert list(scores) == list(found.values)
        np.testing.assert_allclose(drawn, list(scores.values()), rtol=1e-6)


def test_there_are_scores_of_what_was_counted() -> None:
    three, two = counted(("road", "car", "sky")), counted(("good", "defect"))
    of_class = [f"boundary_{score}/{name}" for score in ("IoU", "F1") for name in three.names]
    assert list(kept_scores(three)) == [*metric_names(three.names), *BOUNDARY, *of_class, "ECE"]
    assert list(kept_scores(two))[-3:] == ["ECE", "AUROC", "average_precision"]
    alone = replace(two, arrays={"confusion": two.arrays["confusion"]})
    assert list(kept_scores(alone)) == metric_names(two.names)
    by_area = with_areas(alone)
    scores, areas = kept_scores(by_area), by_area.arrays["area"].sum(axis=0)
    assert list(scores) == metric_names(two.names, by_area=True)
    assert scores["area_accuracy"] == areas.trace() / areas.sum()
    assert scores["pixel_accuracy"] == kept_scores(alone)["pixel_accuracy"]
