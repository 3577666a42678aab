"""
The client's side of the disk.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from labnet.files import saving as module
from labnet.files.saving import CannotSave, Saving, TargetExists
from tests.files.world import content, descriptors


@pytest.fixture(autouse=True)
def noDescriptorsLeft() -> Iterator[None]:
    before = descriptors()
    yield
    assert descriptors() == before


def test_aFileAppearsWhole(tmp_path: Path) -> None:
    saving = Saving(str(tmp_path / "a"))
    saving.write(b"hello ")
    saving.write(b"world")
    assert content(tmp_path) == {"a.part": b"hello world"}
    assert saving.sha256 == hashlib.sha256(b"hello world").hexdigest()
    saving.finish(1_000_000_000.5)
    saving.close()
    assert content(tmp_path) == {"a": b"hello world"}
    assert (tmp_path / "a").stat().st_mtime == 1_000_000_000.5
    assert not (tmp_path / "a").stat().st_mode & (stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)


def test_whatWasCutOffIsContinued(tmp_path: Path) -> None:
    first = Saving(str(tmp_path / "a"))
    first.write(b"hello ")
    first.close()
    second = Saving(str(tmp_path / "a"))
    assert second.size == 6
    second.write(b"world")
    assert second.sha256 == hashlib.sha256(b"hello world").hexdigest()
    second.finish()
    assert content(tmp_path) == {"a": b"hello world"}


def test_orBegunAnew(tmp_path: Path) -> None:
    (tmp_path / "a.part").write_bytes(b"old and long")
    saving = Saving(str(tmp_path / "a"), resume=False)
    saving.write(b"new")
    saving.finish()
    assert content(tmp_path) == {"a": b"new"}


def test_nothingComeNothingStays(tmp_path: Path) -> None:
    Saving(str(tmp_path / "a")).close()
    discarded = Saving(str(tmp_path / "b"))
    discarded.write(b"x")
    discarded.discard()
    assert content(tmp_path) == {}


def test_anEmptyFile(tmp_path: Path) -> None:
    Saving(str(tmp_path / "a")).finish()
    assert content(tmp_path) == {"a": b""}


@pytest.mark.parametrize("size", [0, 1, 2**20 - 1, 2**20, 2**20 + 1, 3 * 2**20 + 5])
def test_bytesInFront(tmp_path: Path, size: int) -> None:
    data = os.urandom(size)
    saving = Saving(str(tmp_path / "a"))
    saving.write(data)
    saving.putInFront(b"0123456789")
    assert saving.size == size + 10
    assert saving.sha256 == hashlib.sha256(b"0123456789" + data).hexdigest()
    saving.finish()
    assert content(tmp_path) == {"a": b"0123456789" + data}


def test_aFileThatIsThereIsKept(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    with pytest.raises(TargetExists):
        Saving(str(tmp_path / "a"))
    saving = Saving(str(tmp_path / "a"), replace=True)
    saving.write(b"new")
    assert (tmp_path / "a").read_bytes() == b"old"
    saving.finish()
    assert content(tmp_path) == {"a": b"new"}


def test_whatIsNoFileIsNotReplaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a")
    with pytest.raises(CannotSave, match="a: not a file"):
        Saving(str(tmp_path / "a"), replace=True)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_aFileThatComesMeanwhileIsKeptToo(tmp_path: Path) -> None:
    saving = Saving(str(tmp_path / "a"))
    saving.write(b"new")
    (tmp_path / "a").write_bytes(b"mine")
    with pytest.raises(TargetExists):
        saving.finish()
    saving.close()
    assert content(tmp_path) == {"a": b"mine", "a.part": b"new"}


def test_aFileSystemWithoutLinks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def noLinks(*arguments: object, **options: object) -> None:
        raise PermissionError(errno.EPERM, "no links here")

    monkeypatch.setattr(module.os, "link", noLinks)
    saving = Saving(str(tmp_path / "a"))
    saving.write(b"new")
    saving.finish()
    assert content(tmp_path) == {"a": b"new"}


def test_whatIsNoFileIsNotWrittenTo(tmp_path: Path) -> None:
    """A link that somebody has laid out, a FIFO that nobody reads, a folder."""
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "a.part").symlink_to(tmp_path / "secret")
    os.mkfifo(tmp_path / "b.part")
    (tmp_path / "c.part").mkdir()
    for name in ("a", "b", "c", "nowhere/d"):
        with pytest.raises(CannotSave) as caught:
            Saving(str(tmp_path / name))
        assert str(tmp_path / name) in str(caught.value)
    assert (tmp_path / "secret").read_bytes() == b"secret"


@pytest.mark.parametrize("call", ["pwrite", "fsync"])
def test_aDiskThatFillsUp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    (tmp_path / "a").write_bytes(b"old")
    saving = Saving(str(tmp_path / "a"), replace=True)

    def full(*arguments: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def fill() -> None:
        saving.write(b"x")
        saving.finish()

    with monkeypatch.context() as patch:
        patch.setattr(module.os, call, full)
        with pytest.raises(CannotSave, match="No space left"):
            fill()
    saving.close()
    assert (tmp_path / "a").read_bytes() == b"old"
