import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from segmentation.data.cache import ALIGNED, ArrayCache, Layout, Place, open_cache

IMAGE, MASK = ((30, 40, 3), "|u1"), ((30, 40), "|u1")
LAYOUT: Layout = (IMAGE, MASK)
MASK_AT, ENTRY = 57 * 64, (57 + 19) * 64  # bytes: 3600 of the image, then 1200, each up to a multiple of 64
PLENTY = 2**30
FORK, SPAWN = multiprocessing.get_context("fork"), multiprocessing.get_context("spawn")


def entry(index: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(index)
    return random.integers(0, 256, IMAGE[0], dtype=np.uint8), random.integers(0, 256, MASK[0], dtype=np.uint8)


def holds(cache: ArrayCache, index: int) -> bool:
    found = cache.get(index)
    return found is not None and all(map(np.array_equal, found, entry(index)))


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """RAM and disk are folders of this test's own."""
    monkeypatch.setattr("segmentation.data.cache._ram_folder", lambda: tmp_path / "ram")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def on_disk(folder: Path) -> Path:
    return folder / "segmentation-lab" / "samples"


def opened(place: Place = "disk", name: str = "a", count: int = 4, limit: int = PLENTY) -> ArrayCache:
    return open_cache(place, name, [LAYOUT] * count, limit, limit)


def in_child(work: Callable[[], None], how: int = 0) -> None:
    """Run in a process of its own, which must end with the exit status `how`."""
    child = FORK.Process(target=work)
    child.start()
    child.join(30)
    assert child.exitcode == how


# What is put is what is got.


def test_an_entry_is_got_as_it_was_put_and_no_other() -> None:
    cache = opened()
    assert cache.get(1) is None
    cache.put(1, entry(1))
    assert holds(cache, 1)
    assert cache.get(0) is cache.get(2) is None


def test_entries_of_different_shapes_and_types() -> None:
    layouts: list[Layout] = [(((2, 3, 1), "<f4"), ((5, 7), "|u1")), (((4, 1, 5), "<f4"), ((1, 1), "|u1"))]
    entries = [tuple(np.random.default_rng(9).random(shape).astype(kind) for shape, kind in each) for each in layouts]
    cache = open_cache("disk", "a", layouts, PLENTY, PLENTY)
    for index, arrays in enumerate(entries):
        cache.put(index, arrays)
    for index, arrays in enumerate(entries):
        found = cache.get(index)
        assert found is not None
        for array, put in zip(found, arrays, strict=True):
            np.testing.assert_array_equal(array, put)
            assert array.dtype == put.dtype


@pytest.mark.parametrize("wrong", ["shape", "type", "number"])
def test_arrays_that_do_not_fit_are_not_kept(wrong: str) -> None:
    image, mask = entry(0)
    arrays = {"shape": (image[:-1], mask), "type": (image.astype(np.float32), mask), "number": (image,)}[wrong]
    cache = opened()
    cache.put(0, arrays)
    assert cache.get(0) is None


def test_what_is_got_cannot_be_written_to() -> None:
    cache = opened()
    cache.put(0, entry(0))
    found = cache.get(0)
    assert found is not None
    with pytest.raises(ValueError, match="read-only"):
        found[0][0, 0, 0] = 1


# How much.


def test_the_first_entries_that_fit_have_a_place() -> None:
    for limit, fitting in ((ALIGNED, 0), (ALIGNED + ENTRY - 1, 0), (ALIGNED + ENTRY, 1), (ALIGNED + 3 * ENTRY + 1, 3)):
        cache = opened(name=str(limit), limit=limit)
        assert len(cache) == fitting
        assert cache.path.stat().st_size == cache.size == ALIGNED + fitting * ENTRY <= max(limit, ALIGNED)
        for index in range(4):
            cache.put(index, entry(index))
        assert [holds(cache, index) for index in range(4)] == [index < fitting for index in range(4)]


def test_no_more_than_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "segmentation.data.cache.shutil.disk_usage", lambda folder: type("Usage", (), {"free": 10 * ENTRY})
    )
    cache = opened(count=9)
    assert len(cache) == 7  # and the marks, in 8 of 10
    assert len(opened(count=9)) == 9  # what the file has already is not to be free as well


def test_files_used_longest_ago_make_room(folders: Path) -> None:
    size = ALIGNED + ENTRY
    for age, name in enumerate("cba"):
        opened(name=name, count=1)
        os.utime(on_disk(folders) / name, (1000 + age, 1000 + age))
    in_use = opened(name="c", count=1)
    os.utime(in_use.path, (1000, 1000))
    open_cache("disk", "d", [LAYOUT], PLENTY, 3 * size)
    assert sorted(path.name for path in on_disk(folders).iterdir()) == ["a", "c", "d"]


# How long.


def test_on_disk_entries_stay(folders: Path) -> None:
    opened().put(2, entry(2))
    assert holds(opened(), 2)
    assert [path.name for path in on_disk(folders).iterdir()] == ["a"]


def test_in_ram_they_end_with_their_owner_and_not_with_a_worker(folders: Path) -> None:
    cache = opened("ram")
    cache.put(0, entry(0))

    def worker() -> None:
        nonlocal cache
        assert holds(cache, 0)
        del cache

    in_child(worker)
    assert cache.path.is_file()
    del cache
    assert not list((folders / "ram").iterdir())


def test_what_a_killed_owner_left_in_ram_is_removed_at_the_next_start(folders: Path) -> None:
    def owner() -> None:
        cache = opened("ram", "left")
        cache.put(0, entry(0))
        os.kill(os.getpid(), signal.SIGKILL)

    in_child(owner, -signal.SIGKILL)
    assert (folders / "ram" / "left").is_file()
    cache = opened("ram", "new")
    assert list((folders / "ram").iterdir()) == [cache.path]


def test_what_another_process_uses_is_not_removed(folders: Path) -> None:
    ready, done = FORK.Event(), FORK.Event()

    def other() -> None:
        cache = opened("ram", "other")
        cache.put(0, entry(0))
        ready.set()
        done.wait(30)
        assert holds(cache, 0)

    child = FORK.Process(target=other)
    child.start()
    assert ready.wait(30)
    opened("ram", "mine")
    assert (folders / "ram" / "other").is_file()
    done.set()
    child.join(30)
    assert child.exitcode == 0


# Never a half-written or damaged entry.


@pytest.mark.parametrize("killed_at", ["the second array", "the mark"])
def test_a_process_killed_while_it_writes_leaves_no_entry(killed_at: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = opened()
    cache.put(0, entry(0))

    def die(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def writer() -> None:
        image, mask = entry(1)
        if killed_at == "the mark":
            monkeypatch.setattr("segmentation.data.cache.zlib.crc32", die)
        else:
            write = cache._arrays

            def first_alone(index: int, memory: memoryview) -> object:
                yield next(iter(write(index, memory)))
                die()

            monkeypatch.setattr(cache, "_arrays", first_alone)
        cache.put(1, (image, mask))

    in_child(writer, -signal.SIGKILL)
    for later in (cache, opened()):
        assert holds(later, 0)
        assert later.get(1) is None
    cache.put(1, entry(1))
    assert holds(opened(), 1)


def test_whenever_a_writing_process_is_killed_what_is_served_is_right() -> None:
    """Kills at whatever point the writer has reached when so many entries are seen."""
    count = 60
    for seen in (1, 20, 40):
        cache = opened(name=str(seen), count=count)

        def writer(cache: ArrayCache = cache) -> None:
            for index in range(count):
                cache.put(index, entry(index))

        child = FORK.Process(target=writer)
        child.start()
        while cache.get(seen) is None and child.is_alive():
            pass
        child.kill()
        child.join(30)
        again = opened(name=str(seen), count=count)
        served = [index for index in range(count) if again.get(index) is not None]
        assert len(served) > seen
        assert all(holds(again, index) for index in served)


@pytest.mark.parametrize("where", ["first byte", "last byte", "mark", "zeroed"])
def test_a_damaged_entry_is_not_served_and_can_be_put_again(where: str) -> None:
    cache = opened()
    for index in range(3):
        cache.put(index, entry(index))
    path, start = cache.path, ALIGNED + ENTRY
    place, damage = {
        "first byte": (start, bytes([entry(1)[0][0, 0, 0] ^ 1])),
        "last byte": (start + MASK_AT + 1199, bytes([entry(1)[1][-1, -1] ^ 128])),
        "mark": (8, b"\1"),
        "zeroed": (start + 1024, bytes(1024)),
    }[where]
    del cache
    with path.open("r+b") as file:
        file.seek(place)
        file.write(damage)
    cache = opened()
    assert [holds(cache, index) for index in range(3)] == [True, False, True]
    assert cache.get(1) is None
    cache.put(1, entry(1))
    assert holds(cache, 1)
    assert holds(opened(), 1)


def test_a_file_cut_short_serves_what_it_still_has() -> None:
    cache = opened()
    for index in range(4):
        cache.put(index, entry(index))
    path = cache.path
    del cache
    os.truncate(path, ALIGNED + 2 * ENTRY + 100)
    cache = opened()
    assert [holds(cache, index) for index in range(4)] == [True, True, False, False]


# One map for all processes.


def test_what_one_process_puts_the_others_get() -> None:
    cache = opened("ram")
    in_child(lambda: cache.put(3, entry(3)))
    assert holds(cache, 3)
    other = opened("ram")  # as a second training process on the same data does
    assert holds(other, 3)
    other.put(0, entry(0))
    assert holds(cache, 0)


def put_in_spawned(cache: ArrayCache) -> None:
    assert holds(cache, 0)
    cache.put(1, entry(1))


def test_a_spawned_worker_shares_the_map_and_does_not_end_it() -> None:
    cache = opened("ram")
    cache.put(0, entry(0))
    child = SPAWN.Process(target=put_in_spawned, args=(cache,))
    child.start()
    child.join(60)
    assert child.exitcode == 0
    assert holds(cache, 1)
    assert cache.path.is_file()


def test_two_processes_that_write_the_same_entries_at_once_agree() -> None:
    count, rounds = 20, 5
    cache = opened(count=count)

    def writer() -> None:
        own = opened(count=count)
        for _ in range(rounds):
            for index in range(count):
                own.put(index, entry(index))

    children = [FORK.Process(target=writer) for _ in range(2)]
    for child in children:
        child.start()
    for child in children:
        child.join(60)
        assert child.exitcode == 0
    assert all(holds(cache, index) for index in range(count))
