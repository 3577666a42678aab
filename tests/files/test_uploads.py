"""
Uploads into the folder: whole or not there, within its limits.
"""

from __future__ import annotations

import errno
import os
import resource
import stat
from pathlib import Path

import pytest

from labnet.files import store as module
from labnet.files.refusal import Trouble
from labnet.files.store import Store, StoreLimits
from tests.files.stores import fill, refusal, upload
from tests.files.world import content


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "folder"
    folder.mkdir()
    return folder


def test_anUploadAppearsWhole(folder: Path) -> None:
    store = Store(str(folder))
    incoming = store.begin("a", 10)
    incoming.write(b"hello")
    assert list(content(folder).values()) == [b"hello"]
    assert "a" not in content(folder)
    incoming.write(b"world")
    incoming.sync(1_000_000_000.5)
    incoming.publish()
    incoming.close()
    incoming.close()
    assert content(folder) == {"a": b"helloworld"}
    status = (folder / "a").stat()
    assert stat.S_IMODE(status.st_mode) == 0o644
    assert status.st_mtime == 1_000_000_000.5
    assert status.st_nlink == 1
    assert (store.reserved, store.uploads) == (0, 0)


def test_anUploadThatIsAbandonedLeavesNothing(folder: Path) -> None:
    (folder / "a").write_bytes(b"old")
    store = Store(str(folder))
    incoming = store.begin("a", 10, replace=True)
    incoming.write(b"hello")
    incoming.close()
    assert content(folder) == {"a": b"old"}
    assert (store.reserved, store.uploads) == (0, 0)


@pytest.mark.parametrize("announced", [4, 6])
def test_anUploadOfAnotherLengthIsRefused(folder: Path, announced: int) -> None:
    incoming = Store(str(folder)).begin("a", announced)
    try:
        assert refusal(fill, incoming, b"hello").trouble is Trouble.BAD_REQUEST
    finally:
        incoming.close()
    assert content(folder) == {}


def test_twoWritersOfOneName(folder: Path) -> None:
    """Both write; the first to be whole has the name, the other is told, and nothing is mixed."""
    store = Store(str(folder))
    first, second = store.begin("a", 5), store.begin("a", 6)
    for incoming, data in ((first, b"first"), (second, b"second")):
        incoming.write(data)
        incoming.sync()
    second.publish()
    assert refusal(first.publish).trouble is Trouble.EXISTS
    first.close()
    second.close()
    assert content(folder) == {"a": b"second"}


def test_aFileThatComesFromElsewhereIsNotReplaced(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even when it comes between the last look and the publishing: that is what the link is for."""
    store = Store(str(folder))
    incoming = store.begin("a", 1)
    incoming.write(b"x")
    incoming.sync()
    monkeypatch.setattr(module, "_mayStandThere", lambda *arguments: None)
    (folder / "a").write_bytes(b"mine")
    assert refusal(incoming.publish).trouble is Trouble.EXISTS
    incoming.close()
    assert content(folder) == {"a": b"mine"}


def test_aFileIsReplacedOnlyWhenAsked(folder: Path) -> None:
    (folder / "a").write_bytes(b"old")
    (folder / "a").chmod(0o4755)
    store = Store(str(folder))
    assert refusal(store.begin, "a", 3).trouble is Trouble.EXISTS
    stored = store.open("a")
    upload(store, "a", b"new", replace=True)
    # Who had it open still has the old one, whole.
    assert os.pread(stored.descriptor, 10, 0) == b"old"
    stored.close()
    assert content(folder) == {"a": b"new"}
    assert stat.S_IMODE((folder / "a").stat().st_mode) == 0o644


def test_whatIsNoFileIsNotReplaced(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "folder").mkdir()
    os.mkfifo(folder / "fifo")
    for name in ("link", "folder", "fifo"):
        for replace in (False, True):
            found = refusal(Store(str(folder)).begin, name, 1, replace=replace)
            assert found.trouble is Trouble.EXISTS
    assert (tmp_path / "secret").read_bytes() == b"secret"


def test_withoutLinksTheNameIsChanged(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that has no links, as FAT."""

    def noLinks(*arguments: object, **options: object) -> None:
        raise PermissionError(errno.EPERM, "no links here")

    monkeypatch.setattr(module.os, "link", noLinks)
    upload(Store(str(folder)), "a", b"data")
    assert content(folder) == {"a": b"data"}


def test_theLargestFile(folder: Path) -> None:
    store = Store(str(folder), StoreLimits(largest=5))
    assert refusal(store.begin, "a", 6).trouble is Trouble.TOO_LARGE
    upload(store, "a", b"12345")
    endless = store.begin("b")
    endless.write(b"12345")
    assert refusal(endless.write, b"6").trouble is Trouble.TOO_LARGE
    endless.close()
    assert content(folder) == {"a": b"12345"}


def test_theQuotaCountsFilesAndUploads(folder: Path) -> None:
    (folder / "there").write_bytes(b"x" * 40)
    store = Store(str(folder), StoreLimits(quota=100))
    first = store.begin("a", 50)
    assert refusal(store.begin, "b", 11).trouble is Trouble.NO_ROOM
    second = store.begin("b", 10)
    third = store.begin("c")
    assert refusal(third.write, b"x").trouble is Trouble.NO_ROOM
    first.close()
    third.write(b"x" * 50)
    assert refusal(third.write, b"x").trouble is Trouble.NO_ROOM
    third.close()
    second.close()
    upload(store, "d", b"x" * 60)
    assert refusal(store.begin, "e", 1).trouble is Trouble.NO_ROOM
    (folder / "there").unlink()
    upload(store, "e", b"x")


def test_theQuotaSeesWhatIsReplaced(folder: Path) -> None:
    store = Store(str(folder), StoreLimits(quota=100))
    for size in (50, 10, 50, 50):
        upload(store, "a", b"x" * size, replace=True)
    assert refusal(store.begin, "a", 51, replace=True).trouble is Trouble.NO_ROOM


def test_theNumberOfFiles(folder: Path) -> None:
    """So that nobody takes the file system's inodes with empty files."""
    store = Store(str(folder), StoreLimits(mostFiles=3))
    for name in ("a", "b"):
        upload(store, name, b"")
    under = store.begin("c", 0)
    assert refusal(store.begin, "d", 0).trouble is Trouble.NO_ROOM
    under.close()
    upload(store, "d", b"")
    assert refusal(store.begin, "e", 0).trouble is Trouble.NO_ROOM


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
@pytest.mark.parametrize("call", ["write", "fsync"])
def test_aDiskThatFillsUp(folder: Path, monkeypatch: pytest.MonkeyPatch, number: int, call: str) -> None:
    (folder / "a").write_bytes(b"old")
    incoming = Store(str(folder)).begin("a", 5, replace=True)

    def full(*arguments: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(module.os, call, full)
    assert refusal(fill, incoming, b"hello").trouble is Trouble.NO_ROOM
    incoming.close()
    assert content(folder) == {"a": b"old"}


def test_aRealLimitOnTheSizeOfFiles(folder: Path) -> None:
    """The system's own: it takes the beginning, and then says so instead of ending the process."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    incoming = Store(str(folder)).begin("a", 200_000)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        assert refusal(incoming.write, b"x" * 200_000).trouble is Trouble.NO_ROOM
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        incoming.close()
    assert content(folder) == {}


def test_moreThanTheDiskHasIsRefusedAtOnce(folder: Path) -> None:
    store = Store(str(folder), StoreLimits(largest=0, quota=0))
    assert refusal(store.begin, "a", 2**60).trouble is Trouble.NO_ROOM
    assert content(folder) == {}


def test_whoMayNotWrite(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that the system does not let us write into, or is mounted read-only."""
    real = os.open
    for problem in (PermissionError(errno.EACCES, "no"), OSError(errno.EROFS, "no")):

        def refuse(
            path: str, flags: int, *rest: object, error: OSError = problem, **options: object
        ) -> int:
            if flags & os.O_CREAT:
                raise error
            return real(path, flags, *rest, **options)

        monkeypatch.setattr(module.os, "open", refuse)
        assert refusal(Store(str(folder)).begin, "a", 1).trouble is Trouble.READ_ONLY


def test_theFirstUploadMakesTheFolder(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    store = Store(str(folder), create=True)
    assert not folder.exists()
    upload(store, "a", b"data")
    assert content(folder) == {"a": b"data"}
    assert refusal(Store(str(tmp_path / "other")).begin, "a", 1).trouble is Trouble.NO_ROOM


def test_whatACrashLeftBehindIsRemoved(folder: Path) -> None:
    """But not what somebody is writing just now, nor what only looks alike."""
    for name in (".upload-aa.part", "upload-bb.part", ".upload-cc"):
        (folder / name).write_bytes(b"rest")
    (folder / ".upload-link.part").symlink_to("upload-bb.part")
    store = Store(str(folder))
    incoming = store.begin("a", 3)
    assert store.clean() == 1
    assert len(content(folder)) == 4
    incoming.write(b"abc")
    incoming.sync()
    incoming.publish()
    incoming.close()
    assert (folder / "a").read_bytes() == b"abc"


@pytest.mark.parametrize("name", ["../a", "a/b", "\0", ".a", "CON", "-a", "a\u0301", ""])
def test_badNamesAreNotMade(folder: Path, name: str) -> None:
    assert refusal(Store(str(folder)).begin, name, 1).trouble is Trouble.BAD_NAME
    assert content(folder) == {}


def test_theUmaskOfTheProcessDoesNotMatter(folder: Path) -> None:
    before = os.umask(0o077)
    try:
        upload(Store(str(folder)), "a", b"")
    finally:
        os.umask(before)
    assert stat.S_IMODE((folder / "a").stat().st_mode) == 0o644


def test_aFileSystemWithoutLocks(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Uploads go into it all the same, and leave nothing open or behind."""

    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "no locks")

    monkeypatch.setattr(module.fcntl, "flock", refuse)
    store = Store(str(folder))
    upload(store, "new", b"data")
    assert content(folder) == {"new": b"data"}
