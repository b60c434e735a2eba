from pathlib import Path

from segmentation.data.check.findings import Severity
from segmentation.data.check.parts import part_findings
from segmentation.data.image.source import ImageSample


def sample(key: str) -> ImageSample:
    return ImageSample(key, key, Path(f"{key}.png"), None, (4, 4))


def test_an_empty_val_and_unused_samples_are_warnings() -> None:
    every = [sample(key) for key in "abcd"]
    val, unused = part_findings(every, {"train": every[:2], "val": [], "test": []})
    assert {val.severity, unused.severity} == {Severity.WARNING}
    assert "no validation split" in val.line()
    assert unused.line() == "2 samples in no part, used for nothing: c; d"


def test_a_split_of_all_and_one_that_could_not_be_made_are_not_worth_a_word() -> None:
    every = [sample(key) for key in "ab"]
    assert list(part_findings(every, {"train": every[:1], "val": every[1:], "test": []})) == []
    assert list(part_findings(every, {"unsplit": every})) == []
