"""What every door does before its task."""

import os
from pathlib import Path

import pytest

from segmentation.apps.command import one_line_errors


def test_a_file_beside_the_command_adds_to_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text('DATASET_PATH=elsewhere\nCLASS_NAMES="background, defect"\n', encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATASET_PATH", "here")
    for name in ("CLASS_NAMES", "HYDRA_FULL_ERROR"):  # to be as before after the test
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    door = one_line_errors(lambda: (os.environ["DATASET_PATH"], os.environ["CLASS_NAMES"]))
    assert door() == ("here", "background, defect")
