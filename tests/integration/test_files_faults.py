"""
The file server when something goes wrong: full disks, peers that vanish, a killed server, slow readers.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.fileserver import LISTEN, client, leftovers, passwordFile, port
from tests.integration.processes import (
    BIN,
    ENVIRONMENT,
    PATIENCE,
    Running,
    Twistd,
    eventually,
    labnet,
    need,
)


@pytest.fixture(scope="module")
def passwords(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return passwordFile(tmp_path_factory.mktemp("passwords"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "folder").mkdir()
    return tmp_path / "folder"


#: Both become C{twistd}: one after it has limited its files, the other on a disk of its own of 1 MiB.
LIMITED = (
    sys.executable,
    "-c",
    "import os, resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000)); "
    "os.execv(sys.argv[2], sys.argv[2:])",
)
SMALL_DISK = (
    *("unshare", "--map-root-user", "--mount", "sh", "-c"),
    'mount -t tmpfs -o size=1m none "$0" && printf whole > "$0/old" && exec "$@"',
)


@pytest.mark.parametrize("limits", [LIMITED, SMALL_DISK], ids=["a limit of the system", "a small disk"])
def test_aDiskThatFillsUp(tmp_path: Path, folder: Path, passwords: Path, limits: tuple[str, ...]) -> None:
    """It is met at the announcement or in the middle: an answer, no rest, and the service goes on."""
    if limits is SMALL_DISK and subprocess.run([*limits, folder, "true"], check=False).returncode:
        pytest.skip("this system allows no mounts of one's own")
    (folder / "old").write_bytes(b"whole")
    (tmp_path / "password").write_text("secret")
    (tmp_path / "big").write_bytes(os.urandom(2_000_000))
    twistd = [str(BIN / "twistd"), "-n", "--pidfile=", "labnet-files", "--folder", str(folder)]
    command = [*limits, str(folder), *twistd, "--password-file", str(passwords), *LISTEN]
    with Running(command, cwd=tmp_path) as running:
        framed = running.waitFor(r"files \(framed\) listens on tcp:.*:(\d+)$")[1]
        http = running.waitFor(r"files \(http\) listens on tcp:.*:(\d+)$")[1]
        server = ["-c", f"tcp:127.0.0.1:{framed}"]
        login = ["-u", "joe", "--password-from", str(tmp_path / "password")]
        result = labnet("files", "put", str(tmp_path / "big"), "--as", "old", "--replace", *login, *server)
        assert (result.returncode, result.stderr) == (
            1,
            "labnet files: the server refuses: the disk has no room for it\n",
        )
        # In chunks, so that nobody knows beforehand how much it will be.
        answer = subprocess.run(
            [need("curl"), "-s", "-w", "%{http_code}", "-o", "/dev/null", "-u", "joe:secret", "-T",
            str(tmp_path / "big"), "-H", "Transfer-Encoding: chunked", f"http://127.0.0.1:{http}/new"],
            capture_output=True, env=ENVIRONMENT, check=False,
        )  # fmt: skip
        assert answer.stdout == b"507"
        # As the server sees it, which may have mounted something there.
        seen = Path(f"/proc/{running.process.pid}/root{folder}")
        assert leftovers(seen) == ["old"]
        assert (seen / "old").read_bytes() == b"whole"
        got = labnet("files", "get", "old", "-o", str(tmp_path / "got"), *server)
        assert got.returncode == 0
        assert "Traceback" not in running.text


def begunUpload(server: Twistd) -> socket.socket:
    """Somebody who has announced a file of a million bytes, and may send it."""
    announced = {"request": "put", "name": "half", "size": 1_000_000, "sha256": "0" * 64}
    head = json.dumps(announced | {"user": "joe", "password": "secret"}).encode()
    peer = socket.create_connection(("127.0.0.1", port(server, "framed")), PATIENCE)
    peer.sendall(len(head).to_bytes(4, "big") + head)
    assert b"ready" in peer.recv(1024)
    return peer


@pytest.mark.parametrize("reset", [False, True])
def test_aPeerThatVanishesInTheMiddle(tmp_path: Path, folder: Path, passwords: Path, reset: bool) -> None:
    arguments = ["--folder", str(folder), "--password-file", str(passwords), *LISTEN]
    with Twistd(tmp_path, "labnet-files", *arguments) as server:
        with begunUpload(server) as peer:
            peer.sendall(b"x" * 500_000)
            eventually(
                lambda: any(path.stat().st_size for path in folder.glob(".upload-*.part")), "bytes arrive"
            )
            if reset:
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        eventually(lambda: leftovers(folder) == [], "the rest is removed")


def test_aKilledServerLeavesNothingVisible(tmp_path: Path, folder: Path, passwords: Path) -> None:
    """And the next one removes what it had begun."""
    arguments = ["labnet-files", "--folder", str(folder), "--password-file", str(passwords), *LISTEN]
    with Twistd(tmp_path, *arguments) as first, begunUpload(first):
        first.process.kill()
        first.wait()
    assert len(leftovers(folder)) == 1
    with Twistd(tmp_path, *arguments) as second:
        assert client(second, "list").stdout == ""
        second.waitFor("removed 1 unfinished uploads")
        assert leftovers(folder) == []


def test_aFolderOfAHundredThousand(tmp_path: Path, folder: Path) -> None:
    """It is listed to its end, a page at a time, in a connection that others do not wait for."""
    for number in range(100_000):
        os.close(os.open(folder / f"file {number:06}", os.O_CREAT | os.O_WRONLY, 0o644))
    with Twistd(tmp_path, "labnet-files", "--folder", str(folder), *LISTEN) as server:
        listed = client(server, "list").stdout.splitlines()
        assert len(listed) == 100_000
        assert listed[0].endswith("file 000000")
        assert listed[-1].endswith("file 099999")


def test_aHundredSlowReaders(tmp_path: Path, folder: Path) -> None:
    """A hundred downloads of 100 MiB that nobody reads take no memory, and a reader is served meanwhile."""
    with (folder / "big").open("wb") as file:
        file.truncate(100 * 2**20)
    (folder / "small").write_bytes(b"x")
    with Twistd(tmp_path, "labnet-files", "--folder", str(folder), *LISTEN) as server:
        status = Path(f"/proc/{server.process.pid}/status")
        assert (
            labnet(
                "files",
                "get",
                "big",
                "-c",
                f"tcp:127.0.0.1:{port(server, 'framed')}",
                "-o",
                str(tmp_path / "b"),
            ).returncode
            == 0
        )

        def resident() -> int:
            return int(status.read_text().partition("VmRSS:")[2].split()[0])

        before = resident()
        readers = []
        try:
            for kind, request in (("http", b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n"), ("course", b"big\n")):
                for _ in range(50):
                    peer = socket.create_connection(("127.0.0.1", port(server, kind)))
                    peer.sendall(request)
                    readers.append(peer)
            for peer in readers:
                assert peer.recv(1)
            result = labnet(
                "files",
                "get",
                "small",
                "-c",
                f"tcp:127.0.0.1:{port(server, 'framed')}",
                "-o",
                str(tmp_path / "s"),
            )
            assert result.returncode == 0
            assert resident() - before < 20_000
        finally:
            for peer in readers:
                peer.close()


def test_aFileIsDeletedWhileItIsSent(tmp_path: Path, folder: Path) -> None:
    """Who has begun to read it gets all of it."""
    data = os.urandom(8_000_000)
    (folder / "big").write_bytes(data)
    with Twistd(tmp_path, "labnet-files", "--folder", str(folder), *LISTEN) as server:
        with socket.create_connection(("127.0.0.1", port(server, "http"))) as peer:
            peer.sendall(b"GET /big HTTP/1.0\r\n\r\n")
            received = peer.recv(1000)
            (folder / "big").unlink()
            while piece := peer.recv(100_000):
                received += piece
        assert received.partition(b"\r\n\r\n")[2] == data


def test_theDefaultFolderIsNotMade(tmp_path: Path) -> None:
    """Without an option nothing of this machine is given away, and nothing is made."""
    with Twistd(tmp_path, "labnet-files", *LISTEN) as server:
        assert client(server, "list").stdout == ""
        assert client(server, "get", "twistd.log").returncode == 1
        assert client(server, "put", sys.executable, "--as", "x").returncode == 1
        assert leftovers(tmp_path) == []
        (tmp_path / "labnet-files").mkdir()
        (tmp_path / "labnet-files" / "now").write_bytes(b"x")
        assert "now" in client(server, "list").stdout
