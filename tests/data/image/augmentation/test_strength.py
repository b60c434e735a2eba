import inspect
from typing import Any

import albumentations
import pytest

from segmentation.data.image.augmentation.strength import NEUTRAL, scaled
from segmentation.data.image.augmentation.transforms import TRANSFORMS, transforms_of


def at(strength: float, name: str, **parameters: Any) -> dict[str, Any]:
    ((_, made),) = scaled(((name, parameters),), strength, lambda name, parameter: {"p": 0.5}.get(parameter))
    return made


@pytest.mark.parametrize(
    ("strength", "expected"), [(0.5, [0.75, 1.5]), (1, [0.5, 2.0]), (1.5, [0.25, 2.5]), (0.1, [0.95, 1.1])]
)
def test_factors_move_from_1(strength: float, expected: list[float]) -> None:
    assert at(strength, "Affine", scale=[0.5, 2.0], p=0.9) == {"scale": pytest.approx(expected), "p": 0.9}


@pytest.mark.parametrize(
    ("name", "written", "expected"),
    [
        ("Affine", {"rotate": [-10, 20]}, {"rotate": [-5, 10]}),
        (
            "Affine",
            {"translate_percent": {"x": [-0.1, 0.1], "y": 0}},
            {"translate_percent": {"x": [-0.05, 0.05], "y": 0}},
        ),
        ("Affine", {"translate_px": [-3, 8]}, {"translate_px": [-2, 4]}),
        ("RandomBrightnessContrast", {"brightness_limit": 0.2}, {"brightness_limit": 0.1}),
        ("RandomGamma", {"gamma_limit": [80, 140]}, {"gamma_limit": [90, 120]}),
        ("ImageCompression", {"quality_range": [50, 95]}, {"quality_range": [75, 98]}),
        ("GaussNoise", {"std_range": [0.02, 0.08]}, {"std_range": [0.01, 0.04]}),
    ],
)
def test_half_the_strength_is_half_the_way(name: str, written: dict[str, Any], expected: dict[str, Any]) -> None:
    assert at(0.5, name, **written) == expected


def test_a_factor_stays_above_zero() -> None:
    assert at(3, "ColorJitter", brightness=[0.6, 1.4])["brightness"] == pytest.approx([0.05, 2.2])


@pytest.mark.parametrize(("strength", "p"), [(0.5, 0.2), (1, 0.4), (2, 0.4)])
def test_without_a_size_of_its_own_a_transform_comes_less_often(strength: float, p: float) -> None:
    assert at(strength, "HorizontalFlip", p=0.4) == {"p": p}


def test_a_default_is_scaled_as_if_it_were_written() -> None:
    assert at(0.5, "VerticalFlip") == {"p": 0.25}
    made = transforms_of(["ColorJitter"], 255, strength=0.5)
    assert made.spec[0][1]["brightness"] == pytest.approx([0.9, 1.1])
    assert made.spec[0][1]["hue"] == pytest.approx([-0.25, 0.25])


def test_at_zero_there_is_nothing_and_at_one_all_is_as_written() -> None:
    spec = (("Affine", {"scale": [0.5, 2.0]}), ("HorizontalFlip", {"p": 0.4}))
    assert scaled(spec, 0, lambda *_: None) == ()
    assert scaled(spec, 1, lambda *_: None) == spec


@pytest.mark.parametrize("name", sorted(NEUTRAL))
def test_the_table_speaks_of_what_albumentations_has(name: str) -> None:
    assert name in TRANSFORMS
    assert NEUTRAL[name].keys() <= inspect.signature(getattr(albumentations, name).__init__).parameters.keys()
    for strength in (0.01, 0.5, 1.0):
        transforms_of([name], 255, strength)


def test_what_is_written_is_left_as_it_was() -> None:
    written = {"Affine": {"scale": [0.5, 2.0]}}
    transforms_of([written], 255, strength=0.5)
    assert written == {"Affine": {"scale": [0.5, 2.0]}}
