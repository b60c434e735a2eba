import numpy as np
import pytest

from segmentation.metrics.kept import KeptCounts
from segmentation.metrics.summary import Summary
from tests.counted import counted


def summary_of(counts: KeptCounts, seed: int = 0) -> Summary:
    return Summary(counts, counts, number=300, seed=seed)


def test_every_score_over_all_classes_lies_within_its_interval() -> None:
    summary = summary_of(counted(("road", "car", "sky")))
    for name in ("mIoU", "kappa", "boundary_mIoU", "boundary_mF1", "boundary_IoU/car", "ECE"):
        found = summary.intervals[name]
        assert found.value == summary.values[name]
        assert found.low < found.value < found.high, name
        assert found.defined == 1
    assert summary.resamples.length == 1
    assert not {"AUROC", "threshold"} & summary.values.keys()


def test_the_same_counts_and_seed_give_the_same_numbers() -> None:
    counts = counted(("road", "car", "sky"))
    first, again, other = (summary_of(counts, seed=seed).intervals for seed in (0, 0, 1))
    assert first == again
    assert first["mIoU"] != other["mIoU"]


def test_two_classes_have_thresholds_too() -> None:
    """The softmax of logits 2 and 0 is 0.88: said and not said, two thresholds, of which the one between is best."""
    counts = counted(("good", "defect"))
    summary = summary_of(counts)
    (good, false), (missed, found) = counts.arrays["confusion"].sum(axis=0)
    assert summary.values["F1_at_threshold"] == pytest.approx(2 * found / (2 * found + false + missed))
    recall, false_rate = found / (found + missed), false / (good + false)
    assert summary.values["AUROC"] == pytest.approx((recall + 1 - false_rate) / 2)
    assert summary.intervals["AUROC"].low < summary.values["AUROC"] < summary.intervals["AUROC"].high
    right = (good + found) / counts.arrays["confusion"].sum()
    assert summary.values["ECE"] == pytest.approx(abs(right - 1 / (1 + np.exp(-2))), abs=1e-6)


def test_frames_that_resemble_their_neighbours_are_resampled_together() -> None:
    """Each frame five times in a row: 12 different ones in 60."""
    few = counted(("road", "car"))
    repeated = {name: array.repeat(5, axis=0) for name, array in few.arrays.items()}
    keys = tuple(f"frame_{number:02d}" for number in range(60))
    video = summary_of(KeptCounts(keys, ("video",) * 60, few.names, repeated))
    apart = summary_of(KeptCounts(keys, keys, few.names, repeated))
    assert video.resamples.length > 1
    assert apart.resamples.length == 1
    (low, high), (near_low, near_high) = ((s.intervals["mIoU"].low, s.intervals["mIoU"].high) for s in (video, apart))
    assert high - low > 1.2 * (near_high - near_low)


def test_temperature_and_threshold_come_from_val() -> None:
    val, test = counted(("good", "defect")), counted(("good", "defect"), samples=6)
    alone, judged = (Summary(test, by, number=100, seed=0).values for by in (None, val))
    assert not {"temperature", "ECE_scaled", "threshold", "F1_at_threshold"} & alone.keys()
    assert judged["temperature"] == summary_of(val).values["temperature"]
    assert judged["temperature"] != summary_of(test).values["temperature"]
    assert {name: judged[name] for name in alone} == alone
