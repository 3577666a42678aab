"""
Where a body waits until it has been looked at: in memory first, then in a temporary file.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from errno import EIO, ENOSPC
from typing import BinaryIO, cast

__all__ = ["Spool"]

_PIECE = 128 * 1024
#: Pieces smaller than this are put together: an origin that drips must not cost more than its bytes.
_SMALL = 4 * 1024


class Spool:
    """
    Holds a body. Where the disk fails, it still holds all that it was given.

    @param memory: bytes to keep in memory; with one more, everything goes into a file without a name.
    @param free: bytes of the disk that have to stay free, for whoever else uses it; 0 for none.
    @ivar size: bytes held.
    """

    def __init__(self, memory: int, free: int = 0) -> None:
        self._memory = memory
        self._free = free
        self._pieces: list[bytes] = []
        self._file: BinaryIO | None = None
        self._onDisk = 0
        self.size = 0

    @property
    def onDisk(self) -> bool:
        """Whether it has outgrown the memory."""
        return self._file is not None

    @property
    def sizeOnDisk(self) -> int:
        """How many bytes are in the temporary file."""
        return self._onDisk

    def write(self, data: bytes) -> None:
        """
        Add a piece.

        @raise OSError: the disk does not take it. It is held all the same, in memory.
        """
        self.size += len(data)
        pieces = self._pieces
        if pieces and len(pieces[-1]) + len(data) <= _SMALL:
            pieces[-1] += data
        else:
            pieces.append(data)
        if self.size > self._memory:
            self._moveToDisk()

    def _moveToDisk(self) -> None:
        if self._file is None:
            # Without a buffer of its own: what could not be written must not come up again in a close.
            self._file = cast(BinaryIO, tempfile.TemporaryFile(buffering=0, prefix="labnet-"))  # noqa: SIM115
        waiting = memoryview(self.content())
        try:
            if self._free and _freeFor(self._file) < len(waiting) + self._free:
                raise OSError(ENOSPC, "too little of the disk is free")
            while waiting:
                written = self._file.write(waiting)
                self._onDisk += written
                waiting = waiting[written:]
        finally:
            self._pieces = [bytes(waiting)] if waiting else []

    def content(self) -> bytes:
        """What is in memory, at once: all of it unless L{onDisk}."""
        return b"".join(self._pieces)

    def pieces(self) -> Iterator[bytes]:
        """
        All of it, a piece at a time. Nothing may be written in between.

        @raise OSError: the disk does not give it back.
        """
        if self._file is not None:
            self._file.seek(0)
            left = self._onDisk
            while left:
                piece = self._file.read(min(left, _PIECE))
                if not piece:
                    raise OSError(EIO, "the temporary file is shorter than what was written to it")
                left -= len(piece)
                yield piece
        if self._pieces:
            yield self.content()

    def close(self) -> None:
        """Let go of it."""
        self._pieces = []
        self._onDisk = self.size = 0
        if self._file is not None:
            self._file.close()
            self._file = None


def _freeFor(file: BinaryIO) -> int:
    """How many bytes of its disk are free for this user."""
    disk = os.fstatvfs(file.fileno())
    return disk.f_bavail * disk.f_frsize
