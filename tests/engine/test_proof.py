import numpy as np
import pytest

from segmentation.classes import Classes
from segmentation.engine.proof import Picture, Proof, Runtime, prove
from segmentation.errors import UserError

CLASSES = Classes.from_entries(["ground", "house"])
LEVEL = 100


def above(level: int) -> Runtime:
    """Pixels above `level` are houses."""
    return lambda pixels: (pixels[..., 0] > level).astype(np.uint8)


def picture(name: str, truth: bool = True) -> Picture:
    """Twenty rows of 0, 10, ..., 190; the nine above 100 are houses."""
    values = np.repeat(np.arange(20, dtype=np.uint8)[:, None] * 10, 10, axis=1)
    return Picture(name, values[None, ..., None], (values > LEVEL)[None].astype(np.uint8) if truth else None)


def test_agreement_and_miou_by_hand() -> None:
    """One row of twenty becomes ground: eight of nine of houses are left, eleven of twelve of ground are right."""
    advanced: list[int] = []
    proof = prove([picture("a"), picture("b", truth=False)], above(LEVEL), above(110), CLASSES, advanced.append)
    assert proof.agreement == {"a": pytest.approx(0.95), "b": pytest.approx(0.95)}
    assert proof.agreement_of_all == pytest.approx(0.95)
    assert proof.eager_miou == 1
    assert proof.miou == pytest.approx((8 / 9 + 11 / 12) / 2)
    assert advanced == [1, 1]
    assert proof.ms > 0
    assert proof.eager_ms > 0


def test_a_truth_of_another_size_is_compared_at_its_own() -> None:
    shown = picture("a")
    assert shown.truth is not None
    large = Picture("a", shown.pixels, shown.truth.repeat(3, axis=1).repeat(2, axis=2))
    assert prove([large], above(LEVEL), above(110), CLASSES).miou == pytest.approx((8 / 9 + 11 / 12) / 2)


def test_without_truth_there_is_no_miou() -> None:
    proof = prove([picture("a", truth=False)], above(LEVEL), above(LEVEL), CLASSES)
    assert proof.agreement == {"a": 1.0}
    assert np.isnan(proof.miou)


def test_pixels_of_which_nothing_is_said_have_no_part_in_miou() -> None:
    """The two brightest rows: seven of seven houses are left, and all of the ground."""

    def unsure(pixels: np.ndarray) -> np.ndarray:
        return np.where(pixels[..., 0] > 170, 255, above(LEVEL)(pixels)).astype(np.uint8)

    proof = prove([picture("a")], above(LEVEL), unsure, CLASSES)
    assert proof.agreement == {"a": pytest.approx(0.9)}
    assert proof.miou == 1


def test_another_shape_is_no_agreement() -> None:
    proof = prove([picture("a")], above(LEVEL), lambda pixels: above(LEVEL)(pixels)[:, 1:], CLASSES)
    assert proof.agreement == {"a": 0.0}


def test_a_file_that_fails_is_named_with_the_picture() -> None:
    def fails(pixels: np.ndarray) -> np.ndarray:
        raise RuntimeError("Got invalid dimensions\nfor input")

    with pytest.raises(UserError, match=r"^the exported file fails on a \(1x20x10x1\): Got invalid dimensions$"):
        prove([picture("a")], above(LEVEL), fails, CLASSES)


def proof_with(miou: float = 0.5, eager_miou: float = 0.5, **agreement: float) -> Proof:
    return Proof(agreement, miou, eager_miou, 1.0, 1.0)


def test_every_picture_has_to_agree() -> None:
    assert proof_with(a=1.0, b=0.9990).fault("fp32") is None
    assert proof_with(a=0.996, b=0.997).fault("fp16") is None
    fault = proof_with(a=1.0, b=0.996, c=0.99).fault("fp32")
    assert fault == (
        "2 of 3 pictures have less than 99.9 % of their pixels in common with the model: c (99.00 %), b (99.60 %)"
    )
    many = proof_with(**{f"p{index}": 0.9 for index in range(7)}).fault("fp16")
    assert many is not None
    assert many.endswith("p4 (90.00 %) and 2 more")


def test_int8_may_lose_a_hundredth_of_miou() -> None:
    assert proof_with(0.491, 0.5, a=0.9).fault("int8") is None
    assert proof_with(0.52, 0.5, a=0.9).fault("int8") is None
    fault = proof_with(0.489, 0.5, a=0.9, b=0.8).fault("int8")
    assert fault == "mIoU falls from 0.5000 to 0.4890: b (80.00 %), a (90.00 %)"
    assert proof_with(float("nan"), float("nan"), a=1.0).fault("int8") is not None, "nothing is known of it"
