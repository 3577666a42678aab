"""
The greeting, the small services and the greeting's client as real processes.
"""

from __future__ import annotations

import re
import socket
import struct
import sys
import time
from pathlib import Path

import pytest

from tests.integration.processes import PATIENCE, Running, Twistd, eventually, labnet, student

CLIENT = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
s.connect(("127.0.0.1", int(sys.argv[1])))
print(s.recv(1024).decode())
s.close()
"""

# It greets one client, and closes, or with an argument does not.
SERVER = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
s.bind(("127.0.0.1", 0))
s.listen(1)
print("port", s.getsockname()[1])
c, address = s.accept()
c.sendall(b"Hello, client! Connection established.")
if len(sys.argv) > 1:
    c.recv(1)
c.close()
"""

GREETING = "Hello, client! Connection established."


def serving(directory: Path, *options: str) -> Twistd:
    return Twistd(directory, "labnet-greeting", "--listen", "tcp:0", *options)


def everything(client: socket.socket) -> bytes:
    return b"".join(iter(lambda: client.recv(65_536), b""))


def test_aStudentsClientIsGreeted(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        assert student(CLIENT, str(server.port("greeting"))).stdout == f"{GREETING}\n"


@pytest.mark.parametrize("arguments", [[], ["keeps it open"]])
def test_aStudentsServerGreetsOurs(arguments: list[str]) -> None:
    """Also one that forgets to close."""
    with Running([sys.executable, "-c", SERVER, *arguments]) as server:
        where = "tcp:127.0.0.1:" + server.waitFor(r"port (\d+)")[1]
        done = labnet("greeting", "--connect", where, "--timeout", "2" if arguments else "30")
    assert (done.returncode, done.stdout) == (0, f"{GREETING}\n")


def test_aTalkativeClientIsGreeted(tmp_path: Path) -> None:
    """One that says more than anybody reads, as a browser does, still gets the greeting, and no reset."""
    with serving(tmp_path) as server:
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", server.port("greeting"))) as client:
                client.settimeout(PATIENCE)
                client.sendall(b"x" * 500_000)
                assert everything(client) == GREETING.encode()


def test_ourClientAndOurServer(tmp_path: Path) -> None:
    with serving(tmp_path, "--text", "Szia!") as server:
        done = labnet("greeting", "--connect", f"tcp:127.0.0.1:{server.port('greeting')}")
        assert (done.returncode, done.stdout) == (0, "Szia!\n")
        with Twistd(
            tmp_path, "labnet-greeting-client", "--connect", f"tcp:127.0.0.1:{server.port('greeting')}"
        ) as client:
            assert client.wait() == 0
        assert "Szia!" in client.output


def test_howTheClientFails() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        done = labnet("greeting", "--connect", f"tcp:127.0.0.1:{port}", "--timeout", "0.2")
        assert (done.returncode, done.stdout) == (4, "")
    done = labnet("greeting", "--connect", f"tcp:127.0.0.1:{port}")
    assert done.returncode == 3
    assert done.stderr.startswith("labnet greeting: connection refused")


def test_manyThatNeverClose(tmp_path: Path) -> None:
    """300 that are greeted and stay: they are gone by themselves, and so are their descriptors."""
    with serving(tmp_path) as server:
        port = server.port("greeting")
        assert student(CLIENT, str(port)).stdout == f"{GREETING}\n"
        descriptors = Path(f"/proc/{server.process.pid}/fd")
        before = len(list(descriptors.iterdir()))
        idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(300)]
        eventually(lambda: len(list(descriptors.iterdir())) <= before, "all descriptors are closed")
        for client in idle:
            client.close()


# The small services


def test_theSmallServices(tmp_path: Path) -> None:
    names = ("discard", "daytime", "qotd", "chargen", "time")
    listen = [word for name in names for word in ("--listen", f"{name}=tcp:0")]
    with Twistd(tmp_path, "labnet-classic", *listen) as server:
        ports = {name: server.port(f"classic ({name})") for name in names}

        def answer(name: str) -> bytes:
            with socket.create_connection(("127.0.0.1", ports[name])) as client:
                client.settimeout(PATIENCE)
                return everything(client)

        assert re.fullmatch(rb"\w+day, \w+ \d+, \d{4} \d\d:\d\d:\d\d-UTC\r\n", answer("daytime"))
        assert answer("qotd").endswith(b"\r\n")
        (seconds,) = struct.unpack(">I", answer("time"))
        assert abs(seconds - 2_208_988_800 - time.time()) < 2 * PATIENCE
        with socket.create_connection(("127.0.0.1", ports["chargen"])) as client:
            client.settimeout(PATIENCE)
            client.sendall(b"ignored")
            noise = b""
            while len(noise) < 20_000:
                noise += client.recv(65_536)
        assert {len(line) for line in noise.split(b"\r\n")[:100]} == {72}
        with socket.create_connection(("127.0.0.1", ports["discard"])) as client:
            client.settimeout(PATIENCE)
            client.sendall(b"x" * 5_000_000)
            client.shutdown(socket.SHUT_WR)
            assert everything(client) == b""


def test_noiseIsNotKeptForWhoDoesNotRead(tmp_path: Path) -> None:
    options = ("--listen", "chargen=tcp:0", "--idle-timeout", "1", "--send-buffer", "4096")
    with Twistd(tmp_path, "labnet-classic", *options) as server, socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", server.port("classic")))
        server.waitFor(r"chargen #\d+ .*idle for 1 s")
