"""An ONNX file of a model in one of the precisions of export.py; what goes wrong on the way is told in one line."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from segmentation.apps.export.pictures import ProofPictures
from segmentation.errors import UserError
from segmentation.inference.deployed import Deployed
from segmentation.inference.onnx_file import quantise, write_onnx
from segmentation.models.image.half import in_half
from segmentation.models.image.pixels import ImageModel
from segmentation.runtime.console import progress_bar


def write_onnx_in(
    precision: str, deployed: Deployed, pictures: ProofPictures, calibration: Sequence[int], file: Path, opset: int
) -> None:
    """`calibration` are the indices of the images in whose ranges int8 computes."""
    write_onnx(halved(deployed) if precision == "fp16" else deployed, pictures.example(), file, opset)
    if precision == "int8":
        whole = file.rename(file.with_name(f"fp32-{file.name}"))
        with progress_bar("calibrating", len(calibration)) as bar:
            quantise(whole, file, pictures.for_calibration(calibration, bar.advance))
        whole.unlink()


def halved(deployed: Deployed) -> Deployed:
    """In fp16. Raises `UserError` for a model that cannot compute in it."""
    if not isinstance(deployed.model, ImageModel):
        raise UserError("precision=fp16 is for models built on ImageModel, which normalises in fp32: give fp32")
    return deployed.around(in_half(deployed.model))


@contextmanager
def failing_in_one_line(told: str) -> Iterator[None]:
    """Exporters and compilers raise anything, over many lines; what was raised first says most."""
    try:
        yield
    except (UserError, OSError):  # of files: no space, no permission
        raise
    except Exception as error:
        first: BaseException = error
        while first.__cause__ is not None:
            first = first.__cause__
        reason = " ".join(str(first).split())[:300] or type(first).__name__
        raise UserError(f"{told}: {reason}") from error


@contextmanager
def unwritable_in_one_line(path: Path) -> Iterator[None]:
    """No space, no permission: `UserError`."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(f"{path} cannot be written ({reason}): make room there, or name another place") from error


@contextmanager
def folder_beside(path: Path) -> Iterator[Path]:
    """A temporary one, in which a file that is to be at `path` can be written: on the same disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".export-", dir=path.parent) as temporary:
        yield Path(temporary)
