"""
Where a copy is written: a file that has its name only when it is whole.
"""

from __future__ import annotations

import hashlib
import os
import re
from itertools import count

__all__ = ["Copy", "isFileName"]

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")


def isFileName(name: str) -> bool:
    """Whether files may be called so: letters, digits, C{_ . -}, no dot in front, at most 100."""
    return _NAME.fullmatch(name) is not None


class Copy:
    """
    What one connection sends: counted, digested, and written if there is a directory.

    The file is called C{NAME-1}, C{NAME-2} and so on, whichever is free; nothing is ever overwritten.

    @param directory: where to write; L{None}: nowhere.
    @param name: what the files are called, as L{isFileName} allows.
    @ivar size: bytes so far.
    """

    def __init__(self, directory: str | None, name: str) -> None:
        self._directory = directory
        self._name = name
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._descriptor = -1
        self._part = ""
        self.size = 0

    @property
    def digest(self) -> str:
        """The MD5 of everything so far, in hex."""
        return self._md5.hexdigest()

    def open(self) -> None:
        """
        Begin.

        @raise OSError: the file can not be made.
        """
        if self._directory is None:
            return
        for number in count(1):
            part = os.path.join(self._directory, f".{self._name}-{os.getpid()}-{number}.part")
            try:
                self._descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            except FileExistsError:
                continue
            self._part = part
            return

    def add(self, data: bytes) -> None:
        """
        A piece more.

        @raise OSError: it can not be written.
        """
        self._md5.update(data)
        self.size += len(data)
        rest = memoryview(data)
        while rest and self._descriptor >= 0:
            rest = rest[os.write(self._descriptor, rest) :]

    def keep(self, suffix: str = "") -> str:
        """
        It is whole: give the file its name, and return that; empty when nothing is written.

        @param suffix: what the name ends with.
        @raise OSError: the file can not have a name there.
        """
        if self._descriptor < 0:
            return ""
        assert self._directory is not None
        try:
            for number in count(1):
                name = f"{self._name}-{number}{suffix}"
                try:
                    os.link(self._part, os.path.join(self._directory, name))
                except FileExistsError:
                    continue
                return name
        finally:
            self.discard()
        return ""

    def discard(self) -> None:
        """Let go of what is written, unless it has its name; once or several times."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)
            os.unlink(self._part)
