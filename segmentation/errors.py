"""The error that a user can cause and mend."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches


class UserError(Exception):
    """What was given, what was expected and what to do, in one line; shown without a traceback.

    A loader's worker process hands its exceptions over as the text of a traceback; only the message is kept of it.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message.rsplit("segmentation.errors.UserError: ", 1)[-1].strip())


def gathered(title: str, faults: Sequence[str], most: int = 10) -> UserError:
    """One error for many faults: the count in the title's line, then the first `most` faults, a line each."""
    lines = [title, *(f"  - {fault}" for fault in faults[:most])]
    if len(faults) > most:
        lines.append(f"  ... and {len(faults) - most} more")
    return UserError("\n".join(lines))


def near(given: object, known: Iterable[str], otherwise: str) -> str:
    """What may have been meant by a name that is not known, or else what there is to choose from."""
    close = get_close_matches(str(given), sorted(known), n=1)
    return f"did you mean {close[0]}?" if close else otherwise


def unknown_key(path: str, known: Iterable[str]) -> str:
    """The fault of a key that is none of the `known` ones of its node; names like `_target_` are not listed."""
    listed = ", ".join(sorted(name for name in known if not name.startswith("_")))
    return f"{path}: there is no such key; {near(path.rpartition('.')[2], known, f'known are {listed}')}"
