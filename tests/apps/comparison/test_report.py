import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from segmentation.apps.comparison.report import main, report
from segmentation.apps.runs.records import differing_options, read_runs, run_folders
from segmentation.errors import UserError
from tests.reports.parsed import Parsed

Write = Callable[..., Path]
SCORES = (0.2, 0.5, 0.4)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """`write("0", lr=0.1, ended="all steps done")`: a folder as train.py leaves it, under `tmp_path / "sweep"`."""

    def make(
        name: str, lr: float = 0.1, ended: str | None = "all steps done", model: str = "unet", scores: Any = SCORES
    ) -> Path:
        folder = tmp_path / "sweep" / name
        (folder / ".hydra").mkdir(parents=True)
        config = {
            "optimizer": {"lr": lr, "weights": [1, 2]},
            "model": {"_target_": f"models.{model}"},
            "trainer": {"monitor": "val/mIoU", "monitor_mode": "max"},
        }
        overrides = [f"model={model}", f"optimizer.lr={lr}", "+optimizer.weights=[1, 2]", "experiment_name=x"]
        choices = {"model": model, "loss": "dice", "experiment": None}
        (folder / "config.yaml").write_text(yaml.safe_dump(config))
        (folder / ".hydra" / "overrides.yaml").write_text(yaml.safe_dump(overrides))
        (folder / ".hydra" / "hydra.yaml").write_text(yaml.safe_dump({"hydra": {"runtime": {"choices": choices}}}))
        history = [
            {"epoch": epoch, "lr": lr, "val/mIoU": score, "val/loss": 1 - (score or 0), "epoch_seconds": 30.0}
            for epoch, score in enumerate(scores, start=1)
        ]
        (folder / "events.jsonl").write_text("{}\n")
        (folder / "history.json").write_text(json.dumps(history))
        if ended is not None:
            (folder / "summary.json").write_text(json.dumps({"ended": ended, "monitor": "val/mIoU"}))
        return folder

    return make


def cells(html: str) -> list[list[str]]:
    """The rows of the table of runs, as they stand on the page."""
    texts = Parsed(html).texts
    start = texts.index("Scores and options by run") + 1
    width = texts.index("0.5000", start) - start - 2  # name, state and then the best score
    return [texts[start + row * width : start + (row + 1) * width] for row in range(4)]


def test_a_sweep_becomes_a_table_of_scores_and_options_the_best_first(write: Write, tmp_path: Path) -> None:
    write("0", lr=0.01, scores=[0.1, 0.3])
    write("1", lr=0.1)
    write("10", lr=1.0, model="fpn", scores=[None, 0.4])
    path = report([tmp_path / "sweep"], None)
    assert path == tmp_path / "sweep" / "report.html"
    header, *rows = cells(path.read_text())
    assert header == [
        "run",
        "state",
        "val/mIoU",
        "val/loss",
        "best epoch",
        "epochs",
        "minutes",
        "model",
        "optimizer.lr",
    ]
    assert rows == [
        ["1", "finished", "0.5000", "0.5000", "2", "3", "1.5", "unet", "0.1"],
        ["10", "finished", "0.4000", "0.6000", "2", "2", "1", "fpn", "1"],
        ["0", "finished", "0.3000", "0.7000", "2", "2", "1", "unet", "0.01"],
    ]


def test_what_all_runs_share_is_told_once(write: Write) -> None:
    runs, _ = read_runs([write("0", lr=0.1), write("1", lr=0.2)])
    assert differing_options(runs) == (["optimizer.lr"], ["model=unet", "optimizer.weights=[1,2]"])


def test_an_option_of_some_commands_has_its_value_in_the_others(write: Write) -> None:
    first, second = write("0"), write("1", model="fpn")
    (second / ".hydra" / "overrides.yaml").write_text("[loss=focal, optimizer.lr=0.1, +own=7]")
    runs, _ = read_runs([first, second])
    assert differing_options(runs)[0] == ["model", "loss", "own"]
    assert [[run.option(name) for name in ("model", "loss", "own")] for run in runs] == [
        ["unet", "dice", None],
        ["fpn", "focal", "7"],
    ]


def test_without_a_record_of_the_commands_the_configurations_are_compared(write: Write) -> None:
    folders = [write("0", lr=0.1), write("1", lr=0.2, model="fpn")]
    shutil.rmtree(folders[0] / ".hydra")
    runs, _ = read_runs(folders)
    assert differing_options(runs) == (["model._target_", "optimizer.lr"], [])


def test_the_state_of_a_run_is_told(write: Write) -> None:
    folders = [
        write("0"),
        write("1", ended="the loss is no longer finite"),
        write("2", ended="interrupted"),
        write("3", ended=None),
        write("4", ended=None),
        write("5", ended="interrupted"),
    ]
    for name in ("events.jsonl", "history.json"):
        os.utime(folders[4] / name, (0, 0))  # nothing was heard of it since 1970
    os.utime(folders[5] / "summary.json", (0, 0))  # of before it was gone on with
    runs, _ = read_runs(folders)
    *told, silent, resumed = [run.state for run in runs]
    assert told == ["finished", "failed: the loss is no longer finite", "interrupted", "running"]
    assert silent.startswith("silent since 19")
    assert resumed == "running"


def test_the_score_of_an_evaluation_is_a_column(write: Write, tmp_path: Path) -> None:
    folder = write("0")
    write("1")
    (folder / "evaluation").mkdir()
    (folder / "evaluation" / "val.json").write_text(json.dumps({"metrics": {"val/mIoU": 0.4987}}))
    texts = Parsed(report([tmp_path / "sweep"], None).read_text()).texts
    assert "evaluated val/mIoU" in texts
    assert "0.4987" in texts


def test_a_run_without_a_score_yet_comes_last(write: Write, tmp_path: Path) -> None:
    write("0", scores=[])
    write("1", lr=0.2)
    html = report([tmp_path / "sweep"], None).read_text()
    assert [row[0] for row in cells(html)[1:3]] == ["1", "0"]


def test_where_less_is_better_the_lowest_comes_first(write: Write, tmp_path: Path) -> None:
    for name, scores in (("0", [0.5, 0.2]), ("1", [0.1, 0.3])):
        folder = write(name, scores=scores)
        (folder / "summary.json").write_text(json.dumps({"ended": "early stopping", "monitor": "val/loss"}))
    texts = Parsed(report([tmp_path / "sweep"], None).read_text()).texts
    assert "Runs: 2 finished. The best val/loss comes first." in texts
    assert texts.index("0") < texts.index("1")


def test_what_cannot_be_read_is_told_and_left_out(
    write: Write, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write("0")
    (write("1") / "history.json").write_text("[{")
    (write("2") / "history.json").unlink()
    (write("4") / ".hydra" / "hydra.yaml").write_text("hydra: {}")
    (write("5") / "summary.json").write_text("7")
    (tmp_path / "sweep" / "3").mkdir()
    (tmp_path / "sweep" / "multirun.yaml").write_text("")
    texts = Parsed(report([tmp_path / "sweep"], None).read_text()).texts
    assert "Left out, as they cannot be read:" in texts
    for fault in (
        "1/history.json is damaged",
        "2/history.json is missing",
        "3 is no run folder",
        "hydra.yaml is damaged",
        "5/summary.json is damaged",
    ):
        assert any(fault in text for text in texts)
        assert fault in caplog.text


def test_runs_of_several_folders_need_an_output(write: Write, tmp_path: Path) -> None:
    folders = [write("a/0"), write("b/0", lr=0.2)]
    with pytest.raises(UserError, match="the runs lie in 2 folders: say where the page is to go with output="):
        report(folders, None)
    path = report(folders, tmp_path / "new" / "page.html")
    assert {"a/0", "b/0"} <= set(Parsed(path.read_text()).texts)


def test_nothing_to_read_is_an_error_in_one_line(
    write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UserError, match=r"nothing is no run folder"):
        report([tmp_path / "nothing"], None)
    with pytest.raises(UserError, match="no runs were named"):
        report([], None)
    with pytest.raises(SystemExit):
        main([f"output={tmp_path / 'report.html'}"])
    assert capsys.readouterr().err.startswith("error: no runs were named")
    assert not (tmp_path / "report.html").exists()


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("output=", "output=: expected the file that the page is to go to"),
        ("outptu=x.html", "outptu=x.html: the only option is output=FILE.html"),
        ("output=.", "output=.: expected the file that the page is to go to"),
    ],
)
def test_an_impossible_option_is_one_line(
    write: Write, word: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write("0")
    with pytest.raises(SystemExit):
        main([str(folder), word])
    assert capsys.readouterr().err.startswith(f"error: {says}")
    assert not (folder.parent / "report.html").exists()


def test_a_run_named_twice_is_one_row(write: Write, tmp_path: Path) -> None:
    write("0")
    html = report([tmp_path / "sweep", tmp_path / "sweep" / "0", tmp_path / "sweep" / ".." / "sweep"], None).read_text()
    assert "Runs: 1 finished." in html


def test_folders_that_hold_runs_are_named(write: Write, tmp_path: Path) -> None:
    write("0")
    with pytest.raises(UserError, match=rf"RUNS={tmp_path} is no run folder .*; there are runs in {tmp_path}/sweep$"):
        report([tmp_path], None)


def test_a_monitor_that_is_no_text_is_a_damaged_summary(write: Write, tmp_path: Path) -> None:
    write("0")
    (write("1") / "summary.json").write_text(json.dumps({"ended": "all steps done", "monitor": 7}))
    texts = Parsed(report([tmp_path / "sweep"], None).read_text()).texts
    assert any("1/summary.json is damaged" in text for text in texts)


def test_jobs_of_a_sweep_are_in_their_order(write: Write, tmp_path: Path) -> None:
    for name in ("10", "9", "named"):
        write(name)
    assert [folder.name for folder in run_folders(tmp_path / "sweep")] == ["9", "10", "named"]
    assert run_folders(tmp_path / "sweep" / "9") == [tmp_path / "sweep" / "9"]
    assert run_folders(tmp_path / "sweep" / "9" / "config.yaml") == []
