"""
Holding a body in memory and on disk.
"""

from __future__ import annotations

import errno
import os
import tempfile
import warnings
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labnet.proxy.spool import Spool

MakeSpool = Callable[[int], Spool]


class FullDisk:
    """A file on a disk with room for so many bytes."""

    def __init__(self, room: int) -> None:
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115
        self._room = room
        self.closed = False

    def write(self, data: memoryview) -> int:
        if not self._room:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = self._file.write(data[: min(self._room, 3)])
        self._room -= written
        return written

    def read(self, size: int) -> bytes:
        return self._file.read(min(size, 2))

    def seek(self, at: int) -> int:
        return self._file.seek(at)

    def close(self) -> None:
        self._file.close()
        self.closed = True


@given(st.integers(0, 20), st.lists(st.binary(max_size=8), max_size=8))
def test_whatGoesInComesOut(memory: int, pieces: list[bytes]) -> None:
    """In the same order, as often as it is asked for, wherever it is held."""
    spool = Spool(memory)
    try:
        for piece in pieces:
            spool.write(piece)
        whole = b"".join(pieces)
        assert spool.size == len(whole)
        assert spool.onDisk == (len(whole) > memory)
        assert b"".join(spool.pieces()) == whole
        assert b"".join(spool.pieces()) == whole
        if not spool.onDisk:
            assert spool.content() == whole
    finally:
        spool.close()


def test_theLastByteThatGoesIntoMemory() -> None:
    spool = Spool(8)
    spool.write(b"12345678")
    assert not spool.onDisk
    spool.write(b"9")
    assert spool.onDisk
    assert spool.content() == b""
    spool.close()


def test_aLargeBodyComesBackInPieces() -> None:
    spool = Spool(1_000)
    block = bytes(range(256)) * 256
    for _ in range(20):
        spool.write(block)
    pieces = list(spool.pieces())
    assert b"".join(pieces) == block * 20
    assert max(map(len, pieces)) <= 128 * 1024
    spool.close()


def test_smallPiecesAreHeldTogether() -> None:
    """A million bytes, two at a time, are not half a million objects."""
    spool = Spool(2**20)
    for _ in range(2**19):
        spool.write(b"ab")
    assert len(spool._pieces) <= 2**20 // 2_048
    assert spool.content() == b"ab" * 2**19


def test_closingLetsGo() -> None:
    """Of the memory and of the file, whose descriptor is closed and not left to the collector."""
    spool = Spool(1)
    spool.write(b"12")
    file = spool._file
    assert file is not None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        spool.close()
    assert file.closed
    assert not spool.onDisk
    assert list(spool.pieces()) == []
    spool.close()


@pytest.mark.parametrize("room", range(12))
def test_aDiskThatIsFull(monkeypatch: pytest.MonkeyPatch, room: int) -> None:
    """The error comes out once; all that was given is still there, once and in order; a close is silent."""
    disk = FullDisk(room)
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **kwargs: disk)
    spool = Spool(4)
    given = b""
    failures = []
    for piece in (b"abc", b"def", b"ghi", b"jkl"):
        given += piece
        try:
            spool.write(piece)
        except OSError as error:
            failures.append(error.errno)
            break
    assert failures == [errno.ENOSPC]
    assert spool.size == len(given)
    assert b"".join(spool.pieces()) == given
    spool.close()
    assert disk.closed


def test_someOfTheDiskStaysFree(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever else uses it is not to suffer; what has come is held all the same."""
    free = 1_000
    monkeypatch.setattr(
        os, "fstatvfs", lambda descriptor: SimpleNamespace(f_bavail=free - spool.sizeOnDisk, f_frsize=1)
    )
    spool = Spool(4, free=900)
    spool.write(b"x" * 100)
    with pytest.raises(OSError, match="too little of the disk is free"):
        spool.write(b"y")
    assert b"".join(spool.pieces()) == b"x" * 100 + b"y"
    spool.close()


def test_noFileCanBeMade(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**kwargs: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    spool = Spool(4)
    with pytest.raises(OSError, match="Permission denied"):
        spool.write(b"abcdef")
    assert list(spool.pieces()) == [b"abcdef"]
    spool.close()


def test_aFileThatWasCutShort() -> None:
    """Is an error, and not a body that ends early without a word."""
    spool = Spool(1)
    spool.write(b"123456")
    assert spool._file is not None
    spool._file.truncate(3)
    with pytest.raises(OSError, match="shorter"):
        list(spool.pieces())
    spool.close()
