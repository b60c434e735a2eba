import io
import logging

import pytest
from rich.console import Console

from segmentation.runtime import console as module
from segmentation.runtime.console import ConsoleHandler, progress_bar, table_text


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Console:
    console = Console(file=io.StringIO(), force_terminal=True, width=100, highlight=False)
    monkeypatch.setattr(module, "console", console)
    return console


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Console:
    console = Console(file=io.StringIO(), force_terminal=False, width=100, highlight=False)
    monkeypatch.setattr(module, "console", console)
    return console


def shown(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_without_a_terminal_progress_is_a_plain_line_only_when_there_is_something_to_tell(
    pipe: Console, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "segmentation"), progress_bar("epoch 1", 8) as bar:
        bar.advance()
        bar.advance(3)
        bar.tell("loss 0.5")
        bar.advance()
    assert [record.getMessage() for record in caplog.records] == ["epoch 1 4/8  loss 0.5"]
    assert shown(pipe) == ""


def test_on_a_terminal_a_bar_counts_and_tells_and_goes_away(
    terminal: Console, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "segmentation"), progress_bar("epoch 1", 8) as bar:
        bar.advance(3)
        bar.tell("loss 0.5")
    text = shown(terminal)
    assert "epoch 1" in text
    assert "3/8" in text
    assert "loss 0.5" in text
    assert text.endswith("\x1b[2K"), "the line is erased when all is done"
    assert caplog.records == []
    assert bar.done == 3


def record(level: int, message: str) -> logging.LogRecord:
    return logging.LogRecord("segmentation", level, "", 0, message, None, None)


def test_log_lines_are_printed_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    handler = ConsoleHandler()
    long = "trainer.monitor=[val/mIoU] " + "x" * 300
    handler.handle(record(logging.INFO, long))
    handler.handle(record(logging.WARNING, "[bold]careful[/bold]"))
    handler.handle(record(logging.ERROR, "broken [1, 2]"))
    out, err = capsys.readouterr()
    assert out.splitlines() == [long, "[bold]careful[/bold]"], "no wrapping, no markup, no colour off a terminal"
    assert err.splitlines() == ["broken [1, 2]"]


def test_warnings_are_coloured_on_a_terminal(terminal: Console) -> None:
    handler = ConsoleHandler()
    handler.handle(record(logging.INFO, "plain"))
    handler.handle(record(logging.WARNING, "careful"))
    plain, careful = shown(terminal).splitlines()
    assert plain == "plain"
    assert "\x1b[33mcareful" in careful


def test_a_table_has_its_title_and_a_line_for_each_row_whatever_the_console_is() -> None:
    text = table_text("groups", ["group", "lr"], [["stage 0", 0.00012345], ["head [x]", "-"]])
    lines = text.splitlines()
    assert lines[0].strip() == "groups"
    assert "\x1b" not in text
    assert any(line.startswith("stage 0") and line.endswith("0.0001234") for line in lines)
    assert any(line.startswith("head [x]") and line.endswith("-") for line in lines)
    assert all(line == line.rstrip() for line in lines)
