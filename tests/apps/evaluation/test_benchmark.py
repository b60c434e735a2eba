import pytest

from segmentation.apps.evaluation.benchmark import benchmark_run
from segmentation.engine import benchmark as engine
from segmentation.errors import UserError
from segmentation.runtime.files import read_json
from segmentation.runtime.run_folder import RunFolder
from tests.conftest import Compose, Run


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "SECONDS", 0.0)
    monkeypatch.setattr(engine, "LATENCY_RUNS", 3)


def test_the_result_is_in_the_run_folder_with_the_conditions(scored: RunFolder, composed: Compose) -> None:
    fps = benchmark_run(composed(f"run={scored.path}", "benchmark=true", "benchmark_batch_size=2", name="evaluate"))
    result = read_json(scored.evaluation / "benchmark.json")
    assert result["fps"] == fps > 0
    assert result["image_size"] == [32, 64]
    assert (result["precision"], result["channels_last"], result["weights"]) == ("fp32", True, "raw")
    assert [row["batch_size"] for row in result["throughput"]] == [1, 2]
    convolutions = 8 * 27 + 8 * 72 + 13 * 8  # weights of the three layers, each used at every pixel
    assert result["flops"] == 2 * 32 * 64 * convolutions
    assert result["parameters"] == convolutions + 8 + 8 + 13 + 2 * 8


def test_tiles_and_views_are_timed_as_asked(scored: RunFolder, composed: Compose) -> None:
    options = (f"run={scored.path}", "benchmark=true", "benchmark_batch_size=1", "benchmark_size=[16,32]")
    benchmark_run(composed(*options, name="evaluate"))
    benchmark_run(composed(*options, "tile=[16,16]", "overlap=0", "tta.flips=[horizontal]", name="evaluate"))
    whole = read_json(scored.evaluation / "benchmark.json")
    asked = read_json(scored.evaluation / "benchmark-tiled16x16-0-tta-horizontal.json")
    assert whole["image_size"] == asked["image_size"] == [16, 32]
    assert asked["flops"] == 2 * whole["flops"], "two views, of two tiles each that are half of the image"


def test_images_of_any_size_need_one_to_be_named(scored: RunFolder, composed: Compose) -> None:
    text = scored.config.read_text().replace("image_size:\n  - 32\n  - 64", "image_size: null")
    scored.config.write_text(text)
    with pytest.raises(UserError, match=r"give benchmark_size=\[HEIGHT,WIDTH\]"):
        benchmark_run(composed(f"run={scored.path}", "benchmark=true", name="evaluate"))


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        (["min_fps=1e9"], "images/s are below min_fps=1000000000.0"),
        (["max_latency_ms=0"], "above max_latency_ms=0"),
        (["min_fps=1e9", "max_latency_ms=0"], "; the latency of"),
    ],
)
def test_a_model_that_is_too_slow_fails(scored: RunFolder, composed: Compose, limits: list[str], says: str) -> None:
    with pytest.raises(UserError, match=says):
        benchmark_run(
            composed(f"run={scored.path}", "benchmark=true", "benchmark_batch_size=1", *limits, name="evaluate")
        )
    assert (scored.evaluation / "benchmark.json").is_file(), "what was measured is kept"


def test_several_ranks_are_refused(scored: RunFolder, composed: Compose, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UserError, match="without torchrun"):
        benchmark_run(composed(f"run={scored.path}", "benchmark=true", name="evaluate"))


def test_the_failing_check_is_one_line_and_an_exit_status_of_1(scored: RunFolder, run_script: Run) -> None:
    done = run_script("evaluate.py", f"run={scored.path}", "benchmark=true", "benchmark_batch_size=1", "min_fps=1e9")
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert "below min_fps" in done.stderr
    assert "latency p99, ms" in done.stdout
