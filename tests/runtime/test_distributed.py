import doctest
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.distributed as dist

from segmentation.errors import UserError
from segmentation.runtime import distributed
from segmentation.runtime.distributed import (
    ALONE,
    World,
    barrier,
    first_goes_ahead,
    gather,
    process_group,
    world_of_torchrun,
)
from segmentation.runtime.files import read_json
from tests.conftest import ROOT

CPU = torch.device("cpu")


def test_the_examples_are_true() -> None:
    assert not doctest.testmod(distributed).failed


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_every_item_is_one_rank_s_and_none_is_made_up(size: int) -> None:
    items = list(range(5))
    shares = [World(rank, size).share(items) for rank in range(size)]
    assert sorted(item for share in shares for item in share) == items
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_a_process_by_itself_starts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    world = world_of_torchrun()
    assert world == ALONE
    with process_group(world, CPU), first_goes_ahead(world):
        assert not dist.is_initialized()
        barrier()
        assert gather(lambda: "own") == ["own"]


def test_torchrun_s_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("RANK", "5"), ("WORLD_SIZE", "8"), ("LOCAL_RANK", "1")):
        monkeypatch.setenv(name, value)
    world = world_of_torchrun()
    assert world == World(rank=5, size=8, local_rank=1)
    assert not world.is_first


def test_each_process_has_a_gpu_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    gpu = torch.device("cuda")
    assert World(rank=3, size=4, local_rank=1).device(gpu) == torch.device("cuda", 1)
    assert World(rank=3, size=4, local_rank=1).device(CPU) == CPU
    assert ALONE.device(gpu) == gpu
    with pytest.raises(UserError, match="process 3 on this machine has no GPU of its own, there are 2"):
        World(rank=2, size=4, local_rank=2).device(gpu)


def test_two_processes(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    program = [str(Path(__file__).with_name("distributed_program.py")), str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([*command, *program], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    first, second = (read_json(tmp_path / f"{rank}.json") for rank in range(2))
    assert (first["keys"], second["keys"]) == (["a", "c", "e"], ["b", "d"])
    assert first["gathered"] == {"a": [0, 0], "c": [0, 0], "e": [0, 0], "b": [1, 1], "d": [1, 1]}
    assert second["gathered"] == {}
    assert first["found"]
    assert second["found"], "the second waits for what the first makes"
    assert (first["told"], second["told"]) == ("the last rank refuses", "")
    assert (first["local"], second["local"]) == (0, 1)
    assert "rank 0 speaks" in done.stdout
    assert "rank 1 speaks" not in done.stdout
