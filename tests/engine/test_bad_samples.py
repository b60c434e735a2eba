import logging
from collections.abc import Iterator

import pytest
import torch

from segmentation.data.batch import Batch
from segmentation.engine.bad_samples import BadSamples
from segmentation.errors import UserError


def batches(*bad: tuple[str, ...]) -> Iterator[Batch]:
    for told in bad:
        yield Batch(torch.zeros(1, 3, 2, 2), torch.zeros(1, 2, 2), ("a",), told)


def test_batches_pass_and_each_bad_sample_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    bad = BadSamples(2)
    with caplog.at_level(logging.WARNING, "segmentation"):
        assert len(list(bad.told_of(batches((), ("a.png is cut",), ("a.png is cut",))))) == 3
        assert len(list(bad.told_of(batches(("a.png is cut", "b.png is gone"))))) == 1
    assert [record.getMessage() for record in caplog.records] == [
        "a.png is cut; it is left out (bad sample 1, trainer.max_bad_samples=2)",
        "b.png is gone; it is left out (bad sample 2, trainer.max_bad_samples=2)",
    ]


def test_one_more_than_the_limit_ends_the_run_with_its_name() -> None:
    passing = BadSamples(1).told_of(batches(("a.png is cut",), ("b.png is gone",)))
    next(passing)
    with pytest.raises(
        UserError, match=r"^b\.png is gone \(bad sample 2, more than trainer\.max_bad_samples=1 allows\)$"
    ):
        next(passing)
