from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segmentation.data.mesh.layouts.mesh_folder import mesh_folder
from segmentation.errors import UserError
from tests.data.mesh.mesh_files import LOD3, SUM, needs_lod3, needs_sum, write_obj, write_ply

NAMES = ["zero", "one", "two", "three", "four", "five"]
HEADER = ("label 0 unclassified", "label 1 wall", "label 4 flat roof", "label -1 ground")


def text(path: Path, content: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
    return path


def test_parts_are_those_of_the_folders(tmp_path: Path) -> None:
    for name in ("train/a", "train/sub/b", "Validation/c", "test/d", "other/e"):
        write_ply(tmp_path / f"{name}.ply")
    (tmp_path / "textures").mkdir()
    source = mesh_folder(str(tmp_path), NAMES, texture_dir="textures")
    assert [(sample.key, sample.part) for sample in source.samples] == [
        ("Validation/c", "val"),
        ("test/d", "test"),
        ("train/a", "train"),
        ("train/sub/b", "train"),
    ]
    assert source.textures == tmp_path / "textures"
    assert source.classes.names == tuple(NAMES)


def test_a_folder_for_each_kind_of_file(tmp_path: Path) -> None:
    write_ply(tmp_path / "meshes/a_labeled.ply", labels=None)
    write_obj(tmp_path / "meshes/sub/b.obj", "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    for stem, count in (("a", 12), ("b", 1)):
        text(tmp_path / f"labels/{stem}.txt", "3\n" * count)
        text(tmp_path / f"pixels/{stem}_labeled.pkl")
        text(tmp_path / f"json/{stem}.json", str({"light": [2] * count}).replace("'", '"'))
    folders = {"mesh_dir": "meshes", "label_dir": "labels", "texture_dir": "pixels", "json_dir": "json"}
    source = mesh_folder(str(tmp_path), NAMES, json_features=["light"], **folders)  # type: ignore[arg-type]
    first, second = source.samples
    assert [first.key, second.key] == ["a", "sub/b"]
    assert first.part is None
    assert (first.labels, first.pixels, first.extra) == (
        tmp_path / "labels/a.txt",
        tmp_path / "pixels/a_labeled.pkl",
        tmp_path / "json/a.json",
    )
    meshes = [source.read(sample) for sample in source.samples]
    assert [mesh.labels is not None and mesh.labels.tolist() for mesh in meshes] == [[3] * 12, [3]]
    assert meshes[0].extra["light"].tolist() == [2] * 12


def test_labels_may_be_in_the_same_parts(tmp_path: Path) -> None:
    for name in ("train/a", "val/a"):
        write_ply(tmp_path / f"meshes/{name}.ply")
        text(tmp_path / f"labels/{name}.txt")
    source = mesh_folder(str(tmp_path), NAMES, mesh_dir="meshes", label_dir="labels")
    assert [(sample.part, sample.labels) for sample in source.samples] == [
        ("train", tmp_path / "labels/train/a.txt"),
        ("val", tmp_path / "labels/val/a.txt"),
    ]


def test_all_that_is_missing_is_told_together(tmp_path: Path) -> None:
    for name in ("a", "a_labeled", "b"):
        write_ply(tmp_path / f"meshes/{name}.ply")
    for name in ("labels/a.txt", "labels/z.txt", "json/b.json"):
        text(tmp_path / name)
    with pytest.raises(UserError, match=r"has 4 faults: mend or remove these") as error:
        mesh_folder(str(tmp_path), NAMES, mesh_dir="meshes", label_dir="labels", json_dir="json")
    told = str(error.value)
    assert "meshes holds a.ply and a_labeled.ply: two meshes of one name" in told
    assert f"b.ply has no .txt/.label/.labels/.seg in {tmp_path / 'labels'}" in told
    assert f"{tmp_path / 'labels/z.txt'} has no mesh" in told
    assert f"has no .json in {tmp_path / 'json'}" in told


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"mesh_dir": "nowhere"}, "dataset.mesh_dir=nowhere: there is no such folder in"),
        ({"label_dir": "nowhere"}, "dataset.label_dir=nowhere: there is no such folder in"),
        ({"texture_dir": "nowhere"}, "dataset.texture_dir=nowhere: there is no such folder in"),
        ({"mesh_dir": "empty"}, r"holds no mesh \(.ply, .obj\) in empty"),
        ({"json_features": ["light"]}, r"dataset.json_features=\[.light.\]: give dataset.json_dir"),
        ({"json_features": ["light", "label"]}, "names label, which tells the label"),
        ({"group": "(x)"}, r"a: dataset.group=\(x\) does not fit"),
        ({"remap": {0: "wall"}}, "dataset.remap has 0: wall"),
        ({"classes": None}, "dataset.classes is not given"),
    ],
)
def test_options_that_do_not_fit_are_told(tmp_path: Path, options: dict[str, Any], told: str) -> None:
    write_ply(tmp_path / "a.ply")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=told):
        mesh_folder(str(tmp_path), **{"classes": NAMES, **options})


def test_classes_are_those_that_the_first_mesh_tells(tmp_path: Path) -> None:
    labels = [0, 1, 4, -1] * 3
    write_ply(tmp_path / "a.ply", labels=labels, comments=HEADER)
    source = mesh_folder(str(tmp_path))
    assert source.classes.names == ("wall", "flat roof", "ground")
    assert dict(source.label_ids) == {0: 255, 1: 0, 4: 1, -1: 2}
    np.testing.assert_array_equal(source.read(source.samples[0]).labels, [255, 0, 1, 2] * 3)


def test_meshes_that_call_one_number_by_two_names_are_told(tmp_path: Path) -> None:
    other = ("label 1 ground", "label 4 flat roof", "label 9 roof")
    for name, comments in {"a": HEADER, "b": (), "c": other, "d": HEADER}.items():
        write_ply(tmp_path / f"{name}.ply", labels=[1, 4] * 6, comments=comments)
    with pytest.raises(UserError, match=r"(?s)a\.ply says .*1 fault.*c\.ply: 1 is ground, not wall") as error:
        mesh_folder(str(tmp_path))
    assert "d.ply" not in str(error.value)
    assert len(mesh_folder(str(tmp_path), NAMES, {1: NAMES[0], 4: "ignore"}).samples) == 4


def test_minus_one_is_ignored_unless_it_has_a_name(tmp_path: Path) -> None:
    write_ply(tmp_path / "a.ply", labels=[-1, 1, 4] * 4, comments=HEADER[:-1])
    source = mesh_folder(str(tmp_path))
    labels = source.read(source.samples[0]).labels
    assert labels is not None
    assert labels.tolist() == [255, 0, 1] * 4


def test_numbers_are_ids_unless_they_are_remapped(tmp_path: Path) -> None:
    write_ply(tmp_path / "a.ply", labels=[-1, 255, *range(6), 0, 0, 0, 0], comments=HEADER)
    plain = mesh_folder(str(tmp_path), NAMES)
    assert np.array(plain.read(plain.samples[0]).labels)[:5].tolist() == [255, 255, 0, 1, 2]
    remap: dict[int, int | str] = {-1: "zero", 255: "ignore", **{number: 5 - number for number in range(6)}}
    turned = mesh_folder(str(tmp_path), NAMES, remap)
    assert np.array(turned.read(turned.samples[0]).labels)[:5].tolist() == [0, 255, 5, 4, 3]


def test_a_split_keeps_groups_together(tmp_path: Path) -> None:
    for name in ("4018a", "4018b", "4020a"):
        write_ply(tmp_path / f"{name}.ply")
    source = mesh_folder(str(tmp_path), NAMES, group="([0-9]+)")
    assert [sample.group for sample in source.samples] == ["4018", "4018", "4020"]


@needs_lod3
def test_the_lod3_buildings_have_what_their_readme_says() -> None:
    source = mesh_folder(str(LOD3), texture_dir="textures")
    assert [sum(sample.part == part for sample in source.samples) for part in ("train", "val")] == [36, 8]
    assert source.classes.names == ("wall", "window", "door", "roof", "ground", "outer_ceiling", "installation")
    counts = np.zeros(256, int)
    for sample in source.samples:
        if sample.part == "val":
            labels = source.read(sample).labels
            assert labels is not None
            counts += np.bincount(labels, minlength=256)
    assert counts[:7].tolist() == [1398, 12445, 500, 122, 51, 139, 5366]
    assert (counts[255], counts.sum()) == (78, 20099)


@needs_sum
def test_the_sum_sample_ignores_what_is_unclassified() -> None:
    source = mesh_folder(str(SUM))
    assert source.classes.names == ("ground", "vegetation", "building", "water", "vehicle")
    (sample,) = source.samples
    mesh = source.read(sample)
    assert mesh.labels is not None
    assert np.bincount(mesh.labels).tolist() == [793, 460, 720]
    assert source.texture_files(sample, mesh) == [SUM / "Tile_+1990_+2690_0.jpg"]
