"""
The folder: what can be read, what can not be reached, and what is listed.
"""

from __future__ import annotations

import os
import socket
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from labnet.files import store as module
from labnet.files.refusal import Refusal, Trouble
from labnet.files.store import Store, StoreLimits
from tests.files.stores import read, refusal, upload


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "folder"
    folder.mkdir()
    return folder


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
