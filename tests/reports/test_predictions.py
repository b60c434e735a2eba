import csv
import subprocess
import sys
from io import StringIO

import numpy as np
import pytest

from segmentation.classes import Classes
from segmentation.reports import predictions
from segmentation.reports.predictions import PredictedInput, predictions_page, summary_csv
from segmentation.reports.words import Words
from tests.reports.parsed import Parsed

MESHES = Words("mesh", "meshes", "face", "faces")
CLASSES = Classes(("road", "car, parked"), ((128, 64, 128), (0, 0, 142)))
STREET = PredictedInput("sub/street", (10, 20), np.array([150, 40, 10]), None, 0.9, {"mask": "masks/sub/street #1.png"})
DRIVE = PredictedInput("drive", (10, 20), np.array([600, 0, 0]), 3, 0.5, {"overlay": "overlay/drive.mp4"})
UNKNOWN = PredictedInput("unknown", (1, 1), np.array([0, 0, 1]))
HOUSE = PredictedInput("house", None, np.array([3000, 1000, 0]), None, 0.9, areas=np.array([1_000_000, 3_000_000, 0]))
INPUTS = (STREET, DRIVE, UNKNOWN)


def some_picture(each: PredictedInput) -> np.ndarray | None:
    return None if each is UNKNOWN else np.full((20, 30, 3), 128, np.uint8)


def test_a_row_for_each_input() -> None:
    rows = list(csv.DictReader(StringIO(summary_csv(INPUTS, CLASSES))))
    assert rows[0] == {
        "input": "sub/street",
        "height": "10",
        "width": "20",
        "frames": "",
        "confidence": "0.900000",
        "share/road": "0.750000",
        "share/car, parked": "0.200000",
        "share/ignored": "0.050000",
    }
    assert (rows[1]["frames"], rows[1]["share/road"]) == ("3", "1.000000")
    assert (rows[2]["confidence"], rows[2]["share/ignored"]) == ("", "1.000000")


def test_the_page_tells_what_there_is() -> None:
    scores = {"mIoU": 0.61234, "IoU/road": float("nan")}
    made_of = [("run", "outputs/<a>")]
    found = Parsed(
        predictions_page("Predictions", INPUTS, CLASSES, some_picture, made_of, scores, ["a.png is no picture"])
    )
    titles = ["In short", "Not read", "Scores", "Classes", "Pictures", "Inputs"]
    assert [text for text in found.texts if text in titles][-6:] == titles
    assert {"a.png is no picture", "outputs/<a>", "0.612", "3 frames", "0.600"} <= set(found.texts)
    assert {"93.6 %", "5.0 %", "1.4 %"} <= set(found.texts)  # 750, 40 and 11 of 801 pixels; 10 of the street's 200
    assert [link["href"] for link in found.of("a") if "#" not in (link["href"] or "")] == [
        "masks/sub/street%20%231.png",
        "overlay/drive.mp4",
    ]


def test_meshes_have_shares_of_faces_and_of_area() -> None:
    (row,) = csv.DictReader(StringIO(summary_csv([HOUSE], CLASSES, MESHES)))
    assert row == {
        "input": "house",
        "faces": "4000",
        "area_m2": "4.000000",
        "confidence": "0.900000",
        "share/road": "0.750000",
        "share/car, parked": "0.250000",
        "share/ignored": "0.000000",
        "share_by_area/road": "0.250000",
        "share_by_area/car, parked": "0.750000",
        "share_by_area/ignored": "0.000000",
    }
    found = Parsed(predictions_page("Predictions", [HOUSE], CLASSES, some_picture, words=MESHES))
    assert {"meshes", "over all faces", "share of faces", "share of area", "4,000", "4.0"} <= set(found.texts)
    assert not [text for text in found.texts if "pixel" in text or text == "pictures"]


def test_the_least_sure_are_shown_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predictions, "MOST_PICTURES", 2)
    asked: list[str] = []

    def picture_of(each: PredictedInput) -> np.ndarray | None:
        asked.append(each.key)
        return some_picture(each)

    found = Parsed(predictions_page("Predictions", INPUTS, CLASSES, picture_of))
    assert asked == ["drive", "sub/street"]
    assert [image["alt"] for image in found.of("img") if image["alt"]] == ["drive (0.500)", "sub/street (0.900)"]
    assert "2 of 3, those first of which the model is least sure." in found.texts


def test_a_page_of_nothing() -> None:
    found = Parsed(predictions_page("Predictions", (), CLASSES, some_picture, unreadable=["a.png is no picture"]))
    assert "a.png is no picture" in found.texts
    assert "Inputs" not in found.texts


def test_torch_is_not_needed() -> None:
    code = "import sys; sys.modules['torch'] = None; import segmentation.reports.predictions"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
