"""Which class each stored number stands for, as `dataset.remap` says."""

from collections.abc import Mapping

from segmentation.errors import UserError

Remap = tuple[tuple[int, int], ...]  # stored number, class id or ignore index
IGNORE = "ignore"


def remapped(remap: Mapping[int, int | str], ids: Mapping[str, int], ignore_index: int, numbers: range) -> Remap:
    """`remap` is `{stored number: class by name or place, or ignore}`; `ids` has the id of each class in its place.

    Raises `UserError` for numbers that cannot be stored (`numbers` can) and for classes that there are not.
    """
    names = tuple(ids)
    meaning: dict[int | str, str] = {name: name for name in (*names, IGNORE)}
    meaning |= enumerate(names)
    wrong = [
        f"{number}: {target}"
        for number, target in remap.items()
        if _whole(number) not in numbers or target not in meaning
    ]
    if wrong:
        raise UserError(
            f"dataset.remap has {', '.join(wrong)}: expected {{number in the masks: class}}, the class by its id "
            f"or name, or ignore; the classes are 0 to {len(names) - 1}, {', '.join(names)}"
        )
    return tuple((int(number), ids.get(meaning[target], ignore_index)) for number, target in remap.items())


def _whole(number: object) -> int | None:
    """What a YAML gives as a key may be anything."""
    try:
        return int(str(number))
    except ValueError:
        return None
