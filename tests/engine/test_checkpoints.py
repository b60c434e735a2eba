import math
from pathlib import Path

import pytest
import torch

from segmentation.engine.checkpoints import adopt_checkpoints, note_best, note_stopping, save_checkpoints, stopped_early
from segmentation.engine.options import EarlyStopping, better
from segmentation.engine.state import Progress
from segmentation.errors import UserError
from segmentation.runtime.checkpoint import load_checkpoint, save_checkpoint
from segmentation.runtime.run_folder import RunFolder
from tests.engine.toy import Run, build_run, options, unequal

NAN = math.nan


def noted(values: list[float], mode: str, keep: int) -> Progress:
    progress = Progress()
    for value in values:
        progress.epoch += 1
        note_best(progress, value, options(monitor_mode=mode, max_checkpoints=keep))
    return progress


@pytest.mark.parametrize(
    ("values", "mode", "best"),
    [
        ([0.1, 0.3, 0.2], "max", (2, 0.3)),
        ([0.3, 0.1, 0.2], "min", (2, 0.1)),
        ([0.3, 0.3, 0.3], "max", (1, 0.3)),  # a tie improves on nothing: the earlier stays
        ([NAN, 0.3, NAN], "max", (2, 0.3)),
        ([NAN, NAN], "min", (None, None)),
        ([-math.inf, -5.0], "max", (2, -5.0)),
    ],
)
def test_the_best_is_the_first_of_the_best_values(
    values: list[float], mode: str, best: tuple[int | None, float | None]
) -> None:
    progress = noted(values, mode, keep=0)
    assert (progress.best_epoch, progress.best_value) == best
    assert progress.kept == {}


@pytest.mark.parametrize(
    ("values", "mode", "kept"),
    [
        ([0.1, 0.4, 0.2, 0.3], "max", {2, 4}),
        ([0.1, 0.4, 0.2, 0.3], "min", {1, 3}),
        ([0.2, 0.2, 0.2], "max", {1, 2}),  # of equals the earlier stay
        ([0.2, 0.3, 0.2, 0.2], "max", {1, 2}),
        ([NAN, 0.1, NAN, 0.2], "max", {2, 4}),
        ([NAN, 0.1], "min", {2}),
    ],
)
def test_the_kept_are_the_first_of_the_best_values(values: list[float], mode: str, kept: set[int]) -> None:
    progress = noted(values, mode, keep=2)
    assert progress.kept == {f"epoch_{epoch:03d}": values[epoch - 1] for epoch in kept}


def test_nothing_that_is_no_number_is_better() -> None:
    assert better(0.5, None, "max")
    assert not better(0.5, 0.5, "max")
    assert not better(NAN, None, "min")
    assert not better(NAN, 0.5, "max")


@pytest.mark.parametrize(
    ("values", "mode", "stops_after"),
    [
        ([0.5, 0.4, 0.4, 0.9], "max", 3),
        ([0.5, 0.6, 0.7, 0.1, 0.8, 0.8, 0.8], "max", 7),
        ([0.5, 0.6, 0.4, 0.4, 0.5], "min", 5),
        ([0.5, NAN, NAN], "max", 3),
        ([0.1, 0.2, 0.3], "max", None),
    ],
)
def test_early_stopping_counts_measurements_without_improvement(
    values: list[float], mode: str, stops_after: int | None
) -> None:
    progress, patient = Progress(), options(EarlyStopping(mode=mode, patience=2))  # type: ignore[arg-type]
    stopped = None
    for count, value in enumerate(values, 1):
        note_stopping(progress, value, patient)
        if stopped_early(progress, patient):
            stopped = count
            break
    assert stopped == stops_after


def test_without_patience_nothing_stops_early() -> None:
    assert not stopped_early(Progress(stopping_wait=1000), options())


def epoch_of(folder: RunFolder, name: str) -> int:
    return int(load_checkpoint(folder.checkpoint(name))["progress"]["epoch"])


def files(folder: RunFolder) -> set[str]:
    return {file.name for file in folder.checkpoints.iterdir()}


def after_epochs(run: Run, values: list[float]) -> None:
    """What the loop does at the end of each epoch, the monitored values given."""
    progress = run.state.progress
    for value in values:
        progress.epoch += 1
        with torch.no_grad():
            run.state.model.get_parameter("head.bias").fill_(progress.epoch)
        if run.state.average is not None:
            run.state.average.update_parameters(run.state.model)
        note_best(progress, value, run.options)
        save_checkpoints(run.folder, run.state)


def test_last_best_average_and_the_kept_are_files_of_their_epochs(tmp_path: Path) -> None:
    run = build_run(tmp_path, options(max_checkpoints=2, average_start=0.0))
    after_epochs(run, [0.1, 0.5, 0.4, 0.2])
    assert files(run.folder) == {"last.pt", "best.pt", "average.pt", "epoch_002.pt", "epoch_003.pt"}
    assert [epoch_of(run.folder, name) for name in ("last", "best", "epoch_002", "epoch_003")] == [4, 2, 2, 3]
    for name, bias in (("last", 4), ("best", 2), ("epoch_003", 3)):
        assert run.saved(name)["model"]["head.bias"].tolist() == [bias] * 3
    average = run.saved("average")
    assert average["model"]["head.bias"].tolist() == pytest.approx([(1 + 2 + 3 + 4) / 4] * 3)
    assert average["epoch"] == 4


def test_without_an_average_and_a_measurement_only_the_last_is_there(tmp_path: Path) -> None:
    run = build_run(tmp_path, options(max_checkpoints=3))
    after_epochs(run, [NAN, NAN])
    assert files(run.folder) == {"last.pt"}
    assert epoch_of(run.folder, "last") == 2


def test_an_average_that_has_not_begun_has_no_file(tmp_path: Path) -> None:
    run = build_run(tmp_path, options(average_start=0.5))
    run.state.progress.epoch = 1
    save_checkpoints(run.folder, run.state)
    assert files(run.folder) == {"last.pt"}


def test_checkpoints_are_plain_containers(tmp_path: Path) -> None:
    run = build_run(tmp_path, options(ema_decay=0.9, average_start=0.0))
    after_epochs(run, [0.1])
    for name in ("last", "best", "average"):
        content = torch.load(run.folder.checkpoint(name), weights_only=True)
        assert plain(content)


def plain(value: object) -> bool:
    if isinstance(value, dict):
        return all(plain(key) and plain(item) for key, item in value.items())
    if isinstance(value, list | tuple):
        return all(plain(item) for item in value)
    return value is None or isinstance(value, bool | int | float | str | torch.Tensor)


def test_a_crash_between_best_and_last_leaves_the_last_of_the_epoch_before(tmp_path: Path) -> None:
    run = build_run(tmp_path, options(max_checkpoints=1, average_start=0.0))
    after_epochs(run, [0.1, 0.2])
    blocked = run.folder.checkpoint("average")
    blocked.unlink()
    blocked.mkdir()  # nothing can be renamed onto a folder
    with pytest.raises(UserError, match="average"):
        after_epochs(run, [0.3])
    assert epoch_of(run.folder, "last") == 2
    assert epoch_of(run.folder, "best") == 3
    assert "epoch_002.pt" in files(run.folder), "the epoch that last.pt knows of is not yet let go"

    blocked.rmdir()
    again = build_run(tmp_path, options(max_checkpoints=1, average_start=0.0))
    again.resume(run.folder.checkpoint("last"))
    assert again.state.progress.epoch == 2
    assert again.state.progress.best_value == 0.2
    after_epochs(again, [0.3])
    assert [epoch_of(run.folder, name) for name in ("last", "best", "epoch_003")] == [3, 3, 3]
    assert files(run.folder) == {"last.pt", "best.pt", "average.pt", "epoch_003.pt"}


def resumed_elsewhere(run: Run, name: str, folder: RunFolder) -> Progress:
    path = run.folder.checkpoint(name)
    progress = Progress(**load_checkpoint(path)["progress"])
    folder.checkpoints.mkdir(parents=True)
    adopt_checkpoints(path, folder, progress)
    return progress


def test_going_on_in_another_folder_brings_the_best_and_the_kept_along(tmp_path: Path) -> None:
    run, there = build_run(tmp_path / "run", options(max_checkpoints=2)), RunFolder(tmp_path / "there")
    after_epochs(run, [0.3, 0.5, 0.4, 0.1])
    progress = resumed_elsewhere(run, "last", there)
    assert (progress.best_epoch, progress.best_value) == (2, 0.5)
    assert files(there) == {"best.pt", "epoch_002.pt", "epoch_003.pt"}
    assert epoch_of(there, "best") == epoch_of(there, "epoch_002") == 2


def test_what_goes_on_from_the_best_has_it_as_its_best(tmp_path: Path) -> None:
    run, there = build_run(tmp_path / "run", options(max_checkpoints=2)), RunFolder(tmp_path / "there")
    after_epochs(run, [0.3, 0.5, 0.4])
    progress = resumed_elsewhere(run, "best", there)
    assert (progress.epoch, progress.best_epoch) == (2, 2)
    assert epoch_of(there, "best") == 2
    assert progress.kept == {"epoch_002": 0.5}, "epoch_001.pt was let go of after epoch 3"
    assert files(there) == {"best.pt", "epoch_002.pt"}


def test_new_epochs_in_the_other_folder_leave_the_first_run_as_it_was(tmp_path: Path) -> None:
    run = build_run(tmp_path / "run", options(max_checkpoints=1))
    after_epochs(run, [0.3, 0.5, 0.4])
    before = {name: (run.folder.checkpoints / name).read_bytes() for name in files(run.folder)}
    on = build_run(tmp_path / "there", options(max_checkpoints=1))
    on.resume(run.folder.checkpoint("last"))
    after_epochs(on, [0.9])
    assert epoch_of(on.folder, "best") == 4
    assert {name: (run.folder.checkpoints / name).read_bytes() for name in files(run.folder)} == before


@pytest.mark.parametrize("beside", ["nothing", "another epoch"])
def test_a_best_that_is_not_beside_the_checkpoint_is_sought_anew(tmp_path: Path, beside: str) -> None:
    run, there = build_run(tmp_path / "run", options()), RunFolder(tmp_path / "there")
    after_epochs(run, [0.3, 0.5, 0.4])
    best, last = run.folder.checkpoint("best"), run.folder.checkpoint("last")
    best.unlink()
    if beside == "another epoch":
        best.write_bytes(last.read_bytes())
    progress = resumed_elsewhere(run, "last", there)
    assert (progress.best_epoch, progress.best_value) == (None, None)
    assert files(there) == set()
    progress.epoch += 1
    note_best(progress, 0.1, options())
    assert progress.best_epoch == 4


@pytest.mark.parametrize("beside", ["nothing", "another epoch"])
def test_a_best_that_is_missing_is_found_among_the_kept(tmp_path: Path, beside: str) -> None:
    run, there = build_run(tmp_path / "run", options(max_checkpoints=2)), RunFolder(tmp_path / "there")
    after_epochs(run, [0.3, 0.5, 0.4])
    best = run.folder.checkpoint("best")
    best.unlink()
    if beside == "another epoch":
        best.write_bytes(run.folder.checkpoint("last").read_bytes())
    progress = resumed_elsewhere(run, "last", there)
    assert (progress.best_epoch, progress.best_value) == (2, 0.5)
    assert epoch_of(there, "best") == 2


def test_a_kept_file_of_another_epoch_than_its_name_is_not_the_best(tmp_path: Path) -> None:
    run, there = build_run(tmp_path / "run", options(max_checkpoints=2)), RunFolder(tmp_path / "there")
    after_epochs(run, [0.3, 0.5, 0.4])
    run.folder.checkpoint("best").unlink()
    run.folder.checkpoint("epoch_002").write_bytes(run.folder.checkpoint("last").read_bytes())
    assert resumed_elsewhere(run, "last", there).best_epoch is None
    assert "best.pt" not in files(there)


def test_going_back_within_a_folder_says_which_epochs_are_discarded(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = build_run(tmp_path, options(max_checkpoints=4))
    after_epochs(run, [0.1, 0.2, 0.3, 0.4])
    build_run(tmp_path, options()).resume(run.folder.checkpoint("last"))
    assert not caplog.messages, "nothing is later than the last"
    build_run(tmp_path / "there", options()).resume(run.folder.checkpoint("epoch_003"))
    assert not caplog.messages, "another folder takes nothing from this one"

    back = build_run(tmp_path, options(max_checkpoints=3))
    back.resume(run.folder.checkpoint("epoch_002"))
    told = [message for message in caplog.messages if "discarded" in message]
    assert len(told) == 1
    assert "after epoch 2" in told[0]
    assert "up to 4" in told[0]
    assert (back.state.progress.best_epoch, epoch_of(run.folder, "best")) == (2, 2)


def test_a_run_that_is_over_leaves_its_checkpoints_in_the_new_folder_too(tmp_path: Path) -> None:
    chosen = options(epochs=3, max_checkpoints=2, average_start=0.0, ema_decay=0.9)
    run = build_run(tmp_path / "run", chosen)
    run.fit()
    on = build_run(tmp_path / "there", chosen, seed=77)
    on.resume(run.folder.checkpoint("last"))
    assert on.fit().seconds == {}
    assert files(on.folder) == files(run.folder) >= {"last.pt", "best.pt", "average.pt"}
    for file in files(run.folder):
        assert not unequal(run.saved(Path(file).stem), on.saved(Path(file).stem)), file


def test_adopting_within_the_same_folder_changes_nothing(tmp_path: Path) -> None:
    run = build_run(tmp_path, options(max_checkpoints=2))
    after_epochs(run, [0.3, 0.5, 0.4])
    before = {name: (run.folder.checkpoints / name).read_bytes() for name in files(run.folder)}
    progress = Progress(**run.saved("last")["progress"])
    adopt_checkpoints(run.folder.checkpoint("last"), run.folder, progress)
    assert {name: (run.folder.checkpoints / name).read_bytes() for name in files(run.folder)} == before
    assert progress == run.state.progress


def test_a_run_can_go_on_from_a_copy_that_lies_alone(tmp_path: Path) -> None:
    run = build_run(tmp_path / "run", options(max_checkpoints=2))
    after_epochs(run, [0.3, 0.5])
    alone = tmp_path / "alone.pt"
    save_checkpoint(alone, run.saved("last"))
    on = build_run(tmp_path / "there", options(max_checkpoints=2))
    on.resume(alone)
    assert on.state.progress.best_epoch == 2
    assert epoch_of(on.folder, "best") == 2, "the checkpoint itself is the best"
    assert on.state.progress.kept == {}
