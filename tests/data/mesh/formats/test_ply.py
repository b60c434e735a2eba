from pathlib import Path

import numpy as np
import pytest

from segmentation.data.mesh.formats.ply import read_ply
from segmentation.errors import UserError
from tests.data.mesh.mesh_files import BOX, LOD3, SIDE_OF, SIDES, SUM, TRIANGLES, needs_lod3, needs_sum, write_ply

FORMS = ("ascii", "binary_little_endian", "binary_big_endian")
UV = np.arange(72, dtype=float).reshape(12, 6) / 8 - 4
IMAGE = np.arange(12) % 3 - 1


@pytest.mark.parametrize("form", FORMS)
def test_all_that_is_taken_of_a_file(tmp_path: Path, form: str) -> None:
    mesh = read_ply(write_ply(tmp_path / "a.ply", uv=UV, images=["a b.jpg", "c.jpg"], image=IMAGE, form=form))
    np.testing.assert_array_equal(mesh.vertices, BOX)
    np.testing.assert_array_equal(mesh.faces, TRIANGLES)
    np.testing.assert_array_equal(mesh.polygon, np.arange(12))
    assert mesh.labels is not None
    assert mesh.uv is not None
    np.testing.assert_array_equal(mesh.labels, SIDE_OF)
    np.testing.assert_array_equal(mesh.uv.reshape(12, 6), UV)
    np.testing.assert_array_equal(mesh.image, IMAGE)
    assert mesh.images == ("a b.jpg", "c.jpg")
    assert mesh.vertices.dtype == np.float64


@pytest.mark.parametrize("form", FORMS)
def test_quads_become_triangles_with_the_label_of_the_quad(tmp_path: Path, form: str) -> None:
    mesh = read_ply(write_ply(tmp_path / "a.ply", faces=SIDES, labels=range(6), form=form))
    np.testing.assert_array_equal(mesh.faces, TRIANGLES)
    np.testing.assert_array_equal(mesh.labels, SIDE_OF)
    np.testing.assert_array_equal(mesh.polygon, SIDE_OF)


def test_triangles_and_quads_may_be_mixed_and_some_have_no_texture(tmp_path: Path) -> None:
    uv = [[0, 0, 1, 0, 1, 1, 0, 1], [], [0, 0, 3, 0, 3, 3]]
    path = write_ply(tmp_path / "a.ply", BOX, [SIDES[0], SIDES[1], SIDES[2][:3]], [5, 6, 7], uv, ["t.png"], [0, -1, 0])
    mesh = read_ply(path)
    np.testing.assert_array_equal(mesh.faces, TRIANGLES[:5])
    assert mesh.labels is not None
    assert mesh.labels.tolist() == [5, 5, 6, 6, 7]
    assert mesh.image is not None
    assert mesh.image.tolist() == [0, 0, -1, -1, 0]
    assert mesh.uv is not None
    assert mesh.uv[1].tolist() == [[0, 0], [1, 1], [0, 1]]
    assert mesh.uv[4].tolist() == [[0, 0], [3, 0], [3, 3]]


@pytest.mark.parametrize("form", FORMS)
def test_a_single_face_is_a_mesh(tmp_path: Path, form: str) -> None:
    mesh = read_ply(write_ply(tmp_path / "a.ply", BOX[:3], [[0, 1, 2]], [4], UV[:1], ["t.png"], [0], form=form))
    assert mesh.faces.tolist() == [[0, 1, 2]]
    assert mesh.labels is not None
    assert mesh.labels.tolist() == [4]
    assert mesh.uv is not None
    assert mesh.uv.shape == (1, 3, 2)


@pytest.mark.parametrize("form", FORMS)
def test_without_labels_and_textures_there_are_none(tmp_path: Path, form: str) -> None:
    mesh = read_ply(write_ply(tmp_path / "a.ply", labels=None, uv=UV, form=form))
    assert mesh.labels is mesh.uv is mesh.image is None
    mesh = read_ply(write_ply(tmp_path / "a.ply", uv=UV, images=["only.png"], form=form))
    assert mesh.image is not None
    assert mesh.image.tolist() == [0] * 12  # of the one image, where no number says otherwise


@pytest.mark.parametrize("form", FORMS)
def test_empty_meshes_and_faces_of_no_vertex_are_read_and_told_as_faults(tmp_path: Path, form: str) -> None:
    empty = read_ply(write_ply(tmp_path / "a.ply", BOX[:0], np.zeros((0, 3), int), [], form=form))
    assert ["an empty mesh" in fault for fault in empty.faults()] == [True]
    bare = read_ply(write_ply(tmp_path / "b.ply", BOX, np.zeros((0, 3), int), [], form=form))
    assert ["an empty mesh" in fault for fault in bare.faults()] == [True]
    outside = read_ply(write_ply(tmp_path / "c.ply", BOX, [[0, 1, 99]], [0], UV[:1], ["t.png"], form=form))
    assert ["vertices that are not there" in fault for fault in outside.faults()] == [True]


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: b"solid a\nfacet\n",
        lambda content: content[:40],
        lambda content: content[: len(content) * 3 // 4],
        lambda content: content.replace(b"double x", b"double u"),
        lambda content: content.replace(b"vertex_indices", b"corner_indices"),
        lambda content: content.replace(b"element face", b"element facet"),
        lambda content: content.replace(b"property int label", b"property nothing label"),
    ],
)
@pytest.mark.parametrize("form", FORMS)
def test_a_damaged_file_is_told_in_one_line(tmp_path: Path, form: str, damage: object) -> None:
    path = write_ply(tmp_path / "a.ply", uv=UV, images=["t.png"], form=form)
    path.write_bytes(damage(path.read_bytes()))  # type: ignore[operator]
    with pytest.raises(UserError, match=rf"^{path} cannot be read as PLY \(.+\): expected vertices with x y z.*$"):
        read_ply(path)


@pytest.mark.parametrize(("lines", "element"), [(3, "face"), (12 + 2, "vertex")])
def test_a_file_that_ends_early_is_told_with_where(tmp_path: Path, lines: int, element: str) -> None:
    path = write_ply(tmp_path / "a.ply")
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-lines]), encoding="utf-8")
    with pytest.raises(UserError, match=rf"\(it ends within the element {element}\)"):
        read_ply(path)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere.ply cannot be read \(No such file"):
        read_ply(tmp_path / "nowhere.ply")


def test_texture_coordinates_that_are_not_two_a_corner_are_told(tmp_path: Path) -> None:
    uv = [row[: 4 + 2 * (place != 3)] for place, row in enumerate(UV.tolist())]
    with pytest.raises(UserError, match="face 3 has 3 corners and 4 texture coordinates"):
        read_ply(write_ply(tmp_path / "a.ply", uv=uv, images=["t.png"]))


def test_what_tells_the_label_is_not_read(tmp_path: Path) -> None:
    """Two files that differ in these properties alone are the same mesh."""
    meshes = []
    for value in (0, 1):
        tell = {name: ("int", np.full(12, value)) for name in ("face_segment_id", "label_probabilities")}
        colors = {name: ("uchar", np.full(12, 255 * value)) for name in ("red", "green", "blue")}
        path = write_ply(tmp_path / "a.ply", uv=UV, images=["t.png"], more={**tell, **colors})
        meshes.append(read_ply(path))
    assert {name: repr(value) for name, value in vars(meshes[0]).items()} == {
        name: repr(value) for name, value in vars(meshes[1]).items()
    }


@needs_sum
def test_the_sum_sample_has_what_its_readme_says() -> None:
    mesh = read_ply(SUM / "tiny_test_c.ply")
    assert (len(mesh.vertices), len(mesh)) == (1110, 1973)
    assert mesh.labels is not None
    assert dict(zip(*np.unique(mesh.labels, return_counts=True), strict=True)) == {1: 793, 2: 460, 3: 720}
    assert mesh.images == ("Tile_+1990_+2690_0.jpg",)
    assert mesh.image is not None
    assert (mesh.image == 0).all()
    assert mesh.uv is not None
    assert 0 <= mesh.uv.min() < mesh.uv.max() <= 1


@needs_lod3
def test_a_building_has_its_textures_and_faces_without() -> None:
    mesh = read_ply(LOD3 / "train" / "0000000.ply")
    assert (len(mesh.vertices), len(mesh), len(mesh.images)) == (12, 20, 2)
    assert mesh.image is not None
    assert mesh.uv is not None
    assert mesh.image[:4].tolist() == [1, 1, 1, 1]
    np.testing.assert_allclose(mesh.uv[0, 1], [224.332533, 29.925197], rtol=1e-6)
    assert (mesh.image[~mesh.uv.any(axis=(1, 2))] == -1).all()
