"""predict.py as a process: without PyTorch, killed, interrupted, and with a disk that is full."""

import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.apps.prediction.conftest import CLASSES, blocks, files_in
from tests.conftest import ROOT
from tests.inference.onnx_files import write_convolution

MANY = 30
WITHOUT_TORCH = """
import runpy, sys
class Refused:
    def find_spec(self, name, *rest):
        if name.partition(".")[0] == "torch":
            raise ImportError("PyTorch is not here")
sys.meta_path.insert(0, Refused())
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def started(tmp_path: Path, *options: str, before: Callable[[], None] | None = None) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WITHOUT_TORCH, str(ROOT / "predict.py")]
    return subprocess.Popen(
        [*command, *options], cwd=tmp_path, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=before
    )


def options_of(tmp_path: Path, images: Path) -> list[str]:
    return [f"model={tmp_path / 'strongest.onnx'}", f"input={images}", f"output={tmp_path / 'out'}"]


@pytest.fixture
def many(tmp_path: Path, exported: Path) -> Path:
    """Pictures that take long enough for the process to be in the middle of them; the model looks far around."""
    kernels = np.zeros((3, 3, 31, 31))
    kernels[[0, 1, 2], [0, 1, 2], 15, 15] = 6
    write_convolution(exported, kernels, CLASSES)
    folder = tmp_path / "many"
    folder.mkdir()
    for seed in range(MANY):
        Image.fromarray(blocks(200, 200, seed)).save(folder / f"{seed:03d}.png")
    return folder


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + 120
    while not (path.exists() and path.stat().st_size):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.02)


def test_an_exported_file_is_used_without_pytorch(tmp_path: Path, exported: Path, images: Path) -> None:
    labels = tmp_path / "labels"
    labels.mkdir()
    truth = np.asarray(Image.open(images / "a.png")).argmax(axis=-1).astype(np.uint8)
    Image.fromarray(truth).save(labels / "a.png")
    options = ["polygons=coco", "probabilities=npz", "pseudo_labels=true", "min_area=2", f"labels={labels}"]
    process = started(tmp_path, *options_of(tmp_path, images), *options)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert "mIoU 1.0000 of 1 images" in out
    assert (tmp_path / "out" / "index.html").is_file()


def test_a_misspelt_option_is_told_without_pytorch(tmp_path: Path, exported: Path, images: Path) -> None:
    process = started(tmp_path, *options_of(tmp_path, images), "min_aera=3", "tile=5")
    _, err = process.communicate(timeout=300)
    assert process.returncode == 1
    assert "min_aera: there is no such key; did you mean min_area?" in err
    assert "tile=5: expected" in err
    assert "Traceback" not in err


def test_after_a_kill_it_goes_on_and_the_result_is_the_same(tmp_path: Path, many: Path) -> None:
    process = started(tmp_path, *options_of(tmp_path, many))
    wait_for(tmp_path / "out" / "predict.jsonl", process)
    process.kill()
    process.communicate()
    written = files_in(tmp_path / "out" / "masks")
    for path in (tmp_path / "out" / "masks").glob("*.png"):
        with Image.open(path) as mask:
            mask.load()  # whole, whenever the process was killed
    assert 0 < len(written) < MANY
    first = started(tmp_path, *options_of(tmp_path, many), "skip_existing=true")
    out, err = first.communicate(timeout=300)
    assert first.returncode == 0, err
    assert f"of {MANY} inputs are complete already" in out
    again = files_in(tmp_path / "out" / "masks")
    left_over = [name for name in files_in(tmp_path / "out") if ".tmp" in name]
    assert len([name for name in again if name.endswith(".png")]) == MANY, left_over
    lines = (tmp_path / "out" / "summary.csv").read_text().splitlines()
    assert len(lines) == MANY + 1, "what was done before the kill is in the summary too"
    assert {name: again[name] for name in written if name.endswith(".png")} == {
        name: content for name, content in written.items() if name.endswith(".png")
    }


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_it_cleanly(tmp_path: Path, many: Path, signum: signal.Signals) -> None:
    process = started(tmp_path, *options_of(tmp_path, many))
    wait_for(tmp_path / "out" / "predict.jsonl", process)
    process.send_signal(signum)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err
    names = files_in(tmp_path / "out")
    assert not [name for name in names if ".tmp" in name]
    assert len([name for name in names if name.startswith("masks/")]) < MANY


def test_when_there_is_no_space_nothing_is_half_written(tmp_path: Path, many: Path) -> None:
    """A limit on the size of files, which is refused as a full disk is: the pictures' noise makes theirs larger."""
    noise = np.random.default_rng(0).integers(0, 256, (600, 600, 3), np.uint8)
    Image.fromarray(noise).save(many / "010.png")

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))

    process = started(tmp_path, *options_of(tmp_path, many), "overlay=false", before=limited)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 1
    assert err.startswith("error: no space to write in ")
    assert err.count("\n") == 1
    names = files_in(tmp_path / "out")
    assert not [name for name in names if ".tmp" in name]
    assert "masks/010.png" not in names or Image.open(tmp_path / "out" / "masks" / "010.png").size == (600, 600)
    assert (tmp_path / "out" / "predict.jsonl").stat().st_size > 0
