import json
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import torch

from segmentation.runtime.environment import describe_environment
from segmentation.runtime.files import jsonable

ROOT = Path(__file__).resolve().parents[2]


def described() -> dict[str, object]:
    return describe_environment(torch.device("cpu"), "bf16", 7)


def test_what_the_run_was_made_with_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["train.py", "model=unet", "experiment_name=two words"])
    environment = described()
    assert environment["seed"] == 7
    assert environment["device"] == "cpu"
    assert environment["precision"] == "bf16"
    assert environment["python"] == ".".join(map(str, sys.version_info[:3]))
    packages = environment["packages"]
    assert isinstance(packages, dict)
    assert packages["torch"] == version("torch")
    assert packages["numpy"] == version("numpy")
    assert str(environment["command"]).endswith(" train.py model=unet 'experiment_name=two words'")
    assert json.loads(json.dumps(jsonable(environment))) == environment


@pytest.mark.skipif(shutil.which("git") is None or not (ROOT / ".git").exists(), reason="this is no git checkout")
def test_the_commit_is_that_of_the_projects_code_wherever_it_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True)
    monkeypatch.chdir(tmp_path)
    git = described()["git"]
    assert isinstance(git, dict)
    assert git["commit"] == head.stdout.strip()
    assert isinstance(git["dirty"], bool)


def test_without_git_there_is_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert described()["git"] is None
