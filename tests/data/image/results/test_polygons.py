import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from pycocotools.coco import COCO

from segmentation.data.image.georeference import map_place
from segmentation.data.image.results import strips
from segmentation.data.image.results.coco import join_coco, write_coco
from segmentation.data.image.results.geojson import write_geojson
from segmentation.data.image.results.polygons import areas, large_areas
from segmentation.data.image.results.strips import Strips
from tests.data.image.david_files import CLASSES, random_ids
from tests.data.image.georeferenced import write_georeferenced

IDS = range(len(CLASSES))
RING = np.zeros((7, 8), np.uint8)  # of class 1, with a hole of 2 x 3 pixels, in which there is a pixel of class 1
RING[1:6, 1:7] = 1
RING[2:5, 2:5] = 0
RING[3, 3] = 1


def blobs(seed: int, size: tuple[int, int] = (60, 80)) -> np.ndarray:
    """Class ids in areas with holes, some ignored."""
    noise = cv2.GaussianBlur(np.random.default_rng(seed).random(size, dtype=np.float32), (0, 0), 2)
    ids = np.digitize(noise, np.quantile(noise, (0.4, 0.7, 0.9))).astype(np.uint8)
    ids[:5, :7] = CLASSES.ignore_index
    return ids


def signed_area(ring: Any) -> float:
    x, y = np.array(ring, float).T
    return float((x * np.roll(y, -1) - y * np.roll(x, -1)).sum() / 2)


def decoded(path: Path, image_id: int = 1) -> np.ndarray:
    """What pycocotools makes of it, 255 where there is nothing; areas may not overlap."""
    coco = COCO(str(path))
    (image,) = coco.loadImgs([image_id])
    ids = np.full((image["height"], image["width"]), 255, np.uint8)
    for annotation in coco.loadAnns(coco.getAnnIds([image_id])):
        mask = coco.annToMask(annotation) > 0
        assert (ids[mask] == 255).all()
        assert mask.sum() == annotation["area"]
        rows, columns = np.nonzero(mask)
        assert annotation["bbox"] == [columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1]
        ids[mask] = annotation["category_id"] - 1
    return ids


def test_an_outline_and_its_hole() -> None:
    background, inner_background, ring, pixel = sorted(areas(RING, IDS), key=lambda area: (area.class_id, -area.pixels))
    assert [area.pixels for area in (background, inner_background, ring, pixel)] == [26, 8, 21, 1]
    outline, hole = ring.rings
    assert sorted(map(tuple, outline.tolist())) == [(1, 1), (1, 6), (7, 1), (7, 6)]
    assert sorted(map(tuple, hole.tolist())) == [(2, 2), (2, 5), (5, 2), (5, 5)]
    assert sorted(map(tuple, pixel.rings[0].tolist())) == [(3, 3), (3, 4), (4, 3), (4, 4)]
    assert (ring.patch.top, ring.patch.left, ring.patch.mask.shape) == (1, 1, (5, 6))
    assert ring.confidence is None


def test_pixels_that_touch_by_corners_alone_are_two_areas() -> None:
    assert [area.pixels for area in areas(np.eye(3, dtype=np.uint8), [1])] == [1, 1, 1]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("make", [blobs, lambda seed: random_ids(seed, (23, 31), 3)])
def test_rings_enclose_the_pixels_and_never_themselves(seed: int, make: Any) -> None:
    ids = make(seed)
    covered = 0
    for area in areas(ids, IDS):
        outline, *holes = (abs(signed_area(ring)) for ring in area.rings)
        assert outline - sum(holes) == area.pixels
        for ring in area.rings:
            assert len({tuple(point) for point in ring.tolist()}) == len(ring)
        covered += area.pixels
    assert covered == (ids != CLASSES.ignore_index).sum()


def test_small_areas_are_left_out_and_classes_chosen() -> None:
    assert [area.pixels for area in areas(RING, [1], min_area=2)] == [21]
    assert [area.pixels for area in areas(RING, [0], min_area=9)] == [26]
    assert not list(areas(RING, [2, 3]))


def test_confidence_is_the_mean_of_an_area() -> None:
    confidence = np.where(RING == 1, 0.75, 0.5)
    confidence[3, 3] = 0.9
    assert [area.confidence for area in areas(RING, [1], confidence=confidence)] == pytest.approx([0.75, 0.9])


def test_corners_within_the_tolerance_are_left_out() -> None:
    stairs = np.tril(np.ones((20, 20), np.uint8))
    (exact,), (simple,) = areas(stairs, [1]), areas(stairs, [1], simplify=1.0)
    assert len(exact.rings[0]) == 42
    assert len(simple.rings[0]) <= 5
    assert abs(signed_area(simple.rings[0])) == pytest.approx(210, abs=20)


def test_those_of_a_large_picture_are_cut_and_lie_where_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strips, "ROWS", 5)
    ids = blobs(0)
    with Strips(80, np.uint8, tmp_path) as labels:
        labels.append(ids)
        found = list(large_areas(labels, IDS))
    expected = [area for top in range(0, 60, 20) for area in areas(ids[top : top + 20], IDS)]
    assert [area.pixels for area in found] == [area.pixels for area in expected]
    painted = np.full_like(ids, CLASSES.ignore_index)
    for area in found:
        mask, top, left = area.patch
        painted[top : top + mask.shape[0], left : left + mask.shape[1]][mask] = area.class_id
        assert area.rings[0][:, 1].min() == top
    np.testing.assert_array_equal(painted, ids)


@pytest.mark.parametrize("ids", [RING, blobs(0), blobs(1), random_ids(2, (23, 31), 3), np.ones((4, 5), np.uint8)])
def test_pycocotools_reads_the_labels(tmp_path: Path, ids: np.ndarray) -> None:
    write_coco(tmp_path / "a.json", "a.png", ids.shape, areas(ids, IDS), CLASSES)
    np.testing.assert_array_equal(decoded(tmp_path / "a.json"), ids)


def test_areas_without_holes_are_polygons(tmp_path: Path) -> None:
    write_coco(
        tmp_path / "a.json", "a.png", RING.shape, areas(RING, [1], confidence=np.full(RING.shape, 0.25)), CLASSES
    )
    content = json.loads((tmp_path / "a.json").read_text())
    kinds = {annotation["area"]: type(annotation["segmentation"]) for annotation in content["annotations"]}
    assert kinds == {21: dict, 1: list}
    assert {annotation["score"] for annotation in content["annotations"]} == {0.25}
    assert [category["name"] for category in content["categories"]] == list(CLASSES.names)


def test_pictures_are_joined(tmp_path: Path) -> None:
    pictures = {"b.png": blobs(0), "a/c.png": blobs(1, (40, 30)), "d.png": np.full((3, 4), 255, np.uint8)}
    parts = [tmp_path / f"{number}.json" for number in range(3)]
    for part, (name, ids) in zip(parts, pictures.items(), strict=True):
        write_coco(part, name, ids.shape, areas(ids, IDS), CLASSES)
    join_coco(tmp_path / "all.json", parts, CLASSES)
    coco = COCO(str(tmp_path / "all.json"))
    assert [image["file_name"] for image in coco.loadImgs(coco.getImgIds())] == list(pictures)
    assert len(coco.anns) == len(json.loads((tmp_path / "all.json").read_text())["annotations"])
    for number, ids in enumerate(pictures.values(), start=1):
        np.testing.assert_array_equal(decoded(tmp_path / "all.json", number), ids)


def features(path: Path) -> list[dict[str, Any]]:
    content: dict[str, Any] = json.loads(path.read_text())
    assert content["type"] == "FeatureCollection"
    found: list[dict[str, Any]] = content["features"]
    return found


def test_geojson_turns_as_it_should(tmp_path: Path) -> None:
    write_geojson(tmp_path / "a.geojson", areas(RING, [1]), CLASSES)
    ring, pixel = sorted(features(tmp_path / "a.geojson"), key=lambda feature: -feature["properties"]["pixels"])
    assert ring["properties"] == {"class": "car", "id": 1, "pixels": 21}
    assert ring["geometry"]["type"] == "Polygon"
    outline, hole = ring["geometry"]["coordinates"]
    assert outline[0] == outline[-1]
    assert (signed_area(outline[:-1]), signed_area(hole[:-1])) == (30, -9)
    assert signed_area(pixel["geometry"]["coordinates"][0][:-1]) == 1


def test_geojson_on_a_map(tmp_path: Path) -> None:
    """A pixel is 0.5 m by 0.25 m there, and y goes up."""
    place = map_place(write_georeferenced(tmp_path / "a.tif", RING))
    write_geojson(tmp_path / "a.geojson", areas(RING, [1], confidence=np.full(RING.shape, 0.5)), CLASSES, place)
    content = json.loads((tmp_path / "a.geojson").read_text())
    assert content["crs"]["properties"]["name"] == "urn:ogc:def:crs:EPSG::25832"
    ring = max(features(tmp_path / "a.geojson"), key=lambda feature: feature["properties"]["pixels"])
    assert ring["properties"]["confidence"] == 0.5
    outline, hole = (np.array(part[:-1]) - (500000, 5300000) for part in ring["geometry"]["coordinates"])
    assert (signed_area(outline), signed_area(hole)) == pytest.approx((30 / 8, -9 / 8))
    assert (outline.min(0).tolist(), outline.max(0).tolist()) == ([0.5, -1.5], [3.5, -0.25])


def test_longitude_and_latitude_need_no_name(tmp_path: Path) -> None:
    place = map_place(write_georeferenced(tmp_path / "a.tif", RING, epsg=4326))
    write_geojson(tmp_path / "a.geojson", areas(RING, [1]), CLASSES, place)
    assert "crs" not in json.loads((tmp_path / "a.geojson").read_text())
