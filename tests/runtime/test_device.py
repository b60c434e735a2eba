import pytest
import torch

from segmentation.errors import UserError
from segmentation.runtime.device import (
    Precision,
    choose_device,
    choose_precision,
    describe_device,
    memory_use,
    peak_memory_mb,
    reset_peak_memory,
)

CPU = torch.device("cpu")


def test_auto_takes_a_gpu_where_there_is_one() -> None:
    assert choose_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert choose_device("cpu") == CPU


def test_a_gpu_that_is_not_there_is_one_error() -> None:
    missing = f"cuda:{max(torch.cuda.device_count(), 7)}"
    with pytest.raises(UserError, match=f"trainer.device={missing}") as error:
        choose_device(missing)
    assert "\n" not in str(error.value)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_cuda_without_a_gpu_is_one_error() -> None:
    with pytest.raises(UserError, match="shows 0 GPUs"):
        choose_device("cuda")


@pytest.mark.parametrize(
    ("name", "dtype", "scales"),
    [("fp32", torch.float32, False), ("bf16", torch.bfloat16, False), ("fp16", torch.float16, True)],
)
def test_networks_compute_in_the_precision_that_is_named(name: str, dtype: torch.dtype, scales: bool) -> None:
    precision = choose_precision(name, CPU)
    assert precision.scale_gradients is scales
    with precision.autocast(CPU):
        assert torch.nn.Linear(2, 2)(torch.zeros(1, 2)).dtype == dtype
    assert torch.nn.Linear(2, 2)(torch.zeros(1, 2)).dtype == torch.float32


def test_auto_on_a_cpu_is_bf16_or_fp32_and_never_needs_a_scaler() -> None:
    precision = choose_precision("auto", CPU)
    assert precision in (Precision("bf16", torch.bfloat16, False), Precision("fp32", None, False))


def test_memory_is_what_the_process_holds() -> None:
    before = memory_use(CPU)["allocated"]
    block = torch.ones(50_000_000)  # 200 MB
    after = memory_use(CPU)
    assert 150 < after["allocated"] - before < 300
    assert after["free"] > 0
    del block
    assert peak_memory_mb(CPU) >= after["allocated"] * 0.9, "what was given back since counts"
    reset_peak_memory(CPU)
    assert peak_memory_mb(CPU) < after["allocated"] - 150


def test_a_device_is_described_in_one_line_with_its_precision() -> None:
    line = describe_device(CPU, choose_precision("bf16", CPU))
    assert line.startswith("cpu (")
    assert line.endswith("bf16")
    assert "\n" not in line
