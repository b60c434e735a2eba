import pytest

from segmentation.data.image.augmentation.bands import made_for_colors
from segmentation.data.image.augmentation.transforms import transforms_of


@pytest.mark.parametrize(("bands", "expected"), [(1, ["ISONoise"]), (3, []), (5, ["ISONoise", "RGBShift"])])
def test_what_is_made_for_colours_is_named(bands: int, expected: list[str]) -> None:
    spec = transforms_of(["HorizontalFlip", {"ISONoise": {"p": 0.01}}, "RGBShift"], 255).spec
    assert made_for_colors(spec, bands) == expected


def test_what_is_too_large_for_the_trial_is_not_blamed_on_the_bands() -> None:
    spec = transforms_of([{"RandomCrop": {"height": 500, "width": 500}}], 255).spec
    assert made_for_colors(spec, 5) == []
