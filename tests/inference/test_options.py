"""Post-processing as options say it."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from segmentation.classes import Classes
from segmentation.errors import UserError
from segmentation.inference.crf import DenseCRF
from segmentation.inference.options import post_processing
from segmentation.inference.postprocessing import PostProcessing

ROOT = Path(__file__).resolve().parents[2]
CLASSES = Classes.from_entries(["road", "car", "sky"])


def test_nothing_asked_is_nothing_done() -> None:
    zeros: dict[str, Any] = dict.fromkeys(["opening", "closing", "fill_holes", "min_area", "confidence"], 0)
    cases: list[dict[str, Any]] = [
        {},
        zeros,
        {"thresholds": {}, "largest": [], "otherwise": None, "crf": {"iterations": 0}},
    ]
    for options in cases:
        assert post_processing(options, CLASSES) == PostProcessing()


def test_a_number_holds_for_every_class_and_a_name_for_one() -> None:
    options = {"min_area": 50, "thresholds": {"car": 0.3}, "fill_holes": {"road": float("inf"), "sky": 9}}
    assert post_processing(options, CLASSES) == PostProcessing(
        min_area=(50, 50, 50), thresholds=(0, 0.3, 0), fill_holes=(float("inf"), 0, 9)
    )


def test_classes_are_meant_by_their_names() -> None:
    classes = Classes(CLASSES.names, CLASSES.colors, ignore_index=100)
    assert post_processing({"largest": ["sky", "road"], "otherwise": "sky"}, classes) == PostProcessing(
        ignore_index=100, otherwise=2, largest=(0, 2)
    )
    assert post_processing({}, classes).otherwise == 100


def test_a_crf_is_one_with_iterations() -> None:
    assert post_processing({"crf": {"iterations": 3, "color_sigma": 5}}, CLASSES).crf == DenseCRF(3, color_sigma=5)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"min_aera": 5}, ["min_aera", "did you mean min_area?"]),
        ({"thresholds": {"cra": 0.5}}, ["thresholds: there is no class cra", "did you mean car?"]),
        ({"thresholds": 1.5}, ["thresholds=1.5", "from 0 to 1"]),
        ({"confidence": {"car": -0.1}}, ["confidence.car=-0.1", "from 0 to 1"]),
        ({"opening": 1.5}, ["opening=1.5", "whole"]),
        ({"closing": "wide"}, ["closing=wide", "whole"]),
        ({"min_area": float("inf")}, ["min_area=inf", "whole"]),
        ({"min_area": True}, ["min_area=True"]),
        ({"fill_holes": float("nan")}, ["fill_holes=nan"]),
        ({"largest": ["tree"]}, ["largest: there is no class tree", "road, car, sky"]),
        ({"largest": "car"}, ["largest=car: expected a list of classes"]),
        ({"largest": 5}, ["largest=5: expected a list of classes"]),
        ({"crf": 5}, ["crf=5", "crf.iterations=5"]),
        ({"otherwise": "void"}, ["otherwise: there is no class void"]),
        ({"crf": {"sigma": 3}}, ["crf.sigma", "did you mean color_sigma?"]),
        ({"crf": {"iterations": 5, "color_sigma": 0}}, ["crf.color_sigma=0", "1 or more"]),
    ],
)
def test_what_is_wrong_is_said(options: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(UserError) as error:
        post_processing(options, CLASSES)
    assert all(word in str(error.value) for word in words), error.value


def test_everything_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(UserError) as error:
        post_processing({"opening": -1, "largest": ["tree"], "crf": {"iterations": 0.5}}, CLASSES)
    assert len(str(error.value).splitlines()) == 4


def test_it_needs_no_pytorch() -> None:
    modules = "segmentation.inference.options, segmentation.inference.smoothing"
    blocked = f"import sys; sys.modules['torch'] = None; import {modules}"
    subprocess.run([sys.executable, "-c", blocked], cwd=ROOT, check=True)
