"""Ways of running a model, measured: what is measured, what goes on where it stopped, what is refused."""

import logging
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from segmentation.apps.evaluation.evaluate import evaluate_run
from segmentation.apps.pareto.pareto import pareto_run
from segmentation.apps.pareto.ways import ways
from segmentation.errors import UserError
from segmentation.runtime.files import read_json, write_json
from segmentation.runtime.run_folder import RunFolder
from tests.apps.export.test_export import Unexportable, run_of
from tests.conftest import Compose

Measure = Callable[..., int]
CPU, GPU = torch.device("cpu"), torch.device("cuda")


@pytest.fixture
def measure(scored: RunFolder, composed: Compose) -> Measure:
    return lambda *options: pareto_run(composed(f"run={scored.path}", *options, name="pareto"))


def test_every_way_is_worth_what_evaluation_says(scored: RunFolder, composed: Compose, measure: Measure) -> None:
    tiled = ("tile=[32,32]", "tta.flips=[horizontal]")
    expected = [
        evaluate_run(composed(f"run={scored.path}", *options, "resamples=100", "report=false", name="evaluate"))
        for options in ((), tiled)
    ]
    options = ("sizes=[[32,64]]", "precisions=[fp32,int8]", "tta=[{},{flips:[horizontal]}]", "tiles=[null,[32,32]]")
    assert measure(*options) >= 1
    rows = read_json(scored.evaluation / "pareto.json")
    assert len(rows) == 2 * 2 * 3, "tiles, views, and eager fp32, onnx fp32, onnx int8"
    for row in rows:
        assert row["latency_ms"] > 0
        assert row["memory_mb"] >= 0
        if row["precision"] == "fp32" and (row["tile"] is None) == (not row["tta"]):
            assert row["miou"] == pytest.approx(expected[0 if row["tile"] is None else 1], abs=1e-3), row
    assert any("time" in row["efficient_in"] for row in rows)
    page = (scored.evaluation / "pareto.html").read_text()
    assert "32x64, 32x32, horizontal, int8, onnx" in page


def test_what_was_measured_is_not_measured_again(
    scored: RunFolder, measure: Measure, caplog: pytest.LogCaptureFixture
) -> None:
    path = scored.evaluation / "pareto.json"
    few = ("backends=[eager]", "precisions=[fp32]", "tta=[{}]", "images=1")
    measure("sizes=[[32,64]]", *few)
    (first,) = read_json(path)
    other = {**first, "epoch": 7, "miou": 0.99}
    write_json(path, [{**first, "latency_ms": 1e-6}, other])
    with caplog.at_level(logging.INFO, logger="segmentation"):
        measure("sizes=[[32,64],[16,32]]", *few)
    assert "2 ways to run" in caplog.text
    assert "1 of them measured before" in caplog.text
    assert "0.9900" not in caplog.text, "another epoch is another model"
    rows = read_json(path)
    assert [row["size"] for row in rows] == [[32, 64], [32, 64], [16, 32]]
    assert rows[0]["latency_ms"] == 1e-6
    assert rows[1] == other


def test_a_way_that_fails_is_left_out(
    small: Compose, composed: Compose, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = run_of(Unexportable, small, tmp_path / "run")
    few = (f"run={folder.path}", "precisions=[fp32]", "tta=[{}]", "images=1", "sizes=[[32,64]]")
    pareto_run(composed(*few, name="pareto"))
    assert "left out: fp32, onnx: it fails: " in caplog.text
    assert [row["backend"] for row in read_json(folder.evaluation / "pareto.json")] == ["eager"]
    with pytest.raises(UserError, match="nothing could be measured"):
        pareto_run(composed(*few, "backends=[onnx]", "images=2", name="pareto"))


def test_ways_are_all_combinations_that_there_are(scored: RunFolder, composed: Compose) -> None:
    def of(*options: str, device: torch.device = CPU) -> list[str]:
        cfg = composed(f"run={scored.path}", *options, name="pareto")
        run = composed("dataset=david", "dataset.root=x", "dataset.image_size=[30,50]")
        return [", ".join(way.settings().values()) for way in ways(cfg, run, device)]

    assert of("tta=[{},{}]", "precisions=[fp32]", "backends=[eager]") == [
        f"{size}, whole, none, fp32, eager" for size in ("30x50", "22x38", "15x25")
    ]
    one = ("tta=[{scales:[0.5,2]}]", "sizes=[[8,8]]")
    known = ["fp32, eager", "bf16, eager", "fp32, onnx", "fp16, onnx", "int8, onnx"]
    assert of(*one) == [f"8x8, whole, 0.5 2, {pair}" for pair in known]
    assert "8x8, whole, 0.5 2, fp16, eager" in of(*one, device=GPU)
    with pytest.raises(UserError, match=r"^precisions=\['bf16'\]: none is there .*\(onnx has fp32, fp16, int8\)"):
        of("precisions=[bf16]", "backends=[onnx]")


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ("sizes=[]", "a list of [height, width] in pixels"),
        ("tiles=[64]", "a list of [height, width] in pixels or null"),
        ("tta=[{flips:[sideways]}]", "a list of {flips:"),
        ("backends=[eager,tflite]", "a list of eager, compiled, onnx"),
        ("precisions=[fp64]", "a list of fp32, bf16, fp16, int8"),
        ("images=0", "a whole number of at least 1"),
        ("+image=3", "image: there is no such key; did you mean images?"),
    ],
)
def test_impossible_options(measure: Measure, scored: RunFolder, option: str, says: str) -> None:
    with pytest.raises(UserError) as told:
        measure(option)
    assert says in str(told.value)
    assert "\n" not in str(told.value)
    assert not scored.evaluation.exists()


def test_a_damaged_table_and_missing_data_are_told(scored: RunFolder, measure: Measure) -> None:
    scored.evaluation.mkdir()
    (scored.evaluation / "pareto.json").write_text('[{"size": null}]')
    with pytest.raises(UserError, match=r"pareto\.json is damaged: delete it to measure anew"):
        measure()
    with pytest.raises(UserError, match=r"^dataset\.root=/no is not there"):
        measure("dataset.root=/no")
