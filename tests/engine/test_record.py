import json
import math
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # type: ignore[import-untyped]

from segmentation.engine.record import class_table, headline
from segmentation.runtime.files import read_json
from tests.engine.toy import Run, build_run, options, unequal


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    run = build_run(tmp_path_factory.mktemp("run"), options(epochs=2, log_every_n_steps=2))
    run.fit()
    return run


def told_by_tensorboard(run: Run) -> dict[str, list[tuple[int, float]]]:
    board = EventAccumulator(str(run.folder.tensorboard))
    board.Reload()
    return {name: [(event.step, event.value) for event in board.Scalars(name)] for name in board.Tags()["scalars"]}


def test_history_is_the_rows_with_null_where_there_is_no_number(trained: Run) -> None:
    written = read_json(trained.folder.history)
    assert len(written) == len(trained.history) == 2
    for row, seen in zip(written, trained.history, strict=True):
        expected = {name: None if value != value else value for name, value in seen.items()}
        assert not unequal(row, expected)
    assert {"epoch", "step", "lr", "train/mIoU", "val/mIoU", "val/IoU/car", "images_per_second"} <= written[0].keys()


def test_events_tell_of_every_interval_and_epoch_as_lines_of_json(trained: Run) -> None:
    lines = [json.loads(line) for line in trained.folder.events.read_text().splitlines()]
    assert [(line["event"], line["step"]) for line in lines] == [
        ("step", 2),
        ("step", 4),
        ("epoch", 4),
        ("step", 6),
        ("step", 8),
        ("epoch", 8),
    ]
    steps, epochs = ([line for line in lines if line["event"] == kind] for kind in ("step", "epoch"))
    for line in steps:
        assert {"loss", "lr", "images_per_second", "memory_mb", "epoch", "time"} <= line.keys()
        assert line["memory_mb"]["allocated"] > 0
    for line, row in zip(epochs, read_json(trained.folder.history), strict=True):
        assert line | row == line
    assert [line["time"] for line in lines] == sorted(line["time"] for line in lines)


def test_tensorboard_holds_every_score_at_its_step(trained: Run) -> None:
    told = told_by_tensorboard(trained)
    for row in trained.history:
        for name, value in row.items():
            if "/" in name and not math.isnan(value):
                assert (row["step"], pytest.approx(value, rel=1e-5)) in told[name]
    assert [step for step, _ in told["val/mIoU"]] == [4, 8]
    assert [step for step, _ in told["step/loss"]] == [2, 4, 6, 8]
    assert [value for _, value in told["epoch/lr"]] == pytest.approx([row["lr"] for row in trained.history])


def test_a_resumed_run_goes_on_in_the_same_board_and_drops_what_it_does_again(tmp_path: Path) -> None:
    run = build_run(tmp_path, options(epochs=3, max_checkpoints=3))
    run.fit()
    again = build_run(tmp_path, options(epochs=3, max_checkpoints=3))
    again.resume(run.folder.checkpoint("epoch_001"))
    again.fit()
    assert [step for step, _ in told_by_tensorboard(again)["val/loss"]] == [4, 8, 12]


def test_the_headline_has_a_place_for_what_was_not_measured() -> None:
    line = headline({"val/loss": 0.5, "val/mIoU": 0.25}, "val")
    assert "loss 0.5000" in line
    assert "mIoU 0.2500" in line
    assert "FWIoU nan" in line
    assert "area" not in line
    assert "area_mIoU 0.7500" in headline({"val/area_mIoU": 0.75}, "val")


def test_a_class_that_does_not_occur_shows_a_dash() -> None:
    scores = {
        f"val/{score}/{name}": value
        for name, value in (("road", 0.75), ("car", math.nan), ("pole", None))
        for score in ("IoU", "Dice", "precision", "recall")
    }
    rows = [line.split() for line in class_table(scores, "val", ["road", "car", "pole"]).splitlines()]
    cells = {row[0]: [cell for cell in row[1:] if cell != "│"] for row in rows}
    assert cells["road"] == ["0.7500"] * 4
    assert cells["car"] == cells["pole"] == ["-"] * 4


def test_scores_by_area_have_a_column_where_there_are_any() -> None:
    scores = {f"val/{score}/roof": 0.5 for score in ("IoU", "Dice", "precision", "recall")}
    assert "area_IoU" not in class_table(scores, "val", ["roof"])
    table = class_table(scores | {"val/area_IoU/roof": 0.75}, "val", ["roof"])
    assert "area_IoU" in table
    assert "0.7500" in table
