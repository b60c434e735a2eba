"""Which device, which precision, and how much memory it has left."""

import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import torch

from segmentation.errors import UserError

GIB = 2**30
CLEAR_REFS = Path("/proc/self/clear_refs")  # Linux


@dataclass(frozen=True)
class Precision:
    """`dtype` None means no autocast; fp16 needs a gradient scaler, bf16 has the range of fp32 and does not."""

    name: str
    dtype: torch.dtype | None
    scale_gradients: bool

    def autocast(self, device: torch.device) -> torch.autocast:
        return torch.autocast(device.type, self.dtype or torch.bfloat16, enabled=self.dtype is not None)


def choose_device(name: str) -> torch.device:
    """`auto` takes a GPU where there is one. Raises `UserError` for a device that this machine lacks."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UserError(
            f"trainer.device={name}: this machine shows {torch.cuda.device_count()} GPUs to PyTorch: use auto or cpu"
        )
    return device


def choose_precision(name: str, device: torch.device) -> Precision:
    """`auto`: bf16 where the hardware computes in it; else fp16 on a GPU and fp32 on a CPU."""
    if name == "auto":
        name = _native_precision(device)
    kinds = {
        "fp32": Precision("fp32", None, False),
        "bf16": Precision("bf16", torch.bfloat16, False),
        "fp16": Precision("fp16", torch.float16, True),
    }
    return kinds[name]


def _native_precision(device: torch.device) -> str:
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    # Without these instructions bf16 on a CPU is emulated and slower than fp32.
    has_instructions = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return "bf16" if has_instructions else "fp32"


def describe_device(device: torch.device, precision: Precision) -> str:
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        free, total = torch.cuda.mem_get_info(device)
        hardware = f"{properties.name}, {free / GIB:.1f} of {total / GIB:.1f} GiB free"
    else:
        hardware = f"{torch.get_num_threads()} threads, {psutil.virtual_memory().available / GIB:.1f} GiB free"
    return f"{device} ({hardware}), {precision.name}"


def memory_use(device: torch.device) -> dict[str, float]:
    """In MB. GPU: allocated, reserved (by PyTorch's allocator), free (on the card). CPU: what the process holds."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return {
            "allocated": torch.cuda.memory_allocated(device) / 1e6,
            "reserved": torch.cuda.memory_reserved(device) / 1e6,
            "free": free / 1e6,
        }
    return {"allocated": psutil.Process().memory_info().rss / 1e6, "free": psutil.virtual_memory().available / 1e6}


def peak_memory_mb(device: torch.device) -> float:
    """The most that was held since the last reset: on a GPU by tensors, on a CPU by the process (where the system is
    not Linux: what it holds now).
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6
    if not CLEAR_REFS.exists():
        return memory_use(device)["allocated"]
    peak = re.search(r"^VmHWM:\s+(\d+) kB", CLEAR_REFS.with_name("status").read_text(), re.MULTILINE)
    assert peak is not None
    return int(peak[1]) * 1024 / 1e6


def reset_peak_memory(device: torch.device) -> None:
    """Let `peak_memory_mb` count from here."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    elif CLEAR_REFS.exists():
        with suppress(OSError):  # some containers forbid it: the peak is then that of the process's life
            CLEAR_REFS.write_text("5")  # proc(5): the peak resident set becomes the present one


def synchronize(device: torch.device) -> None:
    """Wait until the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
