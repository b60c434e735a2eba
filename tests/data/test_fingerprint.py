import os
from pathlib import Path

import pytest

from segmentation.data.fingerprint import cache_folder, fingerprint


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / name for name in ("a", "b")]
    for path in paths:
        path.write_bytes(b"1234")
        os.utime(path, ns=(0, 10**18))
    return paths


def test_twenty_hex_digits_whatever_the_order(files: list[Path]) -> None:
    name = fingerprint(files, "classes")
    assert len(name) == 20
    assert set(name) <= set("0123456789abcdef")
    assert fingerprint(reversed(files), "classes") == name


def test_contents_are_not_read(files: list[Path]) -> None:
    before = fingerprint(files)
    files[0].write_bytes(b"4321")
    os.utime(files[0], ns=(0, 10**18))
    assert fingerprint(files) == before


def test_size_time_name_number_and_what_goes_along_all_count(files: list[Path], tmp_path: Path) -> None:
    names = [fingerprint(files), fingerprint(files[:1]), fingerprint([]), fingerprint(files, 1), fingerprint(files, 2)]
    os.utime(files[1], ns=(0, 10**18 + 1))
    names.append(fingerprint(files))
    files[1].write_bytes(b"12345")
    os.utime(files[1], ns=(0, 10**18))
    names.append(fingerprint(files))
    names.append(fingerprint([files[0], files[1].rename(tmp_path / "c")]))
    assert len(set(names)) == len(names)


def test_the_cache_is_where_the_system_wants_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    assert cache_folder() == tmp_path / "caches" / "segmentation-lab"
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for unset in ("", None):
        if unset is None:
            monkeypatch.delenv("XDG_CACHE_HOME")
        else:
            monkeypatch.setenv("XDG_CACHE_HOME", unset)
        assert cache_folder() == tmp_path / "home" / ".cache" / "segmentation-lab"
