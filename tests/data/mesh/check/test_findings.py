from pathlib import Path

import numpy as np

from segmentation.data.check.findings import Finding, Severity
from segmentation.data.mesh.check.findings import mesh_findings
from segmentation.data.mesh.check.scan import scan_meshes
from segmentation.data.mesh.layouts.mesh_folder import mesh_folder
from tests.data.mesh.mesh_files import BOX, SIDE_OF, write_boxes, write_ply, write_texture

NAMES = ["a", "b", "c", "d", "e", "f"]


def found(root: Path, group: str | None = None) -> dict[str, Finding]:
    source = mesh_folder(str(root), NAMES, texture_dir="textures", group=group)
    parts = {part: [sample for sample in source.samples if sample.part == part] for part in ("train", "val")}
    return {finding.kind: finding for finding in mesh_findings(source, scan_meshes(source), parts)}


def test_nothing_is_found_in_good_meshes(tmp_path: Path) -> None:
    assert found(write_boxes(tmp_path)) == {}


def test_copies_are_a_fault_across_splits_and_a_note_within_one(tmp_path: Path) -> None:
    write_boxes(tmp_path)
    write_ply(tmp_path / "val/copy.ply", BOX + 7)
    write_ply(tmp_path / "train/copy.ply", BOX * 1.25)
    findings = found(tmp_path)
    assert findings["duplicate across splits"].severity is Severity.FAULT
    (across,), (within,) = (findings[kind].examples for kind in ("duplicate across splits", "duplicate"))
    assert across.text == "train/0 (train) = val/copy (val)"
    assert within.text == "train/1 (train) = train/copy (train)"


def test_classes_that_cannot_be_learnt_are_a_fault(tmp_path: Path) -> None:
    write_boxes(tmp_path, train=0)
    write_ply(tmp_path / "train/a.ply", BOX * 9, labels=np.where(SIDE_OF == 5, 4, SIDE_OF))
    (finding,) = found(tmp_path).values()
    assert finding.severity is Severity.FAULT
    assert finding.line().startswith("1 class never in train: they cannot be learnt")
    assert finding.line().endswith(": f")


def test_meshes_whose_faces_are_all_ignored_are_told(tmp_path: Path) -> None:
    write_ply(write_boxes(tmp_path) / "val/void.ply", BOX * 9, labels=np.full(12, -1))
    (finding,) = found(tmp_path).values()
    assert (finding.kind, finding.severity) == ("void mesh", Severity.WARNING)
    assert finding.line().startswith("nothing but ignored faces in 1 mesh: ")
    assert finding.examples[0].keys == ("val/void",)
    for path in tmp_path.glob("*/[0-9].ply"):
        path.unlink()
    assert found(tmp_path)["void mesh"].severity is Severity.FAULT


def test_groups_across_splits_are_a_warning(tmp_path: Path) -> None:
    write_ply(write_boxes(tmp_path) / "val/block7_b.ply", BOX * 8)
    write_ply(tmp_path / "train/block7_a.ply", BOX * 9)
    (finding,) = found(tmp_path, group="(block[0-9]+|[^/]+/[0-9])").values()
    assert (finding.kind, finding.severity) == ("group across splits", Severity.WARNING)
    assert finding.line() == "train and val share 1 group: scores there are flattered: block7"


def test_a_texture_image_that_is_not_there_or_no_picture_is_told_once(tmp_path: Path) -> None:
    write_boxes(tmp_path)
    for name in ("one", "two"):
        write_ply(tmp_path / f"val/{name}.ply", BOX * len(name), uv=np.zeros((12, 6)), images=["torn.png"])
    write_ply(tmp_path / "val/lost.ply", BOX * 7, uv=np.zeros((12, 6)), images=["lost.png"])
    torn = write_texture(tmp_path / "textures/torn.png", np.zeros((32, 32, 3)))
    torn.write_bytes(torn.read_bytes()[:60])
    finding = found(tmp_path)["texture image"]
    assert finding.severity is Severity.FAULT
    lost, told = sorted(example.text for example in finding.examples)
    assert lost.endswith("lost.png")
    assert told.startswith(f"the texture image {torn} cannot be read")
