import doctest

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from segmentation.engine import benchmark as module
from segmentation.engine.benchmark import benchmark, count_flops, count_parameters, latency_of, steps
from segmentation.runtime.device import Precision
from tests.engine.toy import CPU, FP32, TinyNet

IMAGE = torch.zeros(1, 3, 6, 5)


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SECONDS", 0.0)


def test_the_examples_are_true() -> None:
    assert not doctest.testmod(module).failed


def test_flops_and_parameters_are_those_counted_by_hand() -> None:
    convolution = nn.Conv2d(3, 8, 3, padding=1)
    assert count_parameters(convolution) == 8 * 3 * 3 * 3 + 8
    assert count_flops(convolution, IMAGE) == 2 * (6 * 5) * 8 * (3 * 3 * 3)
    assert count_flops(nn.Linear(5, 7), IMAGE) == 2 * (3 * 6) * 5 * 7
    strided = nn.Conv2d(3, 8, 3, stride=2, padding=1, groups=1)
    assert count_flops(strided, torch.zeros(2, 3, 6, 6)) == 2 * 2 * (3 * 3) * 8 * 27


def test_frozen_parameters_count_too() -> None:
    model = TinyNet()
    expected = count_parameters(model)
    assert count_parameters(model.requires_grad_(False)) == expected


def test_what_is_measured_is_consistent() -> None:
    told: list[int] = []
    measured = benchmark(TinyNet(normalise=True), IMAGE, CPU, FP32, 4, told.append)
    assert 0 < measured.latency.p50 <= measured.latency.p90 <= measured.latency.p99
    assert measured.fps <= 2 * 1000 / measured.latency.p50, "half of the runs take p50 or longer"
    assert [row.batch_size for row in measured.throughput] == [1, 2, 4]
    assert all(row.images_per_second > 0 and row.peak_memory_mb > 0 for row in measured.throughput)
    assert measured.flops == 2 * 30 * (8 * 27 + 3 * 8)
    assert measured.parameters == count_parameters(TinyNet(normalise=True))
    assert sum(told) == steps(4)


def test_percentiles_are_of_milliseconds() -> None:
    latency = latency_of(np.arange(101) / 1000)
    assert (latency.p50, latency.p90, latency.p99) == pytest.approx((50, 90, 99))


def test_batches_grow_until_memory_ends() -> None:
    class Limited(TinyNet):
        def forward(self, images: Tensor) -> Tensor:
            if len(images) > 3:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return super().forward(images)

    assert [row.batch_size for row in benchmark(Limited(), IMAGE, CPU, FP32, 64).throughput] == [1, 2]


def test_the_model_is_timed_as_it_is_used() -> None:
    seen: set[tuple[bool, torch.dtype]] = set()

    class Watched(TinyNet):
        def forward(self, images: Tensor) -> Tensor:
            logits = super().forward(images)
            if len(images) > 1:
                seen.add((self.training, logits.dtype))
            return logits

    benchmark(Watched().train(), IMAGE, CPU, Precision("bf16", torch.bfloat16, False), 2)
    assert seen == {(False, torch.bfloat16)}
