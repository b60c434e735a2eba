from pathlib import Path

import numpy as np
import pytest

from segmentation.data.mesh.layouts.mesh_folder import mesh_folder
from segmentation.errors import UserError
from tests.data.mesh.mesh_files import BOX, SIDE_OF, write_obj, write_ply, write_texture

NAMES = ["a", "b", "c", "d", "e", "f"]


def test_faults_of_a_mesh_come_with_its_file(tmp_path: Path) -> None:
    write_ply(tmp_path / "a.ply", np.where(BOX == 3, np.nan, BOX))
    source = mesh_folder(str(tmp_path), NAMES)
    with pytest.raises(UserError, match=rf"^{tmp_path / 'a.ply'}: 4 vertices are not finite, the first is number 4:"):
        source.read(source.samples[0])


def test_labels_outside_of_the_classes_are_told_with_their_faces(tmp_path: Path) -> None:
    write_ply(tmp_path / "a.ply", labels=np.where(SIDE_OF == 2, 17, SIDE_OF))
    source = mesh_folder(str(tmp_path), NAMES[:5])
    told = r"has labels outside of the classes: 5 \(2 faces\), 17 \(2 faces\); expected -1, 0, 1, 2, 3, 4, 255"
    with pytest.raises(UserError, match=told):
        source.read(source.samples[0])


def test_a_mesh_without_labels_is_told(tmp_path: Path) -> None:
    write_ply(tmp_path / "a.ply", labels=None)
    source = mesh_folder(str(tmp_path), NAMES)
    with pytest.raises(UserError, match=r"a.ply has no labels: expected a property label .* or dataset.label_dir"):
        source.read(source.samples[0])


def test_textures_are_in_their_folder_or_beside_the_mesh(tmp_path: Path) -> None:
    write_ply(tmp_path / "data/a.ply", uv=np.zeros((12, 6)), images=["x.png", "y.png"])
    here, there = tmp_path / "data/x.png", tmp_path / "data/textures/y.png"
    for path in (here, there, there.with_name("x.png")):
        write_texture(path, np.zeros((2, 2, 3)))
    source = mesh_folder(str(tmp_path / "data"), NAMES, texture_dir="textures")
    (sample,) = source.samples
    assert source.texture_files(sample, source.read(sample)) == [there.with_name("x.png"), there]
    assert source.pictures() == sorted([here, there, there.with_name("x.png")])
    there.unlink()
    with pytest.raises(UserError, match=r"a.ply names 1 texture images that are not in .*textures or .*data: y.png$"):
        source.texture_files(sample, source.read(sample))


def test_textures_may_lie_in_folders_below(tmp_path: Path) -> None:
    write_ply(tmp_path / "a.ply", uv=np.zeros((12, 6)), images=["images/x.png", r"images\y.png"])
    places = [write_texture(tmp_path / "images" / name, np.zeros((2, 2, 3))) for name in ("x.png", "y.png")]
    source = mesh_folder(str(tmp_path), NAMES)
    assert source.texture_files(source.samples[0], source.read(source.samples[0])) == places
    assert source.pictures() == places, "what is kept of a mesh changes with them"


def test_the_files_of_a_sample_are_all_that_it_is_read_from(tmp_path: Path) -> None:
    write_obj(tmp_path / "m/a.obj", "v 0 0 0\n")
    for name in ("m/a.mtl", "l/a.txt", "j/a.json"):
        write_obj(tmp_path / name, "")
    source = mesh_folder(str(tmp_path), NAMES, mesh_dir="m", label_dir="l", json_dir="j")
    assert source.files(source.samples[0]) == [
        tmp_path / name for name in ("m/a.obj", "l/a.txt", "j/a.json", "m/a.mtl")
    ]
