import pickle
import random
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from segmentation.errors import UserError
from segmentation.runtime.checkpoint import load_checkpoint, save_checkpoint


def test_what_is_saved_comes_back_without_running_code(tmp_path: Path) -> None:
    path = tmp_path / "checkpoints" / "last.pt"
    save_checkpoint(path, {"model": {"weight": torch.arange(3.0)}, "rows": [{"mIoU": 0.5, "name": None}]})
    content = load_checkpoint(path)
    assert torch.equal(content["model"]["weight"], torch.arange(3.0))
    assert content["rows"] == [{"mIoU": 0.5, "name": None}]
    assert torch.load(path, weights_only=True).keys() == content.keys()


def test_a_mapped_checkpoint_is_the_same_and_outlives_the_file_that_replaces_it(tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    save_checkpoint(path, {"epoch": 1, "model": {"weight": torch.arange(30_000.0)}})
    mapped = load_checkpoint(path, mmap=True)
    save_checkpoint(path, {"epoch": 2, "model": {"weight": torch.zeros(30_000)}})
    assert mapped["epoch"] == 1
    assert torch.equal(mapped["model"]["weight"], torch.arange(30_000.0))
    assert load_checkpoint(path, mmap=True)["epoch"] == 2


class CannotBeSaved:
    def __reduce__(self) -> str:
        raise RuntimeError("not me")


def test_a_crash_in_the_middle_of_writing_leaves_the_earlier_file(tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    save_checkpoint(path, {"epoch": 1})
    with pytest.raises(UserError, match="not me"):
        save_checkpoint(path, {"weights": torch.zeros(1000), "bad": CannotBeSaved()})
    assert load_checkpoint(path)["epoch"] == 1
    assert [file.name for file in tmp_path.iterdir()] == ["last.pt"]


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """What a full disk does, but in this process only."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_one_error_and_leaves_the_earlier_file(tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    save_checkpoint(path, {"epoch": 1})
    with files_no_larger_than(100_000), pytest.raises(UserError, match="free some space"):
        save_checkpoint(path, {"weights": torch.zeros(1_000_000)})
    assert load_checkpoint(path)["epoch"] == 1
    assert [file.name for file in tmp_path.iterdir()] == ["last.pt"]


class Harmful:
    def __reduce__(self) -> tuple[object, ...]:
        return exec, ("raise SystemExit('code was run')",)


def broken_files() -> dict[str, bytes]:
    picture = b"\x89PNG\r\n\x1a\n" + bytes(100)
    harmful = pickle.dumps(Harmful())
    return {"empty": b"", "text": b"hello", "numbers": b"1 2 3\n", "picture": picture, "harmful": harmful}


@pytest.mark.parametrize("kind", broken_files())
@pytest.mark.filterwarnings("ignore")
def test_a_file_that_is_no_checkpoint_is_one_error(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "last.pt"
    path.write_bytes(broken_files()[kind])
    with pytest.raises(UserError, match=str(path)) as error:
        load_checkpoint(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("mmap", [False, True], ids=["read", "mapped"])
@pytest.mark.filterwarnings("ignore")
def test_a_checkpoint_cut_off_anywhere_is_one_error(tmp_path: Path, mmap: bool) -> None:
    path = tmp_path / "last.pt"
    save_checkpoint(path, {"model": {"weight": torch.arange(300.0)}})
    whole, generator = path.read_bytes(), random.Random(0)
    for length in [1, 2, 3, len(whole) - 1, *(generator.randrange(len(whole)) for _ in range(50))]:
        path.write_bytes(whole[:length])
        with pytest.raises(UserError):
            load_checkpoint(path, mmap=mmap)


@pytest.mark.parametrize("content", [{"model": {}}, {"format": 99}, [1, 2], torch.zeros(2)])
def test_a_file_of_another_program_is_one_error(tmp_path: Path, content: object) -> None:
    path = tmp_path / "theirs.pt"
    torch.save(content, path)
    with pytest.raises(UserError, match="no checkpoint of this project"):
        load_checkpoint(path)


@pytest.mark.parametrize("missing", ["nothing.pt", "."])
def test_a_file_that_is_not_there_is_one_error(tmp_path: Path, missing: str) -> None:
    with pytest.raises(UserError, match="there is no checkpoint"):
        load_checkpoint(tmp_path / missing)
