"""Checkpoint files: plain containers and tensors, written whole or not at all, read without running code."""

from pathlib import Path
from typing import Any

import torch

from segmentation.errors import UserError
from segmentation.runtime.files import write_atomically

FORMAT = 1


def save_checkpoint(path: Path, content: dict[str, Any]) -> None:
    """Raises `UserError` when the disk takes no more; the checkpoint that was at `path` is then still there."""
    try:
        write_atomically(path, lambda temporary: torch.save({"format": FORMAT, **content}, temporary))
    except (OSError, RuntimeError) as error:  # torch reports a full disk as a RuntimeError of its zip writer
        raise UserError(f"could not write the checkpoint {path} ({error}): free some space and resume") from error


def load_checkpoint(path: Path, device: torch.device | str = "cpu", mmap: bool = False) -> dict[str, Any]:
    """Raises `UserError` for a file that is missing, damaged or no checkpoint of this project.

    `mmap` leaves the tensors on the disk until they are used, for those who want a number of it.
    """
    if not path.is_file():
        raise UserError(f"there is no checkpoint {path}: name an existing .pt file")
    try:
        content = torch.load(path, map_location=device, weights_only=True, mmap=mmap)
    except Exception as error:  # damaged bytes make the unpickler raise anything
        raise UserError(f"{path} cannot be read as a checkpoint: it is damaged or of another kind") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise UserError(
            f"{path} is no checkpoint of this project (format {FORMAT} expected): name one from a run folder"
        )
    return content
