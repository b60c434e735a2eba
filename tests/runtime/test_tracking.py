import json
import math
from pathlib import Path

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # type: ignore[import-untyped]
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData  # type: ignore[import-untyped]

from segmentation.runtime.run_folder import RunFolder
from segmentation.runtime.tracking import Tracker


def board_of(folder: RunFolder) -> EventAccumulator:
    board = EventAccumulator(str(folder.tensorboard))
    board.Reload()
    return board


def scalars(folder: RunFolder, name: str) -> list[tuple[int, float]]:
    return [(event.step, event.value) for event in board_of(folder).Scalars(name)]


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path / "run")


def test_events_are_lines_of_json_that_can_be_read_while_the_run_goes_on(folder: RunFolder) -> None:
    tracker = Tracker(folder)
    tracker.event("start", 0, {"resumed": None, "path": Path("a/b")})
    tracker.event("step", 20, {"loss": math.nan, "name": "Straße", "memory": {"free": 1.5}})
    lines = [json.loads(line) for line in folder.events.read_text(encoding="utf-8").splitlines()]
    tracker.close()
    times = [line.pop("time") for line in lines]
    assert lines == [
        {"event": "start", "step": 0, "resumed": None, "path": "a/b"},
        {"event": "step", "step": 20, "loss": None, "name": "Straße", "memory": {"free": 1.5}},
    ]
    assert times == sorted(times)


def test_events_of_a_resumed_run_come_after_those_before(folder: RunFolder) -> None:
    for kind in ("first", "second"):
        tracker = Tracker(folder)
        tracker.event(kind, 0, {})
        tracker.close()
    assert [json.loads(line)["event"] for line in folder.events.read_text().splitlines()] == ["first", "second"]


def test_tensorboard_has_the_scalars_that_are_numbers(folder: RunFolder) -> None:
    tracker = Tracker(folder)
    tracker.scalars(4, {"val/mIoU": 0.25, "val/IoU/car": math.nan})
    tracker.scalars(8, {"val/mIoU": 0.5})
    tracker.close()
    assert board_of(folder).Tags()["scalars"] == ["val/mIoU"]
    assert scalars(folder, "val/mIoU") == [(4, 0.25), (8, 0.5)]


def test_what_was_told_beyond_the_step_that_is_resumed_from_is_hidden(folder: RunFolder) -> None:
    tracker = Tracker(folder)
    for step in (4, 8, 12):
        tracker.scalars(step, {"loss": step})
    tracker.close()
    tracker = Tracker(folder, resumed_step=8)
    tracker.scalars(12, {"loss": -1})
    tracker.close()
    assert scalars(folder, "loss") == [(4, 4), (8, 8), (12, -1)]


def test_pictures_arrive_in_their_size(folder: RunFolder) -> None:
    tracker = Tracker(folder)
    tracker.picture(3, "predictions/one", np.zeros((4, 6, 3), np.uint8))
    tracker.close()
    [event] = board_of(folder).Images("predictions/one")
    assert (event.step, event.height, event.width) == (3, 4, 6)


def test_hyperparameters_stand_against_the_metrics_in_the_runs_own_folder(folder: RunFolder) -> None:
    tracker = Tracker(folder)
    tracker.hyperparameters(
        {"optimizer.lr": 0.1, "seed": 3, "model.encoder_name": "resnet18", "trainer.compile": False},
        {"val/mIoU": 0.5, "val/mDice": math.nan},
    )
    tracker.close()
    assert scalars(folder, "hparam/val/mIoU") == [(0, 0.5)]
    metadata = board_of(folder).SummaryMetadata("_hparams_/session_start_info")
    told = HParamsPluginData.FromString(metadata.plugin_data.content).session_start_info.hparams
    assert told["optimizer.lr"].number_value == 0.1
    assert told["seed"].number_value == 3
    assert told["model.encoder_name"].string_value == "resnet18"
    assert told["trainer.compile"].bool_value is False
    assert not [path for path in folder.tensorboard.iterdir() if path.is_dir()]
