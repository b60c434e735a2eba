import warnings
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def no_warnings() -> Iterator[None]:
    """A division by zero or a mean of nothing is a score that has not been thought of."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        yield
