import pytest

from segmentation.apps.config.asking import FLIPS
from segmentation.apps.config.prediction import POST_PROCESSING, faults_in_prediction
from segmentation.inference import augmented
from segmentation.inference.options import KNOWN
from tests.conftest import Compose

GIVEN = ("input=images", "output=out")


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (["run=outputs/x"], []),
        (["run=[a,b]", "tile=[512,512]", "tta.flips=[horizontal]", "min_area={car:50}", "image_size=stored"], []),
        (["model=model.onnx", "probabilities=confidence", "labels=masks", "crf.iterations=5"], []),
        ([], ["run=FOLDER or model=FILE.onnx is needed"]),
        (["run=x", "model=y.onnx"], ["run and model are both given"]),
        (
            ["model=y.onnx", "checkpoint=last", "device=cpu", "tta.rotations=[90]"],
            ["checkpoint is", "device is", "tta is"],
        ),
        (
            ["run=x", "skip_existing=true", "overwrite=true"],
            ["skip_existing=true goes on with what overwrite=true rem"],
        ),
        (["run=x", "image_size=big"], ["image_size=big: expected [height, width] in pixels, stored"]),
        (["run=x", "tile=512"], ["tile=512: expected [height, width]"]),
        (["run=x", "tile_batch=0"], ["tile_batch=0: expected a whole number of at least 1, or auto"]),
        (["run=x", "probabilities=true"], ["probabilities=true: expected npz, confidence, or null"]),
        (["run=x", "overlay_alpha=2"], ["overlay_alpha=2: expected a number from 0 to 1"]),
        (["run=x", "smoothing.keep=1"], ["smoothing.keep=1: expected a number from 0 to below 1"]),
        (["run=x", "+smoothing.cutt=1"], ["smoothing.cutt: there is no such key; did you mean cut?"]),
        (["run=x", "+tta.flip=[horizontal]"], ["tta.flip: there is no such key; did you mean flips?"]),
        (["run=x", "+min_aera=3"], ["min_aera: there is no such key; did you mean min_area?"]),
        (["run=x", "threads=0", "masks=1"], ["masks=1: expected true or false", "threads=0: expected a whole number"]),
    ],
)
def test_what_is_wrong_with_the_options_is_told_together(
    overrides: list[str], told: list[str], composed: Compose
) -> None:
    faults = faults_in_prediction(composed(*GIVEN, *overrides, name="predict"))
    assert len(faults) == len(told), faults
    for fault, beginning in zip(sorted(faults), sorted(told), strict=True):
        assert fault.startswith(beginning)


def test_what_is_needed_is_told(composed: Compose) -> None:
    faults = faults_in_prediction(composed("run=x", name="predict"))
    assert faults == ["input is needed: give input=...", "output is needed: give output=..."]


def test_the_names_of_flips_are_those_that_the_views_know() -> None:
    assert set(FLIPS) == set(augmented.FLIPS)


def test_every_option_of_the_post_processing_is_one_of_predict() -> None:
    assert set(POST_PROCESSING) == KNOWN
