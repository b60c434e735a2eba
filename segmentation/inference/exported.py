"""An exported ONNX file as it is used: by onnxruntime and NumPy. PyTorch is not needed, nor imported."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from segmentation.classes import Classes
from segmentation.errors import UserError

METADATA = "segmentation_lab"  # under which name a file of any format holds what it says of itself, as JSON
INPUT = "pixels"


@dataclass(frozen=True)
class ExportedModel:
    """`model(pixels)` gives the file's outputs: class ids `[B, H, W]` uint8 and, where the file was made so, their
    probabilities `[B, C, H, W]` float32. `pixels` are laid out and typed as `metadata["input"]` says.
    """

    session: Any
    metadata: Mapping[str, Any]

    @classmethod
    def open(cls, path: Path, threads: int = 0) -> "ExportedModel":
        """`threads` of one operator, 0 as many as there are cores. Raises `UserError` for what export.py did not write,
        and where onnxruntime is not installed.
        """
        try:
            import onnxruntime
        except ImportError as error:
            raise UserError(f"{path} needs onnxruntime: pip install onnxruntime") from error
        if not path.is_file():
            raise UserError(f"there is no file {path}: name one that export.py format=onnx wrote")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        try:
            session = onnxruntime.InferenceSession(str(path), options, providers=onnxruntime.get_available_providers())
        except Exception as error:  # onnxruntime has an exception for each of its error codes
            raise UserError(f"{path} cannot be read as ONNX: it is damaged or of another kind") from error
        return cls(session, _metadata_of(session, path))

    @property
    def classes(self) -> Classes:
        return Classes.from_entries(self.metadata["classes"], self.metadata["ignore_index"])

    def __call__(self, pixels: np.ndarray) -> list[np.ndarray]:
        outputs: list[np.ndarray] = self.session.run(None, {INPUT: pixels})
        return outputs


def _metadata_of(session: Any, path: Path) -> Mapping[str, Any]:
    written = session.get_modelmeta().custom_metadata_map
    if METADATA not in written:
        raise UserError(f"{path} is an ONNX file that export.py did not write: its classes are not known")
    try:
        metadata: Any = json.loads(written[METADATA])
    except ValueError:
        metadata = None
    if not isinstance(metadata, dict):
        raise UserError(f"{path} does not say what it holds as export.py writes it: export the run anew")
    return metadata
