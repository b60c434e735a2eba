"""The shape of the code: imports go down, one floor knows the configuration, the tree in the README is true."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "segmentation"
FILES = sorted(PACKAGE.rglob("*.py"))
FLOORS = {
    **dict.fromkeys(("errors", "classes", "outputs", "runtime"), 0),
    **dict.fromkeys(("data", "models", "losses", "metrics", "inference", "reports"), 1),
    "engine": 2,
    **dict.fromkeys(("build", "apps"), 3),
}
COMMANDS = {  # a folder of apps, and which others it may know
    "config": set(),
    "runs": {"config"},
    "dataset": {"config"},
    "training": {"config", "dataset"},
    **{name: {"config", "runs"} for name in ("evaluation", "comparison", "export", "prediction")},
    "pareto": {"config", "runs", "export"},
}
KINDS = {"image", "mesh", "instance"}


def name_of(path: Path) -> tuple[str, ...]:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" else parts


def imports_of(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


@pytest.mark.parametrize("path", FILES, ids=lambda path: "/".join(name_of(path)) or "segmentation")
def test_imports_go_down(path: Path) -> None:
    own = name_of(path)
    if not own:
        return
    for module in imports_of(path):
        parts = module.split(".")
        if parts[0] != "segmentation" or len(parts) == 1:
            continue
        here, there = FLOORS[own[0]], FLOORS[parts[1]]
        assert there <= here, f"{module} is above"
        if here == there == 1:
            assert own[0] == parts[1], f"{own[0]} and {parts[1]} are side by side"
        kinds = KINDS & set(own[:2]), KINDS & set(parts[1:3])
        assert not (all(kinds) and kinds[0] != kinds[1]), f"{module} is another kind of data"


def test_commands_do_not_know_each_other() -> None:
    for path in FILES:
        own = name_of(path)
        if own[0:1] == ("apps",) and len(own) > 2:
            there = {module.split(".")[2] for module in imports_of(path) if module.startswith("segmentation.apps.")}
            assert not (there & COMMANDS.keys()) - COMMANDS[own[1]] - {own[1]}, path


@pytest.mark.parametrize("path", FILES, ids=lambda path: "/".join(name_of(path)) or "segmentation")
def test_only_the_top_floor_knows_the_configuration(path: Path) -> None:
    own = name_of(path)
    knows = any(module.split(".")[0] in ("hydra", "omegaconf") for module in imports_of(path))
    assert not knows or FLOORS[own[0]] == 3


def test_the_loop_reads_on_one_screenful_after_another() -> None:
    assert len((PACKAGE / "engine" / "loop.py").read_text(encoding="utf-8").splitlines()) <= 250


def test_doors_are_thin() -> None:
    for door in ROOT.glob("*.py"):
        assert len(door.read_text(encoding="utf-8").splitlines()) < 40


def test_the_readme_names_every_file() -> None:
    tree = (ROOT / "README.md").read_text(encoding="utf-8")
    for path in FILES:
        if path.name != "__init__.py":
            assert re.search(rf"\b{re.escape(path.name)}\b", tree), (
                f"{path.relative_to(ROOT)} is not in the README's tree"
            )


def test_every_option_has_a_comment() -> None:
    """A top-level option of a group's YAML says what it means; nodes explain their own entries."""
    shared = ("david.yaml", "shared/images.yaml")
    explained = "".join((ROOT / "conf" / "dataset" / name).read_text(encoding="utf-8") for name in shared)
    for path in sorted((ROOT / "conf").rglob("*.yaml")):
        if "experiment" in path.parts or "hydra" in path.parts:
            continue
        text = path.read_text(encoding="utf-8")
        assert text.startswith("# "), f"{path} has no header"
        for line in text.splitlines():
            option = re.match(r"^([a-z_A-Z]+): +\S", line)
            if option and not re.match(
                r"^(_\w+_|architecture|defaults|ignore_index|mean|std|momentum|nesterov|mode)$", option[1]
            ):
                known = f"{option[1]}:" in explained
                assert "#" in line or known or len(line) < 20, f"{path}: {line}"
