"""
The folder: what can be read, what can not be reached, and uploads that are whole or not there.
"""

from __future__ import annotations

import errno
import os
import resource
import socket
import stat
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from labnet.files import store as module
from labnet.files.refusal import Refusal, Trouble
from labnet.files.store import Incoming, Store, StoreLimits
from tests.files.world import content, descriptors


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "folder"
    folder.mkdir()
    return folder


@pytest.fixture(autouse=True)
def noDescriptorsLeft() -> Iterator[None]:
    before = descriptors()
    yield
    assert descriptors() == before


def read(store: Store, name: str | bytes) -> bytes:
    stored = store.open(name)
    try:
        return os.pread(stored.descriptor, stored.size + 1, 0)
    finally:
        stored.close()


def refusal(call: object, *arguments: object, **options: object) -> Refusal:
    assert callable(call)
    with pytest.raises(Refusal) as caught:
        call(*arguments, **options)
    assert "/" not in str(caught.value)
    return caught.value


def upload(store: Store, name: str, data: bytes, *, replace: bool = False) -> Incoming:
    incoming = store.begin(name, len(data), replace=replace)
    try:
        incoming.write(data)
        incoming.sync()
        incoming.publish()
        incoming.syncFolder()
    finally:
        incoming.close()
    return incoming


def hand(incoming: Incoming, data: bytes) -> None:
    incoming.write(data)
    incoming.sync()


# Reading


def test_aFileIsRead(folder: Path) -> None:
    (folder / "a").write_bytes(b"hello")
    stored = Store(str(folder)).open("a")
    assert (stored.name, stored.size) == ("a", 5)
    assert stored.mtime == (folder / "a").stat().st_mtime
    stored.close()
    stored.close()


def test_whatIsNotThere(folder: Path) -> None:
    assert refusal(Store(str(folder)).open, "a").trouble is Trouble.NOT_FOUND
    assert refusal(Store(str(folder)).open, "x" * 255).trouble is Trouble.NOT_FOUND


def test_aFolderThatIsNotThereHasNoFiles(folder: Path) -> None:
    store = Store(str(folder / "nowhere"))
    assert refusal(store.open, "a").trouble is Trouble.NOT_FOUND
    assert store.listing("", 10) == ([], False)
    assert store.clean() == 0


def test_linksAreNotFollowed(folder: Path, tmp_path: Path) -> None:
    """To a file outside, to one inside, to a folder, a chain, a loop, nowhere: none of them is there."""
    (tmp_path / "secret").write_bytes(b"secret")
    (folder / "real").write_bytes(b"real")
    for name, target in (
        ("outside", str(tmp_path / "secret")), ("relative", "../secret"), ("inside", "real"), ("up",
        ".."), ("chain", "outside"),
        ("loop", "pool"), ("pool", "loop"), ("nowhere", "nothing"), ("proc", "/proc/self/environ"),
        ("root", "/"),
    ):  # fmt: skip
        (folder / name).symlink_to(target)
        assert refusal(Store(str(folder)).open, name).trouble is Trouble.NOT_FOUND, name
    assert [entry.name for entry in Store(str(folder)).listing("", 100)[0]] == ["real"]


def test_onlyRegularFilesAreOpened(folder: Path) -> None:
    """A FIFO without another end, a socket, a folder: nothing waits, nothing is opened."""
    os.mkfifo(folder / "fifo")
    (folder / "folder").mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "socket"))
    for name in ("fifo", "folder", "socket"):
        assert refusal(Store(str(folder)).open, name).trouble is Trouble.NOT_FOUND
    assert Store(str(folder)).listing("", 10) == ([], False)


def test_aFIFOThatTakesAFilesPlaceIsNotWaitedFor(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look and the opening."""
    os.mkfifo(folder / "a")
    real = os.stat
    (folder / "regular").write_bytes(b"")
    monkeypatch.setattr(module.os, "stat", lambda name, **rest: real(folder / "regular"))
    assert refusal(Store(str(folder)).open, "a").trouble is Trouble.NOT_FOUND


def test_aDeviceIsNotOpened(monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of devices has no files; and to open some devices does something, so none is."""
    opened: list[object] = []
    real = os.open

    def record(path: str, *rest: object, **options: object) -> int:
        opened.append(path)
        return real(path, *rest, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(module.os, "open", record)
    assert refusal(Store("/dev").open, "null").trouble is Trouble.NOT_FOUND
    assert refusal(Store("/dev").open, "zero").trouble is Trouble.NOT_FOUND
    assert set(opened) == {"/dev"}


def test_processEntriesAreFilesWithoutContent() -> None:
    """What /proc calls a file says that it has no bytes, and so none are given."""
    stored = Store("/proc/self").open("environ")
    assert stored.size == 0
    stored.close()


def test_aSparseFileOverTheLimitIsRefused(folder: Path) -> None:
    with (folder / "huge").open("wb") as file:
        file.truncate(2**40)
    assert refusal(Store(str(folder)).open, "huge").trouble is Trouble.TOO_LARGE
    stored = Store(str(folder), StoreLimits(largest=0)).open("huge")
    assert stored.size == 2**40
    stored.close()


def test_swappingFilesAndLinksNeverLeadsOutside(folder: Path, tmp_path: Path) -> None:
    """While a name is a file and a link to a secret by turns, nobody ever reads the secret."""
    (tmp_path / "secret").write_bytes(b"secret")
    (folder / "a").write_bytes(b"public")
    stop = threading.Event()

    def swap() -> None:
        turn = 0
        while not stop.is_set():
            turn += 1
            new = folder / ".new"
            if turn % 2:
                new.symlink_to(tmp_path / "secret")
            else:
                new.write_bytes(b"public")
            os.rename(new, folder / "a")

    swapper = threading.Thread(target=swap)
    swapper.start()
    try:
        store, seen = Store(str(folder)), set()
        for _ in range(10_000):
            try:
                seen.add(read(store, "a"))
            except Refusal:
                seen.add(b"refused")
    finally:
        stop.set()
        swapper.join()
    assert seen <= {b"public", b"", b"refused"}


def test_uploadingOverSwappedLinksNeverWritesOutside(folder: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            new = folder / ".new"
            new.symlink_to(secret)
            os.rename(new, folder / "a")

    swapper = threading.Thread(target=swap)
    swapper.start()
    try:
        store = Store(str(folder), StoreLimits(quota=0, mostFiles=0))
        for number in range(300):
            with suppress(Refusal):
                upload(store, "a", b"%d" % number, replace=True)
    finally:
        stop.set()
        swapper.join()
    assert secret.read_bytes() == b"secret"


def test_hiddenFilesAndUploadsAreNotListed(folder: Path) -> None:
    for name in (".hidden", ".upload-0123.part", "shown"):
        (folder / name).write_bytes(b"")
    assert [entry.name for entry in Store(str(folder)).listing("", 10)[0]] == ["shown"]
    assert refusal(Store(str(folder)).open, ".upload-0123.part").trouble is Trouble.BAD_NAME
    withHidden = Store(str(folder), StoreLimits(hidden=True))
    assert [entry.name for entry in withHidden.listing("", 10)[0]] == [".hidden", "shown"]
    assert refusal(withHidden.open, ".upload-0123.part").trouble is Trouble.BAD_NAME
    assert refusal(withHidden.begin, ".upload-0123.part").trouble is Trouble.BAD_NAME


def test_namesThatCanNotBeAskedForAreNotListed(folder: Path) -> None:
    """Whatever the folder has: bytes that are no text, controls, what has no end."""
    for name in (b"\xff\xfe", b"a\x1b[2J", b"a\nb", b"a:b", b" x", b"good"):
        descriptor = os.open(os.path.join(os.fsencode(folder), name), os.O_CREAT | os.O_WRONLY)
        os.close(descriptor)
    assert [entry.name for entry in Store(str(folder)).listing("", 10)[0]] == ["good"]


def test_aListInPages(folder: Path) -> None:
    for number in range(25):
        (folder / f"{number:02}").write_bytes(b"x" * number)
    store, after, seen = Store(str(folder)), "", []
    for expected in (True, True, False):
        entries, more = store.listing(after, 10)
        assert more is expected
        seen += entries
        after = entries[-1].name
    assert [(entry.name, entry.size) for entry in seen] == [(f"{n:02}", n) for n in range(25)]


def test_aListSeesWhatHasChanged(folder: Path) -> None:
    now = [0.0]
    store = Store(str(folder), now=lambda: now[0])
    for number in range(20):
        (folder / f"{number:02}").write_bytes(b"")
        now[0] = (folder.stat().st_mtime) + (number % 2) * 10
        assert len(store.listing("", 100)[0]) == number + 1


def test_aFolderThatLooksTheSame(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within a tick of the file system's clock a second change can not be seen: then it is read anew."""
    now = [folder.stat().st_mtime]
    monkeypatch.setattr(module, "_identity", lambda status: (1, 2, 3))
    store = Store(str(folder), now=lambda: now[0])
    assert store.listing("", 10) == ([], False)
    (folder / "a").write_bytes(b"")
    now[0] = folder.stat().st_mtime
    assert len(store.listing("", 10)[0]) == 1
    now[0] += 10
    assert len(store.listing("", 10)[0]) == 1
    (folder / "b").write_bytes(b"")
    assert len(store.listing("", 10)[0]) == 1


def test_aLargeFolderIsBounded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a hundred thousand entries no more than that are looked at,
    and the second page costs one look."""
    for number in range(200):
        (folder / f"{number:04}").write_bytes(b"")
    monkeypatch.setattr(module, "_MOST_SEEN", 150)
    store = Store(str(folder), now=lambda: folder.stat().st_mtime + 10)
    assert len(store.listing("", 1000)[0]) == 150
    monkeypatch.setattr(module.os, "scandir", None)
    assert len(store.listing("0100", 1000)[0]) <= 150


# Writing


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
        assert refusal(hand, incoming, b"hello").trouble is Trouble.BAD_REQUEST
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
    assert refusal(hand, incoming, b"hello").trouble is Trouble.NO_ROOM
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
