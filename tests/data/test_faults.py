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
