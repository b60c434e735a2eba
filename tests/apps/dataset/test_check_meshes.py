"""The check of meshes as a whole: clean data, planted faults, new splits."""

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from segmentation.apps.dataset.check import check, check_before_training, look_for_faults
from segmentation.build.data import build_source, build_split
from segmentation.data.check.findings import Finding, Severity
from segmentation.data.splits import read_split
from segmentation.errors import UserError
from tests.conftest import Compose, Run
from tests.data.mesh.mesh_files import BOX, SIDE_OF, write_boxes, write_ply
from tests.reports.parsed import Parsed

Checked = Callable[..., list[Finding]]


@pytest.fixture
def boxes(tmp_path: Path) -> Path:
    return write_boxes(tmp_path / "boxes")


@pytest.fixture
def checked(boxes: Path, composed: Compose, tmp_path: Path) -> Checked:
    def run(*more: str, task: Callable = look_for_faults) -> list[Finding]:
        data = ("dataset=mesh_folder", f"dataset.root={boxes}", "dataset.texture_dir=textures")
        found: list[Finding] = task(composed(*data, f"report={tmp_path / 'report.html'}", *more, name="check"))
        return found

    return run


def pictures_on(page: str) -> list[str | None]:
    return [image["alt"] for image in Parsed(page).of("img") if image["alt"]]


def test_clean_meshes_are_told_and_have_no_fault(
    checked: Checked, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        checked(task=check)
    lines = [" ".join(line.replace("\N{BOX DRAWINGS LIGHT VERTICAL}", " ").split()) for line in caplog.text.split("\n")]
    for expected in (
        *("meshes 4 2", "faces 48 24", "faces in a mesh 12 to 12, median 12 12 to 12, median 12"),
        *("textured faces 100.00% 100.00%", "texture images 1 1", "edges of more than two faces 0 0"),
        *("side0 16.67% 16.67%", "side0 15.38% 15.38%"),  # of the faces, and of the area: 8 of 52 m2
    ):
        assert expected in lines
    assert "nothing was found that would spoil a run" in caplog.text
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert pictures_on(html) == ["train/0", "train/2", "train/3", "val/4", "val/5"]
    for expected in ("Of the faces", "Of the area", "Faces in a mesh", "train/0", "15.38% in 4 of 4 meshes"):
        assert expected in html


def test_faults_of_all_files_are_told_together(checked: Checked, boxes: Path, tmp_path: Path) -> None:
    write_ply(boxes / "train/nan.ply", BOX * np.nan)
    write_ply(boxes / "val/other.ply", labels=SIDE_OF + 1)
    write_ply(boxes / "val/lost.ply", BOX * 9, uv=np.zeros((12, 6)), images=["lost.png"])
    write_ply(boxes / "val/copy.ply")
    faults = {finding.kind: finding for finding in checked() if finding.severity is Severity.FAULT}
    assert faults.keys() == {"unreadable mesh", "texture image", "duplicate across splits"}
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert pictures_on(html) == ["train/0", "val/copy", "train/0", "train/2", "val/4", "val/copy"]
    for name in ("nan.ply: 8 vertices", "other.ply has labels outside", "lost.png", "train/0 (train) = val/copy (val)"):
        assert name in html
    with pytest.raises(UserError, match="3 of 3 findings would spoil a run"):
        checked(task=check)


def test_where_no_mesh_can_be_used_there_is_a_page_all_the_same(checked: Checked, boxes: Path) -> None:
    for path in boxes.glob("*/*.ply"):
        path.write_text("no mesh", encoding="utf-8")
    names = "dataset.classes=[a,b]"
    assert [finding.kind for finding in checked(names)] == ["unreadable mesh", "missing class"]


@pytest.mark.parametrize("method", ["random", "grouped", "stratified"])
def test_a_new_split_keeps_copies_together(method: str, checked: Checked, boxes: Path, tmp_path: Path) -> None:
    write_ply(boxes / "val/copy.ply", BOX + 5)
    split = (f"write_split={tmp_path / 'split.json'}", f"split_method={method}", "dataset.split={train:0.5,val:0.5}")
    kinds = {finding.kind for finding in checked(*split)}
    assert "duplicate" in kinds
    assert "duplicate across splits" not in kinds
    written = read_split(tmp_path / "split.json")
    assert sorted(key for keys in written.values() for key in keys) == sorted(
        path.relative_to(boxes).with_suffix("").as_posix() for path in boxes.glob("*/*.ply")
    )
    assert "duplicate" in {finding.kind for finding in checked(f"dataset.split_file={tmp_path / 'split.json'}")}


def test_meshes_make_no_manifest(checked: Checked, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no image and mask file for each sample; give a \.json"):
        checked(f"write_split={tmp_path / 'manifest.csv'}")


def test_training_looks_at_what_it_prepares_or_at_all_or_at_nothing(
    composed: Compose, boxes: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def look(how: str) -> None:
        data = ("dataset=mesh_folder", f"dataset.root={boxes}", "dataset.texture_dir=textures")
        cfg = composed("model=nomeformer", "augmentation=mesh", *data, f"trainer.check_data={how}")
        source = build_source(cfg.dataset)
        check_before_training(cfg, source, build_split(cfg.dataset, source), resumes=False)

    with caplog.at_level(logging.INFO):
        look("quick")
    assert "note: 72 faces in 6 parts" in caplog.text
    write_ply(boxes / "val/copy.ply")
    look("quick")
    with pytest.raises(UserError, match="1 mesh in more than one split"):
        look("full")
    for path in (boxes / "train").iterdir():
        write_ply(path, labels=np.zeros(12, int), comments=[f"label {number} side{number}" for number in range(6)])
    with pytest.raises(UserError, match="5 classes never in train"):
        look("quick")
    write_ply(boxes / "val/empty.ply", BOX, np.zeros((0, 3), int), [])
    with pytest.raises(UserError, match=r"empty\.ply: an empty mesh"):
        look("quick")
    look("off")


def test_the_command_ends_with_a_status(run_script: Run, boxes: Path) -> None:
    write_ply(boxes / "val/nan.ply", BOX * np.nan)
    ended = run_script("check.py", "dataset=mesh_folder", f"dataset.root={boxes}", "dataset.texture_dir=textures")
    assert ended.returncode == 1
    assert "fault: 1 mesh cannot be used: " in ended.stderr
    assert "Traceback" not in ended.stderr
