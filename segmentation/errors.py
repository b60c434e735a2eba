"""The error that a user can cause and mend."""

from collections.abc import Sequence


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
