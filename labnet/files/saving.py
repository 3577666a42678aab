"""
Where a client saves what it gets: in a C{.part} file beside its target, until it is whole.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress

__all__ = ["CannotSave", "Saving", "TargetExists"]

_PIECE = 1024 * 1024


class CannotSave(Exception):
    """The disk, or the folder, does not take it; the text is a sentence with the path."""


class TargetExists(Exception):
    """There is a file of that name already, which was not to be replaced."""


class Saving:
    """
    A file that is being fetched.

    What was fetched before, and cut off, is in C{TARGET.part}; with C{resume} it is kept and continued.

    @param target: the path it will have.
    @param replace: whether a file may be replaced that has this path.
    @ivar size: bytes that are there by now.
    @raise TargetExists: there is one, and it may not be replaced.
    @raise CannotSave: the C{.part} file can not be opened, or it or what is to be replaced is no file.
    """

    def __init__(self, target: str, *, replace: bool = False, resume: bool = True) -> None:
        self._target = target
        self._part = target + ".part"
        self._replace = replace
        self._digest = hashlib.sha256()
        self.size = 0
        if not replace and os.path.lexists(target):
            raise TargetExists(target)
        if os.path.exists(target) and not os.path.isfile(target):
            # A new file in the place of /dev/null is not what anybody wants.
            raise CannotSave(f"{target}: not a file")
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with self._told():
            self._descriptor = os.open(self._part, flags, 0o644)
        try:
            if not stat.S_ISREG(os.fstat(self._descriptor).st_mode):
                raise CannotSave(f"{self._part}: not a file")
            if resume:
                with self._told():
                    self._readBack()
            else:
                self.restart()
        except BaseException:
            # There will be nobody to close it.
            os.close(self._descriptor)
            raise

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise CannotSave(f"{self._part}: {error.strerror or error}") from error

    def _readBack(self) -> None:
        while piece := os.pread(self._descriptor, _PIECE, self.size):
            self._digest.update(piece)
            self.size += len(piece)

    @property
    def sha256(self) -> str:
        """The digest of what is there by now."""
        return self._digest.hexdigest()

    def restart(self) -> None:
        """Throw away what is there."""
        with self._told():
            os.ftruncate(self._descriptor, 0)
        self._digest = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> None:
        """
        Add a piece.

        @raise CannotSave: the disk does not take it.
        """
        self._digest.update(data)
        with self._told():
            self._writeAt(data, self.size)
        self.size += len(data)

    def putInFront(self, data: bytes) -> None:
        """
        Add bytes before the first. All others are moved, a piece at a time, from the last to the first.

        @raise CannotSave: the disk does not take it.
        """
        if not data:
            return
        end = self.size
        with self._told():
            while end:
                start = max(0, end - _PIECE)
                self._writeAt(os.pread(self._descriptor, end - start, start), start + len(data))
                end = start
            self._writeAt(data, 0)
            self._digest = hashlib.sha256()
            self.size = 0
            self._readBack()

    def _writeAt(self, data: bytes, at: int) -> None:
        left = memoryview(data)
        while left:
            written = os.pwrite(self._descriptor, left, at)
            at += written
            left = left[written:]

    def finish(self, mtime: float | None = None) -> None:
        """
        It is whole: let it have its name.

        @param mtime: when it was changed, in seconds since 1970.
        @raise TargetExists: somebody else has made a file of that name meanwhile.
        """
        if mtime is not None:
            with suppress(OSError, OverflowError):
                os.utime(self._descriptor, (mtime, mtime))
        with self._told():
            os.fsync(self._descriptor)
            if self._replace:
                os.rename(self._part, self._target)
            else:
                self._link()
        self.close()

    def _link(self) -> None:
        """A second name fails where a file has it, and a change of names would replace it."""
        try:
            os.link(self._part, self._target, follow_symlinks=False)
        except FileExistsError:
            raise TargetExists(self._target) from None
        except OSError:
            if os.path.lexists(self._target):
                raise
            # A file system without links.
            os.rename(self._part, self._target)
        else:
            os.unlink(self._part)

    def discard(self) -> None:
        """It is good for nothing."""
        if self._descriptor >= 0:
            with suppress(OSError):
                os.unlink(self._part)
            self.close()

    def close(self) -> None:
        """Let go of it; what is there stays there, to be continued. Once is enough."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor < 0:
            return
        if not self.size:
            with suppress(OSError):
                self._removeEmpty(descriptor)
        os.close(descriptor)

    def _removeEmpty(self, descriptor: int) -> None:
        """Nothing came: leave no trace, unless the name belongs to another file by now."""
        if os.path.samestat(os.fstat(descriptor), os.lstat(self._part)):
            os.unlink(self._part)
