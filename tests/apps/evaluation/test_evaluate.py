"""What evaluation says of a run folder, and of options, that it cannot use."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from segmentation.apps.evaluation.evaluate import evaluate_run
from segmentation.apps.runs.opened import read_classes
from segmentation.errors import UserError
from segmentation.metrics.kept import KeptCounts
from segmentation.runtime.checkpoint import save_checkpoint
from segmentation.runtime.files import read_json
from segmentation.runtime.run_folder import RunFolder
from tests.apps.conftest import described
from tests.conftest import ROOT, Compose


class Insatiable(nn.Module):
    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, num_classes, 1)

    def forward(self, pixels: Tensor) -> Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate 1.00 GiB.")


def test_out_of_memory_says_what_to_set(small: Compose, composed: Compose, tmp_path: Path) -> None:
    network = f"model.network._target_={__name__}.Insatiable"
    folder = described(small("model=own", network, "loss.class_weights=null"), tmp_path / "run")
    network_of_the_run = Insatiable(len(read_classes(folder.classes)))
    model = {f"network.{name}": value for name, value in network_of_the_run.state_dict().items()}
    save_checkpoint(folder.checkpoint("best"), {"model": model, "epoch": 1})
    with pytest.raises(UserError, match="out of memory with batch_size=4: give batch_size=2, tile="):
        evaluate_run(composed(f"run={folder.path}", "batch_size=4", name="evaluate"))


def test_ranks_share_a_split_and_one_of_them_may_have_nothing(scored: RunFolder, composed: Compose) -> None:
    """Four images are batches of 3 and 1: the third rank has none."""
    options = (f"run={scored.path}", "split=train", "batch_size=3")
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=3"]
    done = subprocess.run([*launch, str(ROOT / "evaluate.py"), *options], capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    together = read_json(scored.evaluation / "train.json")
    shared = KeptCounts.load(scored.evaluation / "train.npz")
    mIoU = evaluate_run(composed(*options, name="evaluate"))
    alone = read_json(scored.evaluation / "train.json")
    assert (together["ranks"], alone["ranks"]) == (3, 1)
    assert together["images"] == alone["images"] == 4
    assert together["confusion"] == alone["confusion"]
    assert together["metrics"]["train/mIoU"] == mIoU
    assert together["intervals"] == alone["intervals"]
    kept = KeptCounts.load(scored.evaluation / "train.npz")
    assert (shared.keys, shared.groups) == (kept.keys, kept.groups)
    for name, array in kept.arrays.items():
        assert np.array_equal(shared.arrays[name], array), name
    assert together["metrics"]["train/loss"] == pytest.approx(alone["metrics"]["train/loss"], rel=1e-6)
    assert done.stdout.count("train by class") == 1, "only the first rank tells"


def test_tiles_and_views_are_in_the_name_of_the_result(scored: RunFolder, composed: Compose) -> None:
    options = (f"run={scored.path}", "tile=[16,32]", "overlap=0.25", "tta.flips=[horizontal]", "tta.scales=[0.5]")
    evaluate_run(composed(*options, name="evaluate"))
    result = read_json(scored.evaluation / "val-best-tiled16x32-0.25-tta-horizontal+0.5.json")
    assert (result["tile"], result["overlap"]) == ([16, 32], 0.25)
    assert result["tta"] == {"flips": ["horizontal"], "rotations": [], "scales": [0.5]}
    evaluate_run(composed(f"run={scored.path}", name="evaluate"))
    plain = read_json(scored.evaluation / "val.json")
    assert plain["tile"] is plain["overlap"] is None
    assert plain["metrics"]["val/loss"] == pytest.approx(result["metrics"]["val/loss"], rel=0.2)
    assert plain["metrics"]["val/loss"] != result["metrics"]["val/loss"]


def test_a_described_run_lacks_nothing_but_a_checkpoint(folder: RunFolder, composed: Compose) -> None:
    with pytest.raises(UserError, match="no checkpoint yet"):
        evaluate_run(composed(f"run={folder.path}", name="evaluate"))


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("config.yaml", None, "is no run folder"),
        ("config.yaml", "", "config.yaml is damaged"),
        ("config.yaml", "- a\n- b", "config.yaml is damaged"),
        ("config.yaml", "a: [1,\nb: {", "config.yaml is damaged"),
        ("config.yaml", "dataset: {root: x}", "config.yaml is damaged"),
        ("classes.json", None, "classes.json is missing"),
        ("classes.json", "[1]", "classes.json is damaged"),
        ("classes.json", '{"classes": [{"color": [0, 0, 0]}], "ignore_index": 255}', "classes.json is damaged"),
        ("splits.json", None, "splits.json is missing"),
        ("splits.json", '{"train"', "splits.json is damaged"),
        ("splits.json", "3", "splits.json is damaged"),
    ],
)
def test_a_damaged_run_folder_is_one_line_that_names_the_file(
    folder: RunFolder, composed: Compose, name: str, content: str | None, says: str
) -> None:
    if content is None:
        (folder.path / name).unlink()
    else:
        (folder.path / name).write_text(content)
    with pytest.raises(UserError, match=says) as error:
        evaluate_run(composed(f"run={folder.path}", name="evaluate"))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (["run=5"], "run=5 is no run folder"),
        (["run=null"], "run=null"),
        (["device=foo"], "device=foo: expected auto, cpu"),
        (["min_mIoU=abc"], "min_mIoU=abc: expected a number"),
        (["checkpoint=null"], "checkpoint=null: expected best, last"),
        (["split=null"], "split=null: expected train, val, test"),
        (["batch_size=true"], "batch_size=true"),
        (["num_workers=-1"], "num_workers=-1"),
        (["tile=512"], "tile=512: expected [height, width]"),
        (["overlap=1"], "overlap=1: expected a number from 0 to below 1"),
        (["tta=true"], "tta=true: expected its options, such as tta.flips=[horizontal]"),
        (["tta.flips=[sideways]"], 'tta.flips=["sideways"]: expected a list of horizontal, vertical'),
        (["tta.rotations=[45]"], "tta.rotations=[45]: expected a list of 90, 180, 270"),
        (["tta.scales=[0]"], "tta.scales=[0]: expected a list of numbers above 0"),
        (["+tta.flip=true"], "did you mean flips"),
        (["benchmark=often"], "benchmark=often: expected true or false"),
        (["min_fps=30"], "min_fps=30 with benchmark=false: it needs benchmark=true"),
        (["min_mIoU=0.5", "benchmark=true"], "min_mIoU=0.5 with benchmark=true, which does not score: leave one"),
        (["benchmark=true", "max_latency_ms=fast"], "max_latency_ms=fast: expected a number"),
        (["benchmark=true", "benchmark_size=512"], "benchmark_size=512: expected [height, width]"),
        (["+chekpoint=best"], "did you mean checkpoint"),
        (["+dataset.labels=x"], "dataset.labels: there is no such key; known are root"),
        (["dataset=david", "dataset.root={root}", "dataset.split=null"], "dataset.split=null: expected train, val"),
        (["dataset=david", "dataset.root={root}", "dataset.split={{train:null,val:null}}"], "train and val are null"),
        (["dataset=david", "dataset.root={root}", "+dataset.lables=x"], "did you mean labels"),
    ],
)
def test_an_impossible_option_is_one_line(
    folder: RunFolder, composed: Compose, tiny_root: Path, overrides: list[str], says: str
) -> None:
    given = [override.format(root=tiny_root) for override in overrides]
    with pytest.raises(UserError) as error:
        evaluate_run(composed(f"run={folder.path}", *given, name="evaluate"))
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_all_impossible_options_are_told_at_once(folder: RunFolder, composed: Compose) -> None:
    with pytest.raises(UserError) as error:
        evaluate_run(composed(f"run={folder.path}", "device=foo", "weights=swa", name="evaluate"))
    for fault in ("2 faults", "device=foo", "weights=swa"):
        assert fault in str(error.value)
