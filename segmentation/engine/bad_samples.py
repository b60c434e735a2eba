"""What becomes of a run whose files turn out to be unreadable in the middle of it."""

import logging
from collections.abc import Iterable, Iterator

from segmentation.data.batch import Batch
from segmentation.errors import UserError

log = logging.getLogger("segmentation")


class BadSamples:
    """Samples that could not be read and were replaced, each told once; more than `most` of them end the run."""

    def __init__(self, most: int = 0) -> None:
        self.most = most
        self._told: set[str] = set()

    def told_of(self, loader: Iterable[Batch]) -> Iterator[Batch]:
        """The batches of `loader`. Raises `UserError`, which names the sample, when there are too many."""
        for batch in loader:
            for bad in batch.bad:
                self._tell(bad)
            yield batch

    def _tell(self, bad: str) -> None:
        if bad in self._told:
            return
        self._told.add(bad)
        limit = f"trainer.max_bad_samples={self.most}"
        if len(self._told) > self.most:
            raise UserError(f"{bad} (bad sample {len(self._told)}, more than {limit} allows)")
        log.warning("%s; it is left out (bad sample %d, %s)", bad, len(self._told), limit)
