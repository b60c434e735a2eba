import pytest

from segmentation.data.faults import noting_faults, refuse
from segmentation.errors import UserError


def test_faults_stop_who_uses_the_data() -> None:
    with pytest.raises(UserError, match=r"2 faults\n  - a\n  - b"):
        refuse("2 faults", ["a", "b"])


def test_nothing_wrong_is_nothing_told() -> None:
    with noting_faults() as noted:
        refuse("0 faults", [])
    assert noted == []
    refuse("0 faults", [])


def test_faults_are_noted_by_who_checks_the_data_and_by_nobody_afterwards() -> None:
    with noting_faults() as noted:
        refuse("first", ["a"])
        refuse("second", ["b", "c"])
    assert noted == [("first", ["a"]), ("second", ["b", "c"])]
    with pytest.raises(UserError):
        refuse("third", ["d"])


def test_an_error_ends_the_noting() -> None:
    with pytest.raises(ValueError, match="other"), noting_faults():
        raise ValueError("other")
    with pytest.raises(UserError):
        refuse("a title", ["a"])


def test_what_is_missing_many_times_does_not_hide_what_is_wrong_once() -> None:
    faults = [*(f"v/{frame:04d}.png has no mask" for frame in range(300)), "v/0300.png is 4x4, its mask 8x8"]
    with pytest.raises(UserError) as error:
        refuse("301 faults", faults)
    assert str(error.value).splitlines() == [
        "301 faults",
        "  - v/0000.png has no mask",
        "  - v/0001.png has no mask",
        "  - v/0002.png has no mask (and 297 more like it)",
        "  - v/0300.png is 4x4, its mask 8x8",
    ]
