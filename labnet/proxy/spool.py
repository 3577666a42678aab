"""
Where a body waits until it has been looked at: in memory first, then in a temporary file.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import IO

__all__ = ["Spool"]

_PIECE = 128 * 1024


class Spool:
    """
    Holds a body.

    @param memory: bytes to keep in memory; with one more, everything goes into a file without a name.
    @ivar size: bytes held.
    """

    def __init__(self, memory: int) -> None:
        self._memory = memory
        self._pieces: list[bytes] = []
        self._file: IO[bytes] | None = None
        self.size = 0

    @property
    def onDisk(self) -> bool:
        """Whether it has outgrown the memory."""
        return self._file is not None

    def write(self, data: bytes) -> None:
        """
        Add a piece.

        @raise OSError: the disk does not take it.
        """
        self.size += len(data)
        if self._file is None:
            self._pieces.append(data)
            if self.size <= self._memory:
                return
            self._file = tempfile.TemporaryFile(prefix="labnet-")  # noqa: SIM115
            data, self._pieces = b"".join(self._pieces), []
        self._file.write(data)

    def content(self) -> bytes:
        """All of it, at once: for what is in memory."""
        return b"".join(self._pieces)

    def pieces(self) -> Iterator[bytes]:
        """All of it, a piece at a time. Nothing may be written in between."""
        if self._file is None:
            if self._pieces:
                yield self.content()
            return
        self._file.seek(0)
        while piece := self._file.read(_PIECE):
            yield piece

    def close(self) -> None:
        """Let go of it."""
        self._pieces = []
        if self._file is not None:
            self._file.close()
            self._file = None
