"""What predict.py asks of a kind of data."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from segmentation.apps.prediction.output import OutputFolder, Row


class Task(Protocol):
    """Inputs of one kind and the models that are asked about them: `ImageTask`, `MeshTask`.

    `identity` tells these models from others, `keys` name the inputs, `unreadable` tells in a line each of what was
    given that is none, and `without_effect` are options that change nothing here.
    """

    @property
    def identity(self) -> Mapping[str, str]: ...
    @property
    def keys(self) -> Sequence[str]: ...
    @property
    def unreadable(self) -> Sequence[str]: ...
    @property
    def without_effect(self) -> Sequence[str]: ...

    def predict(self, folder: OutputFolder) -> list[str]:
        """Do what is not complete in `folder`; a line for each input that could not be done in whole."""
        ...

    def conclude(
        self, folder: OutputFolder, rows: Sequence[Row], about: Mapping[str, Any], faults: Sequence[str]
    ) -> None:
        """Write what tells of all `rows`, of the inputs that are complete; `about` is what they were made with."""
        ...
