"""Findings from which classes occur where."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from segmentation.classes import Classes
from segmentation.data.check.findings import Example, Finding, Severity, number


def missing_classes(
    counts: np.ndarray, keys: Sequence[str], classes: Classes, parts: Mapping[str, Sequence[str]], nowhere_in: str
) -> Iterator[Finding]:
    """`counts` `[N, C]` says how much of each class each of the samples `keys` has. `parts` are keys too; `nowhere_in`
    names what the labels are in: "masks".
    """
    anywhere = counts.sum(axis=0) > 0
    nowhere = [name for name, occurs in zip(classes.names, anywhere, strict=True) if not occurs]
    if nowhere and len(keys):
        message = (
            f"{number(len(nowhere), 'class')} in none of the {nowhere_in}, so nothing learns or scores them: leave "
            "them out of dataset.classes unless other data has them"
        )
        yield Finding("missing class", Severity.WARNING, message, tuple(map(Example, nowhere)))
    for part, members in parts.items():
        chosen = set(members)
        occurs = counts[np.array([key in chosen for key in keys], bool)].sum(axis=0) > 0
        lacks = [name for name, here, there in zip(classes.names, occurs, anywhere, strict=True) if there and not here]
        if not lacks or not members:
            continue
        severity, told = Severity.WARNING, "they have no score there"
        if part == "train":
            severity, told = Severity.FAULT, "they cannot be learnt, and other splits are scored on them"
        message = f"{number(len(lacks), 'class')} never in {part}: {told}; choose another split"
        yield Finding("missing class", severity, message, tuple(map(Example, lacks)))
