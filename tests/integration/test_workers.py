"""
Several processes that serve as one proxy: real ones, killed, told to reload and stopped while they work.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.processes import BIN, PATIENCE, Running, Twistd, eventually

PAGE = b"<p>a page of the origin</p>"


class Origin:
    """A web server in this process, with a thread for each connection; C{/slow} waits to be let go."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.asked = threading.Semaphore(0)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as lines:
            try:
                while request := lines.readline():
                    while lines.readline().strip():
                        pass
                    if b"/slow" in request:
                        self.asked.release()
                        self.go.wait(PATIENCE)
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(PAGE) + PAGE)
            except OSError:
                return

    def close(self) -> None:
        self.go.set()
        # Wakes up whoever accepts.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture
def origin() -> Iterator[Origin]:
    origin = Origin()
    yield origin
    origin.close()


class Client:
    """A connection to the proxy that is kept."""

    def __init__(self, port: int, origin: Origin) -> None:
        self._origin = origin
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self._lines = self._socket.makefile("rb")

    def ask(self, path: str = "/") -> None:
        where = f"127.0.0.1:{self._origin.port}"
        self._socket.sendall(f"GET http://{where}{path} HTTP/1.1\r\nHost: {where}\r\n\r\n".encode())

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def answer(self) -> bytes | None:
        """The status and the body, or L{None} if the connection ended without an answer."""
        try:
            status = self._lines.readline()
            if not status:
                return None
            length = 0
            while line := self._lines.readline().strip().lower():
                if line.startswith(b"content-length:"):
                    length = int(line.partition(b":")[2])
            return status.split(b" ")[1] + b" " + self._lines.read(length)
        except ConnectionResetError:
            return None

    def get(self, path: str = "/") -> bytes | None:
        self.ask(path)
        return self.answer()

    def close(self) -> None:
        self._lines.close()
        self._socket.close()


GOOD = b"200 " + PAGE


class Proxy(Twistd):
    """C{twistd -n labnet-proxy --workers 2}, serving. Which worker was asked what goes to the output."""

    def __init__(self, folder: Path, *options: str, before: tuple[str, ...] = ()) -> None:
        asked = ["--access-log", "-", "--access-format", "asked %P %U"]
        command = ["labnet-proxy", "--listen", "tcp:0", "--workers", "2", *asked, *options]
        super().__init__(folder, *before, *command)
        self.address = 0
        self.pids: dict[int, int] = {}

    def __enter__(self) -> Proxy:
        # Not before: who waits in __init__ and fails leaves a process behind.
        try:
            self.address = int(self.waitFor(r"proxy .*listens on tcp:127.0.0.1:(\d+)")[1])
            self.pids = {number: self.pid(number) for number in (1, 2)}
        except BaseException:
            self.stop()
            raise
        return self

    def pid(self, number: int, after: str = "") -> int:
        """The process of a worker, after the line that matches."""
        if after:
            self.waitFor(after)
        eventually(lambda: self._found(number, after), f"worker {number} serves")
        return self._found(number, after)

    def _found(self, number: int, after: str) -> int:
        lines = self.output[:]
        start = next((at for at, line in enumerate(lines) if re.search(after, line)), 0) if after else 0
        for line in lines[start:]:
            match = re.search(rf"worker {number} serves \(pid (\d+)\)", line)
            if match:
                return int(match[1])
        return 0


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[Proxy]:
    with Proxy(tmp_path) as proxy:
        yield proxy


def clientsOfBoth(proxy: Proxy, origin: Origin, name: str = "which") -> dict[int, list[Client]]:
    """Connections by the worker that serves them, as many as it takes for each to have one."""
    found: dict[int, list[Client]] = {1: [], 2: []}
    for at in range(100):
        client = Client(proxy.address, origin)
        path = f"/{name}{at}"
        assert client.get(path) == GOOD
        pid = int(proxy.waitFor(rf"^asked (\d+) .*{path}$")[1])
        found[1 if pid == proxy.pids[1] else 2].append(client)
        if all(found.values()):
            return found
    raise AssertionError(f"one has all: {proxy.text}")


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    # Whoever adopted it may not have noticed that it has ended.
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def test_oneOfThemIsKilledAndTheOthersServe(proxy: Proxy, origin: Origin) -> None:
    """No request of the other's fails, new clients are served meanwhile, and another takes its place."""
    clients = clientsOfBoth(proxy, origin)
    os.kill(proxy.pids[1], signal.SIGKILL)
    for client in clients[2]:
        for _ in range(50):
            assert client.get() == GOOD
    for _ in range(20):
        fresh = Client(proxy.address, origin)
        assert fresh.get() == GOOD
        fresh.close()
    assert clients[1][0].get() is None
    line = rf"worker 1 \(pid {proxy.pids[1]}\) was ended by SIGKILL; another starts at once"
    another = proxy.pid(1, line)
    assert another not in proxy.pids.values()
    for client in (*clients[1], *clients[2]):
        client.close()
    proxy.pids[1] = another
    again = clientsOfBoth(proxy, origin, "again")
    for client in (*again[1], *again[2]):
        client.close()


def test_limitsAreForAllTogether(tmp_path: Path, origin: Origin) -> None:
    """Whichever worker has the connections of an address; those of one that has died do not count."""
    with Proxy(tmp_path, "--max-per-peer", "30") as proxy:
        found = clientsOfBoth(proxy, origin)
        clients = [*found[1], *found[2]]
        clients += [Client(proxy.address, origin) for _ in range(30 - len(clients))]
        assert [client.get() for client in clients] == [GOOD] * 30
        refused = Client(proxy.address, origin)
        assert (refused.answer() or b"").startswith(b"503 ")
        os.kill(proxy.pids[1], signal.SIGKILL)
        proxy.pid(1, "another starts at once")
        fresh = Client(proxy.address, origin)
        assert fresh.get() == GOOD
        for client in (*clients, refused, fresh):
            client.close()


def test_whenTheSupervisorIsKilledTheWorkersEnd(tmp_path: Path, origin: Origin) -> None:
    """What is under way is answered first; then nobody listens any more."""
    with Proxy(tmp_path) as proxy:
        client = Client(proxy.address, origin)
        client.ask("/slow")
        assert origin.asked.acquire(timeout=PATIENCE)
        proxy.process.kill()
        proxy.process.wait(PATIENCE)
        origin.go.set()
        assert client.answer() == GOOD
        eventually(lambda: all(map(gone, proxy.pids.values())), "the workers end")
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", proxy.address), timeout=PATIENCE)
        client.close()


@pytest.mark.parametrize("everybody", [False, True], ids=["SIGTERM", "Ctrl-C"])
def test_whatIsUnderWayIsAnsweredAtTheEnd(tmp_path: Path, origin: Origin, everybody: bool) -> None:
    """Whether the supervisor alone is told, or every process by Ctrl-C at a terminal."""
    with Proxy(tmp_path) as proxy:
        clients = [Client(proxy.address, origin) for _ in range(20)]
        for client in clients:
            client.ask("/slow")
        for _ in clients:
            assert origin.asked.acquire(timeout=PATIENCE)
        if everybody:
            for pid in (*proxy.pids.values(), proxy.process.pid):
                os.kill(pid, signal.SIGINT)
        else:
            proxy.process.terminate()
        proxy.waitFor("shutting down")
        origin.go.set()
        assert [client.answer() for client in clients] == [GOOD] * 20
        proxy.wait()
        assert all(map(gone, proxy.pids.values()))
        assert "another starts" not in proxy.text
        assert "is killed" not in proxy.text
        for client in clients:
            client.close()


def test_theSecondSignalEndsIt(tmp_path: Path, origin: Origin) -> None:
    """Without waiting for what is under way."""
    with Proxy(tmp_path, "--grace", "1000") as proxy:
        client = Client(proxy.address, origin)
        client.ask("/slow")
        assert origin.asked.acquire(timeout=PATIENCE)
        proxy.process.terminate()
        proxy.waitFor("shutting down")
        # The first of the workers, the one without work, has ended: so the second signal is the second.
        eventually(lambda: sum(map(gone, proxy.pids.values())) == 1, "one worker ends")
        proxy.process.terminate()
        proxy.wait()
        assert client.answer() is None
        proxy.waitFor("is killed")
        client.close()


def test_aReloadReachesAll(tmp_path: Path, origin: Origin) -> None:
    """Both have the new rules, on connections that were there before; without a file they keep them."""
    rules = tmp_path / "rules.txt"
    rules.write_text("nothing\n")
    with Proxy(tmp_path, "--block-file", str(rules)) as proxy:
        clients = clientsOfBoth(proxy, origin)
        every = [*clients[1], *clients[2]]
        rules.write_text("a page of\n")
        proxy.process.send_signal(signal.SIGHUP)
        for number in (1, 2):
            proxy.waitFor(f"worker {number}: proxy: 1 rule in force")
        for client in every:
            assert (client.get() or b"").startswith(b"404 ")
        rules.unlink()
        proxy.process.send_signal(signal.SIGHUP)
        for number in (1, 2):
            proxy.waitFor(f"worker {number}: proxy: the rules stay as they were: --block-file")
        for client in every:
            assert (client.get() or b"").startswith(b"404 ")
            client.close()


def test_aPortInUseEndsItWithOneLine(proxy: Proxy, tmp_path: Path) -> None:
    """Also when those who have it are workers, too."""
    command = ["-n", "--pidfile=", "labnet-proxy", "--listen", f"tcp:{proxy.address}", "--workers", "2"]
    with Running([str(BIN / "twistd"), *command], cwd=tmp_path) as second:
        assert second.wait() == 1
    assert f"proxy: cannot listen on 127.0.0.1:{proxy.address}: Address already in use" in second.text
    assert "Traceback" not in second.text


def test_whenNoneComesUpItEndsWithTheReason(tmp_path: Path) -> None:
    """A file that is read by the supervisor and then is not there for the workers."""
    rules = tmp_path / "rules.txt"
    os.mkfifo(rules)
    options = ["labnet-proxy", "--listen", "tcp:0", "--workers", "2", "--block-file", str(rules)]
    with Running([str(BIN / "twistd"), "-n", "--pidfile=", *options], cwd=tmp_path) as proxy:
        with rules.open("wb") as writing:
            rules.unlink()
            writing.write(b"word\n")
        assert proxy.wait() == 1
    assert "no worker came up: --block-file" in proxy.text
    assert "Traceback" not in proxy.text


def test_behindABalancer(tmp_path: Path, origin: Origin) -> None:
    """What stands above the socket is with the worker, as without workers."""
    with Proxy(tmp_path, "--listen", "haproxy:tcp:0") as proxy:
        balanced = [int(port) for port in re.findall(r"listens on tcp:127.0.0.1:(\d+)", proxy.text)][1]
        client = Client(balanced, origin)
        client.send(b"PROXY TCP4 127.0.0.9 127.0.0.1 1111 80\r\nnonsense\r\n\r\n")
        client.answer()
        client.close()
        proxy.waitFor(r"worker \d: proxy #1 tcp:127.0.0.9:1111")


def test_theLogIsOne(tmp_path: Path, origin: Origin) -> None:
    """As JSON, and with another reactor, in which the workers run, too."""
    with Proxy(tmp_path, "--json-logs", before=("--reactor", "poll")) as proxy:
        client = Client(proxy.address, origin)
        client.send(b"nonsense\r\n\r\n")
        client.answer()
        client.close()
        proxy.waitFor(r'"text": "worker \d: proxy #1 .*"bytesIn": \d+')
        for pid in proxy.pids.values():
            assert b"\0twisted.internet.pollreactor\0" in Path(f"/proc/{pid}/cmdline").read_bytes()


def test_theyWorkInTheLab(tmp_path: Path, origin: Origin) -> None:
    """C{workers} in the TOML file, beside another server."""
    config = tmp_path / "lab.toml"
    config.write_text('[proxy]\nlisten = "tcp:0"\nworkers = 2\n[greeting]\nlisten = "tcp:0"\n')
    with Twistd(tmp_path, "labnet", "--config", str(config)) as lab:
        for number in (1, 2):
            lab.waitFor(f"worker {number} serves")
        client = Client(lab.port("proxy (forward)"), origin)
        assert client.get() == GOOD
        client.close()


def test_theyRunInTheBackground(tmp_path: Path, origin: Origin) -> None:
    """As a daemon, with a file for the log and one for the number of the process."""
    log, pidFile = tmp_path / "proxy.log", tmp_path / "proxy.pid"
    before = [f"--pidfile={pidFile}", f"--logfile={log}", f"--rundir={tmp_path}"]
    options = ["labnet-proxy", "--listen", "tcp:0", "--workers", "2"]
    with Running([str(BIN / "twistd"), *before, *options], cwd=Path("/")) as starting:
        assert starting.wait() == 0
    supervisor = int(pidFile.read_text())
    try:
        eventually(lambda: log.read_text().count("serves (pid") == 2, "both serve")
        port = re.search(r"proxy .* listens on tcp:127.0.0.1:(\d+)", log.read_text())
        assert port is not None
        client = Client(int(port[1]), origin)
        assert client.get() == GOOD
        client.close()
    finally:
        os.kill(supervisor, signal.SIGTERM)
    eventually(lambda: gone(supervisor) and not pidFile.exists(), "the supervisor ends")
    assert all(gone(int(pid)) for pid in re.findall(r"serves \(pid (\d+)\)", log.read_text()))
