"""Label pictures as text: a digit is a class, `x` is ignored."""

import numpy as np

IGNORED = 255


def drawn(*rows: str) -> np.ndarray:
    return np.array([[IGNORED if sign == "x" else int(sign) for sign in row] for row in rows], np.uint8)


def shown(labels: np.ndarray) -> list[str]:
    return ["".join("x" if value == IGNORED else str(value) for value in row) for row in labels.tolist()]
