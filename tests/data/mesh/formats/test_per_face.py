import json
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segmentation.data.mesh.formats.per_face import LEAKING, read_extra, read_labels, read_pixels, refuse_leaking
from segmentation.data.mesh.mesh import Mesh
from segmentation.errors import UserError

POLYGON = np.array([0, 1, 1, 2])  # a triangle, a quad, a triangle
MESH = Mesh(np.zeros((4, 3)), np.zeros((4, 3), np.int32), POLYGON)


def text(path: Path, content: str) -> Path:
    path.write_text(content, encoding="utf-8")
    return path


def test_labels_are_those_of_the_polygons_or_of_the_triangles(tmp_path: Path) -> None:
    assert read_labels(text(tmp_path / "a.txt", "5\n-1\r\n7\n"), MESH).tolist() == [5, -1, -1, 7]
    assert read_labels(text(tmp_path / "a.txt", "5\n6\n7\n8"), MESH).tolist() == [5, 6, 7, 8]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("1\n2\n", r"has 2 labels, the mesh 3 faces: expected one for each$"),
        ("", "has 0 labels"),
        ("1\nwall\n3\n", "one whole number a line$"),
        ("1\n2.5\n3\n", "one whole number a line$"),
    ],
)
def test_labels_that_do_not_fit_are_told(tmp_path: Path, content: str, told: str) -> None:
    with pytest.raises(UserError, match=rf"^{tmp_path / 'a.txt'} .*{told}"):
        read_labels(text(tmp_path / "a.txt", content), MESH)


def test_files_that_are_not_there_are_told(tmp_path: Path) -> None:
    for read in (
        read_labels,
        lambda path, mesh: read_pixels(path, mesh, 2),
        lambda path, mesh: read_extra(path, mesh, []),
    ):
        with pytest.raises(UserError, match=r"nowhere cannot be read \(No such file"):
            read(tmp_path / "nowhere", MESH)


def test_further_numbers_are_those_that_are_named(tmp_path: Path) -> None:
    path = text(tmp_path / "a.json", json.dumps({"curvature": [1, 2.5, 3], "other": "x", "light": [4, 5, 6, 7]}))
    extra = read_extra(path, MESH, ["light", "curvature"])
    assert list(extra) == ["light", "curvature"]
    assert extra["curvature"].tolist() == [1, 2.5, 2.5, 3]
    assert extra["light"].tolist() == [4, 5, 6, 7]
    assert extra["light"].dtype == np.float32


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"light": [1, 2]}, "has 2 light, the mesh 3 faces"),
        ({"dark": [1, 2, 3]}, "has no 'light', which dataset.json_features names"),
        ({"light": ["a", "b", "c"]}, "is not as expected"),
        ([1, 2, 3], "is not as expected"),
        (3, "is not as expected"),
    ],
)
def test_further_numbers_that_do_not_fit_are_told(tmp_path: Path, content: Any, told: str) -> None:
    with pytest.raises(UserError, match=told):
        read_extra(text(tmp_path / "a.json", json.dumps(content)), MESH, ["light"])


@pytest.mark.parametrize("name", [*LEAKING, "Face_Segment_ID"])
def test_numbers_that_tell_the_label_are_refused(name: str) -> None:
    with pytest.raises(UserError, match=rf"names {name}, which tells the label"):
        refuse_leaking(["light", name])


def pickled(path: Path, content: Any) -> Path:
    path.write_bytes(pickle.dumps(content))
    return path


def test_pickled_pixels_are_spread_over_what_is_there(tmp_path: Path) -> None:
    grey = [[value, value, value] for value in range(5)]
    pixels, counts = read_pixels(pickled(tmp_path / "a.pkl", [(5, grey), (0, []), (2, grey[:2])]), MESH, 3)
    assert counts.tolist() == [3, 0, 0, 2]
    assert pixels.shape == (4, 3, 3)
    assert pixels[..., 0].tolist() == [[0, 1, 3], [0, 0, 0], [0, 0, 0], [0, 1, 0]]
    assert pixels.dtype == np.uint8


def test_faces_without_any_pixel_have_none(tmp_path: Path) -> None:
    pixels, counts = read_pixels(pickled(tmp_path / "a.pkl", [(0, [])] * 3), MESH, 2)
    assert not pixels.any()
    assert counts.tolist() == [0, 0, 0, 0]


class Hostile:
    """Runs a command when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.target}",)


def test_a_pickle_that_would_run_something_is_refused_and_runs_nothing(tmp_path: Path) -> None:
    target = tmp_path / "run"
    path = pickled(tmp_path / "a.pkl", [(0, []), Hostile(target), (0, [])])
    with pytest.raises(
        UserError, match=rf"^{path} is refused \(it wants .*system\): expected a list of \(n, \[\[r, g, b"
    ):
        read_pixels(path, MESH, 2)
    assert not target.exists()
    pickle.loads(path.read_bytes())  # the threat is real
    assert target.exists()


@pytest.mark.parametrize(
    "content",
    [
        [(1, np.zeros((1, 3)))] * 3,  # arrays are made by calling numpy
        [(1, [[1, 2, 3]])] * 2,
        [(2, [[1, 2, 3]])] * 3,
        [(1, [[1, 2, 256]])] * 3,
        [(1, [[1, 2, -1]])] * 3,
        [(1, [[1, 2]])] * 3,
        [(1, ["abc"])] * 3,
        {"a": 1},
        7,
    ],
)
def test_other_pickles_are_refused(tmp_path: Path, content: Any) -> None:
    path = pickled(tmp_path / "a.pkl", content)
    with pytest.raises(UserError, match=rf"^{path} .*expected"):
        read_pixels(path, MESH, 2)


def test_a_damaged_pickle_is_refused(tmp_path: Path) -> None:
    path = pickled(tmp_path / "a.pkl", [(1, [[1, 2, 3]])] * 3)
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(UserError, match="is refused"):
        read_pixels(path, MESH, 2)
