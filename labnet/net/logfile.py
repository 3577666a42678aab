"""
A file that lines are written to, while a service goes on.
"""

from __future__ import annotations

import os
import select
import stat

__all__ = ["STANDARD_OUTPUT", "LogFile"]

STANDARD_OUTPUT = "-"

#: What a pipe takes without waiting for its reader, if it takes anything (PIPE_BUF of POSIX, on Linux).
_PIPE_PIECE = 4_096


class LogFile:
    """
    A file that lines are appended to. No write waits: not for a disk that is full, and not for the reader
    of a pipe.

    @param name: of the file; L{STANDARD_OUTPUT} is what it says.
    @raise OSError: it can not be opened.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._own = name != STANDARD_OUTPUT
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        self._descriptor = os.open(name, flags, 0o640) if self._own else 1
        self._identity = os.fstat(self._descriptor)
        self._regular = stat.S_ISREG(self._identity.st_mode)

    def write(self, data: bytes) -> int:
        """
        Append lines.

        @return: how many bytes were taken.
        @raise OSError: it can not be written to.
        """
        if self._regular:
            return os.write(self._descriptor, data)
        taken = 0
        while taken < len(data) and self._ready():
            piece = data[taken : taken + _PIPE_PIECE]
            # Whole lines, as far as there are: other processes may write to the same pipe.
            end = piece.rfind(b"\n") + 1 or len(piece)
            try:
                taken += os.write(self._descriptor, piece[:end])
            except BlockingIOError:
                break
        return taken

    def _ready(self) -> bool:
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        return bool(poll.poll(0))

    @property
    def moved(self) -> bool:
        """Whether its name means another file by now, or none."""
        if not self._own:
            return False
        try:
            now = os.stat(self._name)
        except OSError:
            return True
        return (now.st_dev, now.st_ino) != (self._identity.st_dev, self._identity.st_ino)

    @property
    def size(self) -> int:
        """Bytes in it; 0 for what is no regular file."""
        return os.fstat(self._descriptor).st_size if self._regular and self._own else 0

    def close(self) -> None:
        """Let go of it."""
        if self._own:
            os.close(self._descriptor)
