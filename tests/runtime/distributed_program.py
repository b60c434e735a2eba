"""What test_distributed.py starts in two processes: each step's outcome goes to the folder that is named."""

import logging
import sys
from pathlib import Path

import numpy as np
import torch

from segmentation.errors import UserError
from segmentation.runtime.console import ConsoleHandler
from segmentation.runtime.distributed import barrier, first_goes_ahead, gather, process_group, world_of_torchrun
from segmentation.runtime.files import write_json

log = logging.getLogger("segmentation")


def refuse_on_last(rank: int) -> int:
    if rank == 1:
        raise UserError("the last rank refuses")
    return rank


def main(folder: Path) -> None:
    log.addHandler(ConsoleHandler())
    log.setLevel(logging.INFO)
    world = world_of_torchrun()
    with process_group(world, torch.device("cpu")):
        log.info("rank %d speaks", world.rank)
        keys = world.share(["a", "b", "c", "d", "e"])
        gathered = gather(lambda: {key: np.full(2, world.rank) for key in keys})
        seen = {key: value.tolist() for part in gathered for key, value in part.items()}
        with first_goes_ahead(world):
            if world.is_first:
                for number in range(100):  # takes longer than to look for the last
                    write_json(folder / f"made by the first {number}", number)
            found = (folder / "made by the first 99").exists()
        told = ""
        try:
            gather(lambda: refuse_on_last(world.rank))
        except UserError as error:
            told = str(error)
        barrier()
        outcome = {"keys": list(keys), "gathered": seen, "found": found, "told": told, "local": world.local_rank}
        write_json(folder / f"{world.rank}.json", outcome)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
