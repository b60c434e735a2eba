import pickle

import numpy as np
import pytest
import torch
from torch import Tensor

from segmentation.classes import Classes
from segmentation.errors import UserError
from segmentation.metrics import by_sample
from segmentation.metrics.by_sample import Counter, SampleMetric
from segmentation.metrics.segmentation import SegmentationMetric
from segmentation.outputs import Outputs, labels_from

CLASSES = Classes(("road", "car", "sky"), ((128, 64, 128), (0, 0, 142), (70, 130, 180)))
VOID = CLASSES.ignore_index
KEYS = ("a", "b", "c", "d", "e", "f", "g")


def batch(samples: int = len(KEYS)) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    target = torch.randint(0, 4, (samples, 6, 5), generator=generator)
    return torch.randn(samples, 3, 6, 5, generator=generator), target.where(target < 3, VOID)


AREAS = torch.randint(2**40, (len(KEYS), 6, 5), generator=torch.Generator().manual_seed(1))


def counted(metric: SampleMetric, *sizes: int) -> SampleMetric:
    start = 0
    logits, target = batch()
    for size in sizes:
        part = slice(start, start + size)
        metric.update(logits[part], target[part], KEYS[part], AREAS[part])
        start += size
    return metric


def road_and_void(outputs: Outputs, target: Tensor) -> Tensor:
    """Pixels said to be road, and pixels ignored, `[B, 2]`."""
    return torch.stack([(labels_from(outputs) == 0).sum(dim=(1, 2)), (target == VOID).sum(dim=(1, 2))], dim=1)


def certainty(outputs: Outputs, target: Tensor) -> Tensor:
    """The largest logit of each sample, as a view of something larger, float32."""
    assert isinstance(outputs, Tensor)
    return outputs.flatten(1).sort(descending=True).values[:, 0]


def test_counts_of_two_images_by_hand() -> None:
    labels = torch.tensor([[[0, 1, 1], [2, 2, 0]], [[0, 0, 0], [1, 1, 1]]])
    target = torch.tensor([[[0, 0, 1], [2, VOID, 1]], [[VOID, 0, 2], [1, 1, 0]]])
    metric = SampleMetric(CLASSES)
    metric.update(torch.nn.functional.one_hot(labels, 3).movedim(-1, 1).float(), target, ("left", "right"))
    counts = metric.counts()
    assert list(counts) == ["confusion"]
    assert counts["confusion"].dtype == np.int64
    assert counts["confusion"].tolist() == [
        [[1, 1, 0], [1, 1, 0], [0, 0, 1]],
        [[1, 1, 0], [0, 2, 0], [1, 0, 0]],
    ]
    assert metric.keys == ["left", "right"]


@pytest.mark.parametrize("sizes", [(7,), (3, 3, 1), (1,) * 7])
def test_however_the_batches_are_cut_the_samples_have_their_own_counts_and_the_sum_is_the_running_count(
    sizes: tuple[int, ...],
) -> None:
    metric = counted(SampleMetric(CLASSES, {"pixels": road_and_void, "certainty": certainty}), *sizes)
    logits, target = batch()
    running = SegmentationMetric(CLASSES)
    running.update(logits, target, KEYS, AREAS)
    counts = metric.counts()
    assert tuple(metric.keys) == KEYS
    for name, sums in running.sums.items():
        assert np.array_equal(counts[name].sum(axis=0), sums.numpy())
        assert metric.sums[name].equal(sums)
    assert metric.compute() == running.compute()
    for index in range(len(KEYS)):
        alone = SegmentationMetric(CLASSES)
        only = slice(index, index + 1)
        alone.update(logits[only], target[only], KEYS[index], AREAS[only])
        assert np.array_equal(counts["confusion"][index], alone.confusion.numpy())
        assert np.array_equal(counts["area"][index], alone.sums["area"].numpy())
    assert np.array_equal(counts["pixels"], road_and_void(logits, target).numpy())
    assert np.array_equal(counts["certainty"], logits.amax(dim=(1, 2, 3)).numpy())
    assert counts["certainty"].dtype == np.float32


def test_an_image_that_is_all_void_has_counts_of_nothing() -> None:
    metric = SampleMetric(CLASSES)
    logits, target = batch(2)
    metric.update(logits, torch.stack([target[0], torch.full_like(target[0], VOID)]), KEYS[:2])
    confusion = metric.counts()["confusion"]
    assert confusion[0].sum() > 0
    assert confusion[1].sum() == 0


def test_counts_may_be_asked_for_in_between_and_are_forgotten_by_reset() -> None:
    metric = SampleMetric(CLASSES, {"pixels": road_and_void})
    logits, target = batch()
    metric.update(logits[:4], target[:4], KEYS[:4])
    assert len(metric.counts()["confusion"]) == 4
    metric.update(logits[4:], target[4:], KEYS[4:])
    counts = metric.counts()
    assert np.array_equal(counts["confusion"], counted(SampleMetric(CLASSES), 7).counts()["confusion"])
    assert len(counts["pixels"]) == 7
    metric.reset()
    assert metric.keys == []
    assert metric.counts()["confusion"].shape == (0, 3, 3)
    assert metric.counts()["confusion"].dtype == np.int64
    assert metric.confusion.sum() == 0


def test_what_gathers_on_the_device_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = counted(SampleMetric(CLASSES, {"pixels": road_and_void}), 7).counts()
    one_image = 3 * 3 * 8 + 2 * 8
    monkeypatch.setattr(by_sample, "MOST_ON_DEVICE", 2 * one_image)
    metric = SampleMetric(CLASSES, {"pixels": road_and_void})
    logits, target = batch()
    for index, key in enumerate(KEYS):
        metric.update(logits[index : index + 1], target[index : index + 1], (key,))
        assert len(metric._on_device["confusion"]) <= 2
    assert all(np.array_equal(values, expected[name]) for name, values in metric.counts().items())


def test_parts_of_several_processes_are_one() -> None:
    """One of which had no sample; what the one that merges counted itself is among the states, once."""
    counters: dict[str, Counter] = {"pixels": road_and_void, "certainty": certainty}
    whole = counted(SampleMetric(CLASSES, counters), 7)
    logits, target = batch()
    parts = [SampleMetric(CLASSES, counters) for _ in range(3)]
    for part, places in ((parts[0], slice(0, 7, 2)), (parts[2], slice(1, 7, 2))):
        part.update(logits[places], target[places], KEYS[places], AREAS[places])
    with torch.inference_mode():
        parts[0].merge([pickle.loads(pickle.dumps(part.state())) for part in parts])
    assert parts[0].keys == [*KEYS[0::2], *KEYS[1::2]]
    assert all(parts[0].sums[name].equal(sums) for name, sums in whole.sums.items())
    assert parts[0].compute() == whole.compute()
    assert list(parts[0].counts()) == list(whole.counts()) == ["confusion", "pixels", "certainty", "area"]
    order = np.argsort(parts[0].keys)
    for name, counts in parts[0].counts().items():
        assert np.array_equal(counts[order], whole.counts()[name])
    parts[0].confusion.add_(1)  # would raise for a tensor made in inference mode
    parts[0].merge([part.state() for part in parts[1:2]])
    assert parts[0].keys == []
    assert parts[0].confusion.sum() == 0


def test_an_update_reads_nothing_from_the_device() -> None:
    """A meta tensor raises on whatever would have to be read on the host."""
    metric = SampleMetric(CLASSES, {"pixels": road_and_void})
    logits, target = batch()
    metric.update(logits.to("meta"), target.to("meta"), KEYS)
    assert metric.confusion.is_meta


def test_counts_made_in_inference_mode_can_be_read_outside_of_it() -> None:
    metric = SampleMetric(CLASSES)
    with torch.inference_mode():
        metric.update(*batch(), KEYS)
    assert metric.counts()["confusion"].sum() == metric.confusion.sum()


def test_what_does_not_fit_is_told_and_counted_nowhere() -> None:
    logits, target = batch()
    metric = SampleMetric(CLASSES, {"all": lambda outputs, target: target.sum().view(1)})
    with pytest.raises(ValueError, match="all: 1 entries for a batch of 7 samples"):
        metric.update(logits, target, KEYS)
    with pytest.raises(UserError, match="2 classes"):
        metric.update(logits[:, :2], target, KEYS)
    assert metric.keys == []
    assert metric.confusion.sum() == 0
    with pytest.raises(ValueError, match="another name"):
        SampleMetric(CLASSES, {"confusion": road_and_void})
    with pytest.raises(ValueError, match="area is counted anyway"):
        SampleMetric(CLASSES, {"area": road_and_void})
