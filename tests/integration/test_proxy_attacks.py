"""
Those who want the proxy for themselves, and those who are served all the same: slow clients by the hundred
(slowhttptest), ten thousand that say nothing, and more of them than there are descriptors.
"""

from __future__ import annotations

import resource
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from labnet.net.accepting import RESERVE
from tests.integration.measured import Origin, awake, descriptors, peak, resident
from tests.integration.origin import page
from tests.integration.processes import ENVIRONMENT, PATIENCE, Running, Twistd, eventually, need

ATTACKERS = 200
IDLE = 10_000
#: Of those, from one address of the loopback interface.
PER_ADDRESS = 2_500
#: MiB of memory for one attacker: what is on its way to it, twice over.
ATTACKER = 0.5
#: Bytes of memory for one client that does nothing.
EACH = 8 * 1024


@pytest.fixture(autouse=True)
def manyDescriptors() -> Iterator[None]:
    """Thousands of sockets in this process, and in those it starts."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Proxy(Twistd):
    """A proxy, and what is known of it."""

    def __init__(self, directory: Path, *options: str) -> None:
        super().__init__(directory, "labnet-proxy", "--listen", "tcp:0", *options)
        self.where = ("127.0.0.1", self.port("proxy"))
        awake(self, self.where[1])
        self.before = descriptors(self.process.pid)

    def fetch(self, url: str) -> bytes:
        """What a client gets who comes now, and leaves again."""
        host = url.removeprefix("http://").partition("/")[0]
        with socket.create_connection(self.where, PATIENCE) as client:
            client.sendall(f"GET {url} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            answer = b""
            while data := client.recv(65_536):
                answer += data
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 "), head
        return body

    def enter(self, number: int, says: bytes = b"") -> socket.socket:
        """One more client, who says that much and stays."""
        client = socket.create_connection(self.where, PATIENCE, (f"127.0.0.{2 + number // PER_ADDRESS}", 0))
        client.sendall(says)
        return client


def slowhttptest(proxy: Proxy, *arguments: str) -> list[str]:
    """Its command line: all attackers within a second, who go on for eight."""
    host, port = proxy.where
    general = ("-c", str(ATTACKERS), "-r", str(ATTACKERS), "-i", "1", "-l", "8", "-p", "7", "-v", "1")
    return [need("slowhttptest"), *general, "-d", f"{host}:{port}", *arguments]


@pytest.mark.parametrize(
    ("attack", "path", "options", "end"),
    [
        # Heads that never end, a line a second.
        (("-H",), "/bytes/10", (), r"408 .*the request's head was not complete within 3 s"),
        # Bodies that trickle.
        (("-B", "-s", "8192"), "/echo", (), r"open for 6 s"),
        # Answers that are taken five bytes a second, through a window that is next to closed.
        (("-X",), "/bytes/3000000", (), r"idle for 5 s|open for 6 s"),
        # Very many ranges in one request, which gets all there is: so only the access log tells of it.
        (
            ("-R",),
            "/bytes/100000",
            ("--access-log", "-", "--access-format", "%I bytes in, %>s"),
            r"^1\d{4} bytes in, 200$",
        ),
    ],
    ids=["slow-heads", "slow-bodies", "slow-readers", "ranges"],
)
def test_slowClients(
    tmp_path: Path, attack: tuple[str, ...], path: str, options: tuple[str, ...], end: str
) -> None:
    """
    While it lasts everybody else is served; each attacker is ended by a limit; memory is bounded; and in
    the end every descriptor is closed.
    """
    limits = ("--head-timeout", "3", "--idle-timeout", "5", "--lifetime", "6", "--hold-memory", "65536")
    with Proxy(tmp_path, *limits, *options) as proxy:
        process, served = proxy.process.pid, 0
        memory = resident(process)
        with Origin() as origin:
            with Running([*slowhttptest(proxy, *attack), "-u", origin.url + path]) as attackers:
                while attackers.process.poll() is None:
                    assert proxy.fetch(f"{origin.url}/bytes/70000") == page(70_000)
                    served += 1
            assert "service available" in attackers.text
            assert not [line for line in attackers.output if "available" in line and "NO" in line]
        assert served > 1
        proxy.waitFor(end)
        print(f"{attack}: {served} others served, {peak(process) - memory:.1f} MiB more at the peak")
        assert peak(process) - memory < ATTACKERS * ATTACKER
        eventually(lambda: descriptors(process) == proxy.before, "all attackers are gone")


@pytest.mark.parametrize(
    "says",
    [
        "",
        "GET {origin}/bytes/10 HTTP/1.1\r\nHost: ",
        "GET {origin}/bytes/10 HTTP/1.1\r\nHost: {host}\r\n\r\n",
    ],
    ids=["silent", "half-a-head", "answered"],
)
def test_tenThousandWhoDoNothing(tmp_path: Path, says: str) -> None:
    """They cost less than 8 KiB each, whoever else comes is served, and they leave nothing behind."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    many = min(IDLE, hard - 200)
    limits = ("--max-connections", str(2 * IDLE), "--idle-timeout", "0", "--head-timeout", "0")
    idle: list[socket.socket] = []
    try:
        with Proxy(tmp_path, *limits) as proxy:
            process = proxy.process.pid
            with Origin() as origin:
                assert proxy.fetch(f"{origin.url}/bytes/1000") == page(1000)
                memory = resident(process)
                request = says.format(origin=origin.url, host=origin.host).encode()
                for number in range(many):
                    idle.append(proxy.enter(number, request))
                    if number % 500 == 0:
                        assert proxy.fetch(f"{origin.url}/bytes/1000") == page(1000)
                if says.endswith("\r\n\r\n"):
                    assert all(client.recv(4096).startswith(b"HTTP/1.1 200 ") for client in idle)
                eventually(lambda: descriptors(process) >= proxy.before + many, "all are accepted")
                assert proxy.fetch(f"{origin.url}/bytes/70000") == page(70_000)
                each = (resident(process) - memory) * 2**20 / many
            print(f"{many} idle clients: {each:.0f} bytes each")
            assert each < EACH
            while idle:
                idle.pop().close()
            eventually(lambda: descriptors(process) == proxy.before, "all are gone")
    finally:
        for client in idle:
            client.close()


def test_noDescriptorIsLeft(tmp_path: Path, origin: str) -> None:
    """
    Who comes when there is none waits, and is served when others have left. Those who are there are served
    meanwhile. The log has one line.
    """
    with Proxy(tmp_path) as proxy:
        room = 20
        limit = proxy.before + RESERVE + room
        resource.prlimit(proxy.process.pid, resource.RLIMIT_NOFILE, (limit, limit))
        clients = [proxy.enter(number) for number in range(2 * room)]
        proxy.waitFor("no descriptors are left: connections wait until others have ended")
        host = origin.removeprefix("http://")
        request = f"GET {origin}/bytes/500 HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
        for client in clients:
            client.sendall(request)
            with client, client.makefile("rb") as answer:
                assert answer.readline() == b"HTTP/1.1 200 OK\r\n"
                while answer.readline() != b"\r\n":
                    pass
                assert answer.read(500) == page(500)
        assert proxy.fetch(f"{origin}/bytes/500") == page(500)
        assert len([line for line in proxy.output if "no descriptors are left" in line]) == 1
        assert "Too many open files" not in proxy.text


def test_noDescriptorIsLeftForOrigins(tmp_path: Path, origin: str) -> None:
    """More requests at once than descriptors for origins: who gets none is told, and all goes on."""
    with Proxy(tmp_path, "--grace", "0") as proxy:
        room = 40
        limit = proxy.before + RESERVE + room
        resource.prlimit(proxy.process.pid, resource.RLIMIT_NOFILE, (limit, limit))
        clients = [proxy.enter(number) for number in range(room)]
        eventually(lambda: descriptors(proxy.process.pid) == proxy.before + room, "all are accepted")
        host = origin.removeprefix("http://")
        for client in clients:
            client.sendall(f"GET {origin}/silent HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        proxy.waitFor(r'"GET \S+/silent" 503 refused; why=".*no descriptors are left here')
        for client in clients:
            client.close()
        assert proxy.fetch(f"{origin}/bytes/500") == page(500)


def test_crowdsOfConnectionsThatAreResetAtOnce(tmp_path: Path) -> None:
    """Two thousand that come and are reset, before a request or in its middle: nothing is left of them."""
    says = (b"", b"GET http://", b"\r\n" * 9, b"\0\xff\x16\x03\x01")
    linger = b"\1\0\0\0\0\0\0\0"
    with Proxy(tmp_path) as proxy:
        for number in range(2_000):
            client = proxy.enter(number, says[number % len(says)])
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            client.close()
        with Origin() as origin:
            assert proxy.fetch(f"{origin.url}/bytes/1000") == page(1000)
        eventually(lambda: descriptors(proxy.process.pid) == proxy.before, "all are gone")


def test_anAddressWithTooMany(tmp_path: Path, origin: str) -> None:
    """Of one address no more are let in than --max-per-peer; another one is as free as ever."""
    with Proxy(tmp_path, "--max-per-peer", "50", "--idle-timeout", "0", "--head-timeout", "0") as proxy:
        attackers = [proxy.enter(0, b"GET http://x/ HTTP/1.1\r\n") for _ in range(50)]
        with proxy.enter(0) as refused:
            assert refused.recv(100).startswith(b"HTTP/1.1 503 ")
        got = subprocess.run(
            [need("curl"), "-sS", "--interface", "127.0.0.9", "-x", f"http://127.0.0.1:{proxy.where[1]}",
             f"{origin}/bytes/3000"],
            capture_output=True, env=ENVIRONMENT, timeout=PATIENCE, check=True,
        )  # fmt: skip
        assert got.stdout == page(3000)
        for client in attackers:
            client.close()
