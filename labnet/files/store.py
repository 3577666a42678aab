"""
The folder whose files are served, and the uploads into it.

Every name is one component below the folder's descriptor and is opened without following a link, so
there is no path that could lead out of it, and none that could be changed between a look and a use.
Only regular files are opened. What is uploaded stands beside its target in a hidden C{.part} file until it
is whole and on the disk.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import secrets
import stat
from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice

from labnet.files.naming import checkName, checkNewName
from labnet.files.refusal import Refusal, Trouble
from labnet.files.wire import Entry

__all__ = ["Incoming", "Store", "StoreLimits", "StoredFile"]

#: Entries of a folder that are looked at; what comes after them is not listed.
_MOST_SEEN = 100_000
_PART = (".upload-", ".part")
_TICK = 0.1

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
#: Without waiting: a FIFO may take the place of a file between two calls, and have no other end.
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NO_LINKS = (errno.EPERM, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK)


@dataclass(frozen=True, slots=True)
class StoreLimits:
    """
    What a folder may hold and give. C{0} means "no limit".

    @ivar largest: the largest file in bytes, either way.
    @ivar quota: bytes of all files together, up to which uploads are taken.
    @ivar mostFiles: files, likewise.
    @ivar hidden: whether names may begin with a dot.
    """

    largest: int = 2**30
    quota: int = 10 * 2**30
    mostFiles: int = 10_000
    hidden: bool = False


class StoredFile:
    """
    An open file of the folder. What is open stays what it was, even when the name gets another file.

    @ivar descriptor: open for reading; the holder closes it with L{close}.
    @ivar identity: changes when the file does, as far as the file system tells.
    """

    __slots__ = ("descriptor", "identity", "mtime", "name", "size")

    def __init__(self, name: str, descriptor: int, status: os.stat_result) -> None:
        self.name = name
        self.descriptor = descriptor
        self.size = status.st_size
        self.mtime = status.st_mtime
        self.identity = _identity(status)

    def close(self) -> None:
        """Let go of it; once is enough."""
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def _identity(status: os.stat_result) -> tuple[int, ...]:
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


class Store:
    """
    A folder.

    It is looked for with each request, so it may be made, moved or emptied while it is served. As long as
    it is not there it has no files.

    @param folder: its absolute path. Links in the path itself are followed: they are whoever gave it.
    @param create: whether the first upload makes it.
    @param now: what time it is, in seconds since 1970; without it the folder is read for each list.
    """

    def __init__(
        self,
        folder: str,
        limits: StoreLimits | None = None,
        *,
        create: bool = False,
        now: Callable[[], float] | None = None,
    ) -> None:
        self._now = now
        self._folder = folder
        self._create = create
        self.limits = limits or StoreLimits()
        self._names: list[str] = []
        self._namesOf: tuple[int, ...] = ()
        self._used = self._files = 0
        self._countedAt: tuple[int, ...] = ()
        self.reserved = 0
        self.uploads = 0

    # Reading

    def open(self, name: bytes | str) -> StoredFile:
        """
        Open a file.

        @raise Refusal: there is no such file, or none that may be given away.
        """
        checked = checkName(name, hidden=self.limits.hidden)
        if _isPart(checked):
            raise _partName()
        try:
            with self._open() as folder:
                # A look first: to open some devices does something.
                if not stat.S_ISREG(os.stat(checked, dir_fd=folder, follow_symlinks=False).st_mode):
                    raise _notFound()
                descriptor = os.open(checked, _READ, dir_fd=folder)
        except OSError as error:
            raise _refusal(error) from error
        stored = StoredFile(checked, descriptor, status := os.fstat(descriptor))
        if not stat.S_ISREG(status.st_mode):
            stored.close()
            raise _notFound()
        if self.limits.largest and stored.size > self.limits.largest:
            stored.close()
            raise Refusal(Trouble.TOO_LARGE, f"the file is larger than {self.limits.largest} bytes")
        return stored

    def listing(self, after: str, most: int) -> tuple[list[Entry], bool]:
        """
        The files whose names come after C{after}, in the order of their names, at most C{most}.

        @return: them, and whether there are more.
        @raise Refusal: the folder can not be read.
        """
        entries: list[Entry] = []
        try:
            with self._open() as folder:
                names = self._sorted(folder)
                for name in islice(names, bisect_right(names, after), None):
                    status = _regular(name, folder)
                    if status is None:
                        continue
                    if len(entries) == most:
                        return entries, True
                    entries.append(Entry(name, status.st_size, status.st_mtime))
        except FileNotFoundError:
            pass
        except OSError as error:
            raise _refusal(error) from error
        return entries, False

    def _sorted(self, folder: int) -> list[str]:
        """The names that may be asked for; read anew when the folder has changed."""
        status = os.fstat(folder)
        if _identity(status) != self._namesOf:
            self._names = sorted(name for name in _names(folder) if self._isName(name))
            # The clock of a file system ticks slowly: a folder that has just changed may change once more
            # within the tick, and look the same.
            settled = self._now is not None and self._now() - status.st_mtime > _TICK
            self._namesOf = _identity(status) if settled else ()
        return self._names

    def _isName(self, name: str) -> bool:
        try:
            checkName(name, hidden=self.limits.hidden)
        except Refusal:
            return False
        return not _isPart(name)

    # Writing

    def begin(self, name: bytes | str, size: int | None = None, *, replace: bool = False) -> Incoming:
        """
        Begin an upload.

        @param size: how many bytes will come; L{None} if nobody knows.
        @param replace: whether a file of that name may be replaced. That it is there is found out again
            in the end, when it counts.
        @raise Refusal: it can not be taken.
        """
        checked = checkNewName(name, hidden=self.limits.hidden)
        if _isPart(checked):
            raise _partName()
        if size is not None and self.limits.largest and size > self.limits.largest:
            raise self.tooLarge()
        try:
            if self._create:
                with suppress(FileExistsError):
                    os.mkdir(self._folder, 0o755)
            folder = os.open(self._folder, _FOLDER)
            try:
                self._admit(folder, checked, size or 0, replace)
                return Incoming(self, folder, checked, size, replace)
            except BaseException:
                # There is no upload that would close it.
                os.close(folder)
                raise
        except OSError as error:
            raise _refusal(error, writing=True) from error

    def _admit(self, folder: int, name: str, size: int, replace: bool) -> None:
        _mayStandThere(folder, name, replace)
        self._count(folder)
        if self.limits.mostFiles and self._files + self.uploads >= self.limits.mostFiles:
            raise Refusal(Trouble.NO_ROOM, f"the folder has {self._files} files, and takes no more")
        self.checkRoom(size)
        status = os.fstatvfs(folder)
        if size > status.f_bavail * status.f_frsize:
            raise Refusal(Trouble.NO_ROOM, "the disk has no room for it")

    def checkRoom(self, more: int) -> None:
        """
        @raise Refusal: with C{more} bytes beyond what is there and what is promised it would be too much.
        """
        if self.limits.quota and self._used + self.reserved + more > self.limits.quota:
            raise Refusal(Trouble.NO_ROOM, f"the folder takes no more than {self.limits.quota} bytes")

    def tooLarge(self) -> Refusal:
        """What is said to a file over the limit."""
        return Refusal(Trouble.TOO_LARGE, f"a file may have {self.limits.largest} bytes, and no more")

    def _count(self, folder: int) -> None:
        """Count what is there, unless the folder is as it was when it was counted last."""
        identity = _identity(os.fstat(folder))
        if identity != self._countedAt:
            self._used = self._files = 0
            for name in _names(folder):
                status = None if _isPart(name) else _regular(name, folder)
                if status is not None:
                    self._files += 1
                    self._used += status.st_size
            self._countedAt = identity

    def changed(self, folder: int, before: tuple[int, ...], files: int, size: int) -> None:
        """
        An upload has changed the folder: what is known about it stays known.

        @param before: its identity before that.
        """
        if before == self._countedAt:
            self._files += files
            self._used += size
            self._countedAt = _identity(os.fstat(folder))

    def clean(self) -> int:
        """
        Remove what uploads have left behind that a crash cut off, and no other process is writing.

        @return: how many there were.
        """
        removed = 0
        with suppress(OSError), self._open() as folder:
            for name in filter(_isPart, _names(folder)):
                with suppress(OSError):
                    descriptor = os.open(name, _READ, dir_fd=folder)
                    try:
                        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                        os.unlink(name, dir_fd=folder)
                        removed += 1
                    finally:
                        os.close(descriptor)
        return removed

    @contextmanager
    def _open(self) -> Iterator[int]:
        descriptor = os.open(self._folder, _FOLDER)
        try:
            yield descriptor
        finally:
            os.close(descriptor)


class Incoming:
    """
    An upload. It is over with L{publish} or L{abandon}, and then with L{close}.

    @ivar received: bytes written so far.
    """

    def __init__(self, store: Store, folder: int, name: str, size: int | None, replace: bool) -> None:
        self.name = name
        self.received = 0
        self._store = store
        self._folder = folder
        self._size = size
        self._replace = replace
        self._digest = hashlib.sha256()
        self._reserved = 0
        before = self._folderNow()
        # Nobody can guess it, so nobody has it already.
        self._part = secrets.token_hex(8).join(_PART)
        self._descriptor = os.open(self._part, _CREATE, 0o600, dir_fd=folder)
        self._there = True
        with suppress(OSError):
            # A file system without locks has none for whoever cleans up, either.
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        store.changed(folder, before, 0, 0)
        store.uploads += 1
        self._reserve(size or 0)

    @property
    def sha256(self) -> str:
        """The digest of what has been written."""
        return self._digest.hexdigest()

    def write(self, data: bytes) -> None:
        """
        Add a piece.

        @raise Refusal: it is more than was announced, more than is allowed, or the disk does not take it.
        """
        after = self.received + len(data)
        if self._size is not None and after > self._size:
            raise Refusal(Trouble.BAD_REQUEST, "more came than was announced")
        if self._store.limits.largest and after > self._store.limits.largest:
            raise self._store.tooLarge()
        if after > self._reserved:
            # By more than the piece, so that not every piece has to ask.
            more = after - self._reserved
            self._store.checkRoom(more)
            self._reserve(more)
        self._digest.update(data)
        left = memoryview(data)
        try:
            while left:
                left = left[os.write(self._descriptor, left) :]
        except OSError as error:
            raise _refusal(error, writing=True) from error
        self.received = after

    def sync(self, mtime: float | None = None) -> None:
        """
        Bring it to the disk. This takes as long as the disk takes, and may be called in a thread.

        @raise Refusal: it is less than was announced, or the disk does not take it.
        """
        if self._size is not None and self.received != self._size:
            raise Refusal(Trouble.BAD_REQUEST, "less came than was announced")
        try:
            os.fchmod(self._descriptor, 0o644)
            if mtime is not None:
                nanoseconds = int(mtime * 1_000_000_000)
                os.utime(self._descriptor, ns=(nanoseconds, nanoseconds))
            os.fsync(self._descriptor)
        except (OSError, OverflowError) as error:
            raise _refusal(error, writing=True) from error

    def publish(self) -> None:
        """
        Let it appear under its name, at once and whole.

        @raise Refusal: there is a file of that name that is not to be replaced.
        """
        folder, before = self._folder, self._folderNow()
        try:
            old = _mayStandThere(folder, self.name, self._replace)
            if self._replace:
                os.rename(self._part, self.name, src_dir_fd=folder, dst_dir_fd=folder)
            else:
                self._link()
        except OSError as error:
            raise _refusal(error, writing=True) from error
        self._there = False
        replaced = (1, old.st_size) if old is not None else (0, 0)
        self._store.changed(folder, before, 1 - replaced[0], self.received - replaced[1])

    def _link(self) -> None:
        """A second name fails where a file has it, and a change of names would replace it."""
        folder = self._folder
        try:
            os.link(self._part, self.name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            # A file system without links. We looked a moment ago whether somebody has the name.
            os.rename(self._part, self.name, src_dir_fd=folder, dst_dir_fd=folder)
        else:
            os.unlink(self._part, dir_fd=folder)

    def syncFolder(self) -> None:
        """Bring the name to the disk; may be called in a thread."""
        with suppress(OSError):
            os.fsync(self._folder)

    def close(self) -> None:
        """It is over: remove what was not published. Once is enough."""
        if self._descriptor < 0:
            return
        before = self._folderNow()
        if self._there:
            with suppress(OSError):
                os.unlink(self._part, dir_fd=self._folder)
        self._store.changed(self._folder, before, 0, 0)
        self._store.uploads -= 1
        self._store.reserved -= self._reserved
        os.close(self._descriptor)
        os.close(self._folder)
        self._descriptor = self._folder = -1

    def _reserve(self, more: int) -> None:
        self._reserved += more
        self._store.reserved += more

    def _folderNow(self) -> tuple[int, ...]:
        return _identity(os.fstat(self._folder))


def _isPart(name: str) -> bool:
    return name.startswith(_PART[0]) and name.endswith(_PART[1])


def _names(folder: int) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in islice(entries, _MOST_SEEN):
            yield entry.name


def _regular(name: str, folder: int) -> os.stat_result | None:
    """What is known about a regular file, or L{None} for anything else."""
    try:
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError:
        return None
    return status if stat.S_ISREG(status.st_mode) else None


def _mayStandThere(folder: int, name: str, replace: bool) -> os.stat_result | None:
    """
    The file that has this name, if it may be replaced, or L{None} if there is none.

    @raise Refusal: something has the name.
    """
    try:
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(status.st_mode):
        raise Refusal(Trouble.EXISTS, "something that is no file has this name")
    if not replace:
        raise Refusal(Trouble.EXISTS, "there is a file of this name")
    return status


def _partName() -> Refusal:
    return Refusal(Trouble.BAD_NAME, "the name is that of an unfinished upload")


def _notFound() -> Refusal:
    return Refusal(Trouble.NOT_FOUND, "there is no such file")


def _refusal(error: BaseException, *, writing: bool = False) -> Refusal:
    """What the peer is told about an error of the system; where the folder is, is none of its business."""
    number = getattr(error, "errno", None)
    if number in _NO_ROOM:
        return Refusal(Trouble.NO_ROOM, "the disk has no room for it")
    if isinstance(error, FileExistsError):
        return Refusal(Trouble.EXISTS, "there is a file of this name")
    if not writing and number in (
        errno.ENOENT,
        errno.ELOOP,
        errno.ENOTDIR,
        errno.ENXIO,
        errno.ENAMETOOLONG,
    ):
        return _notFound()
    if number in (errno.EMFILE, errno.ENFILE):
        return Refusal(Trouble.BUSY, "the server has too many files open")
    if isinstance(error, PermissionError) or number == errno.EROFS:
        return Refusal(Trouble.READ_ONLY if writing else Trouble.NOT_FOUND, "the system does not permit it")
    return Refusal(Trouble.NO_ROOM if writing else Trouble.NOT_FOUND, "the disk does not do it")
