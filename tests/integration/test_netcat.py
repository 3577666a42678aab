"""
Netcat against C{nc} (OpenBSD's), C{ncat}, C{socat}, plain sockets and itself: the same bytes arrive, in
both directions, and both ends end.
"""

from __future__ import annotations

import hashlib
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from tests.integration.processes import BIN, ENVIRONMENT, PATIENCE, Twistd, eventually, need, student

NC = [sys.executable, "-m", "labnet", "nc"]
MIB = 1 << 20
CHUNK = bytes(range(256)) * 256


class Program:
    """
    A program with its three streams: what it writes is read as it comes, except if C{stdout} is given.

    @ivar err: the lines of standard error so far.
    """

    def __init__(
        self,
        *command: str,
        stdin: int | IO[bytes] = subprocess.PIPE,
        stdout: int | IO[bytes] = subprocess.PIPE,
    ) -> None:
        self.out = bytearray()
        self.err: list[str] = []
        self._news = threading.Condition()
        self.process = subprocess.Popen(
            command, stdin=stdin, stdout=stdout, stderr=subprocess.PIPE, env=ENVIRONMENT, bufsize=0
        )
        readers = [threading.Thread(target=self._readErr, daemon=True)]
        if stdout == subprocess.PIPE:
            readers.append(threading.Thread(target=self._readOut, daemon=True))
        self._readers = readers
        for reader in readers:
            reader.start()

    def _readErr(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._news:
                self.err.append(line.decode("utf-8", "backslashreplace").rstrip("\n"))
                self._news.notify_all()

    def _readOut(self) -> None:
        assert self.process.stdout is not None
        while data := self.process.stdout.read(65536):
            with self._news:
                self.out += data
                self._news.notify_all()

    def told(self, pattern: str) -> re.Match[str]:
        """Wait for a line of standard error."""

        def search() -> re.Match[str] | None:
            found = (re.search(pattern, line) for line in self.err)
            return next((match for match in found if match), None)

        with self._news:
            self._news.wait_for(lambda: search() or self.process.poll() is not None, PATIENCE)
            self._news.wait_for(lambda: search(), 1.0)
        match = search()
        if match is None:
            pytest.fail(f"no line matches {pattern!r} in {self.err}", pytrace=False)
        return match

    def saw(self, data: bytes) -> None:
        """Wait for something on standard output."""
        with self._news:
            if not self._news.wait_for(lambda: data in self.out, PATIENCE):
                pytest.fail(f"{data!r} is not in {bytes(self.out[-200:])!r}; {self.err}", pytrace=False)

    def say(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)

    def end(self) -> None:
        """The end of its input."""
        assert self.process.stdin is not None
        self.process.stdin.close()

    def ends(self) -> int:
        """Wait for its end, and return the exit status."""
        try:
            status = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            pytest.fail(f"does not end; {bytes(self.out[-200:])!r}; {self.err}", pytrace=False)
        for reader in self._readers:
            reader.join(PATIENCE)
        return status

    @property
    def port(self) -> int:
        """Where one that is told to listen on port 0 listens; C{ncat} is the only one that does not say."""
        if "ncat" in self.process.args[0]:  # type: ignore[index]
            self.told("Listening on")
            return self._portInKernel()
        return int(self.told(r"listening on .*?(\d+)$|Listening on .* (\d+)$|Bound on .* (\d+)$").group(
            1) or self.told(r"(?:Listening|Bound) on .* (\d+)$")[1])  # fmt: skip

    def _portInKernel(self) -> int:
        files = Path(f"/proc/{self.process.pid}/fd")
        inodes = {os.readlink(file) for file in files.iterdir()}
        for table in ("tcp", "udp"):
            for line in Path("/proc/net", table).read_text().splitlines()[1:]:
                fields = line.split()
                if f"socket:[{fields[9]}]" in inodes:
                    return int(fields[1].partition(":")[2], 16)
        raise AssertionError("it listens nowhere")

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


class Programs(list[Program]):
    """The programs of a test; none of them outlives it."""

    def start(self, *command: str, **streams: IO[bytes] | int) -> Program:
        self.append(Program(*command, **streams))
        return self[-1]

    def nc(self, *arguments: str, **streams: IO[bytes] | int) -> Program:
        """Ours."""
        return self.start(*NC, *arguments, **streams)


@pytest.fixture
def programs() -> Iterator[Programs]:
    programs = Programs()
    try:
        yield programs
    finally:
        for program in programs:
            program.kill()


# The others, as who listens and as who connects.

LISTENERS = {
    "nc": ["nc.openbsd", "-v", "-N", "-l", "127.0.0.1", "0"],
    "ncat": ["ncat", "-v", "-l", "127.0.0.1", "0"],
    "socat": ["socat", "-d", "-d", "-t", "20", "-", "TCP-LISTEN:0,bind=127.0.0.1"],
    "ours": [*NC, "-l", "0"],
}
CONNECTORS = {
    "nc": ["nc.openbsd", "-N", "127.0.0.1", "PORT"],
    "ncat": ["ncat", "127.0.0.1", "PORT"],
    "socat": ["socat", "-t", "20", "-", "TCP:127.0.0.1:PORT"],
}


def found(command: list[str], port: int = 0) -> list[str]:
    """The command, with the program looked for and the port filled in."""
    first = command[0] if command[0] == sys.executable else need(command[0])
    return [first, *(word.replace("PORT", str(port)) for word in command[1:])]


def answersAfterTheEnd(asks: Program, answers: Program) -> None:
    """One side ends its half; the other hears that everything has come, and its answer still arrives."""
    asks.say(b"question\x00\xff\n")
    asks.end()
    answers.saw(b"question\x00\xff\n")
    answers.say(b"answer\n")
    answers.say(b"more\n")
    answers.end()
    assert (asks.ends(), answers.ends()) == (0, 0), asks.err + answers.err
    assert (asks.out, answers.out) == (b"answer\nmore\n", b"question\x00\xff\n")


@pytest.mark.parametrize("other", ["socat", "ours"])
def test_weConnectAndEndFirst(programs: Programs, other: str) -> None:
    """C{nc} and C{ncat} are missing: their listeners leave as soon as the peer has ended its half."""
    listener = programs.start(*found(LISTENERS[other]))
    answersAfterTheEnd(programs.nc("127.0.0.1", str(listener.port)), listener)


@pytest.mark.parametrize("other", LISTENERS)
def test_weConnectAndTheyEndFirst(programs: Programs, other: str) -> None:
    listener = programs.start(*found(LISTENERS[other]))
    answersAfterTheEnd(listener, programs.nc("127.0.0.1", str(listener.port)))


@pytest.mark.parametrize("other", CONNECTORS)
def test_weListenAndTheyEndFirst(programs: Programs, other: str) -> None:
    listener = programs.nc("-l", "0")
    answersAfterTheEnd(programs.start(*found(CONNECTORS[other], listener.port)), listener)


@pytest.mark.parametrize("other", ["nc", "socat"])
def test_weListenAndEndFirst(programs: Programs, other: str) -> None:
    """C{ncat} is missing: it leaves as soon as its peer has ended its half."""
    listener = programs.nc("-l", "0")
    answersAfterTheEnd(listener, programs.start(*found(CONNECTORS[other], listener.port)))


def test_aPeerThatEndsFirstStillGetsEverything(programs: Programs, tmp_path: Path) -> None:
    """It has ended its half before our input, a pipe, has even begun."""
    listener = programs.nc("-l", "0", "-v")
    with socket.create_connection(("127.0.0.1", listener.port)) as student:
        student.shutdown(socket.SHUT_WR)
        listener.told("the peer ended its half .FIN. after 0 bytes")
        listener.say(b"late\n")
        listener.end()
        assert student.recv(100) == b"late\n"
        assert student.recv(100) == b""
    assert listener.ends() == 0


# Large transfers

SIZE = 24 * MIB


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("large") / "large"
    with path.open("wb") as file:
        for number in range(SIZE // MIB):
            file.write(number.to_bytes(4, "big") + os.urandom(4096) + bytes(MIB - 4100))
    return path


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@pytest.mark.parametrize("weListen", [False, True], ids=["weConnect", "weListen"])
@pytest.mark.parametrize("other", ["nc", "socat", "ncat"])
def test_largeFilesBothWaysAtOnce(
    programs: Programs, large: Path, tmp_path: Path, other: str, weListen: bool
) -> None:
    """
    Files in, files out; both sides send at the same time, and end when they have sent all. C{ncat} leaves
    when its peer has ended its half, so it only sends, or only receives.
    """
    oneWay = other == "ncat"
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    with (
        large.open("rb") as source,
        large.open("rb") as again,
        ours.open("wb") as toUs,
        theirs.open("wb") as to,
    ):
        listener = LISTENERS["ours" if weListen else other]
        if weListen:
            first = programs.start(*found(listener), stdin=source, stdout=toUs)
            port = first.port
            nothing = subprocess.DEVNULL if oneWay else again
            second = programs.start(*found(CONNECTORS[other], port), stdin=nothing, stdout=to)
        else:
            first = programs.start(*found(listener), stdin=again, stdout=to)
            port = first.port
            second = programs.nc(str(port), *(["-d"] if oneWay else []), stdin=source, stdout=toUs)
        assert (first.ends(), second.ends()) == (0, 0), first.err + second.err
    assert digest(ours) == (digest(large) if not (oneWay and weListen) else digest(Path(os.devnull)))
    assert digest(theirs) == (digest(large) if not (oneWay and not weListen) else digest(Path(os.devnull)))


def residentMemory(pid: int) -> int:
    """The most memory that a process has had, in bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    match = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert match is not None
    return int(match[1]) * 1024


def test_aSlowStandardOutputHoldsTheNetworkBack(programs: Programs) -> None:
    """200 MiB through a pipe whose reader stops: the sender has to wait, and netcat does not grow."""
    size = 200 * MIB
    read, write = os.pipe()
    listener = socket.create_server(("127.0.0.1", 0))
    with os.fdopen(read, "rb", buffering=0) as reader, listener:
        with os.fdopen(write, "wb") as writer:
            port = str(listener.getsockname()[1])
            program = programs.nc(port, stdin=subprocess.DEVNULL, stdout=writer)
        peer, _ = listener.accept()
        with peer:
            program.err.clear()
            before = residentMemory(program.process.pid)
            sent = fillUp(peer)
            assert sent < size // 4, "it swallowed everything"
            rest = threading.Thread(target=sendZeros, args=(peer, size - sent), daemon=True)
            rest.start()
            received = 0
            while data := reader.read(MIB):
                received += len(data)
                if received == size:
                    grown = residentMemory(program.process.pid) - before
            rest.join(PATIENCE)
    assert received == size
    assert grown < 16 * MIB
    assert program.ends() == 0


def test_aSlowNetworkHoldsStandardInputBack(programs: Programs) -> None:
    """The same the other way: whoever writes into the pipe has to wait, and nothing is lost."""
    size = 200 * MIB
    with socket.create_server(("127.0.0.1", 0)) as listener:
        read, write = os.pipe()
        with os.fdopen(read, "rb") as reader:
            program = programs.nc(str(listener.getsockname()[1]), stdin=reader)
        peer, _ = listener.accept()
        with peer, os.fdopen(write, "wb", buffering=0) as pipe:
            before = residentMemory(program.process.pid)
            os.set_blocking(pipe.fileno(), False)
            sent = 0
            while True:
                count = pipe.write(bytes(65536))
                if count is None:
                    # Full. If nothing has changed after a while, it is held back.
                    quiet = threading.Event()
                    quiet.wait(0.3)
                    count = pipe.write(bytes(65536))
                    if count is None:
                        break
                sent += count
                assert sent < size // 4, "it swallowed everything"
            os.set_blocking(pipe.fileno(), True)
            rest = threading.Thread(target=writeZeros, args=(pipe, size - sent), daemon=True)
            rest.start()
            received = 0
            while data := peer.recv(MIB):
                received += len(data)
                if received == size:
                    grown = residentMemory(program.process.pid) - before
            rest.join(PATIENCE)
    assert received == size
    assert grown < 16 * MIB
    assert program.ends() == 0


def fillUp(peer: socket.socket) -> int:
    """Send until nobody has taken anything for a while."""
    peer.settimeout(0.5)
    sent = 0
    try:
        while True:
            sent += peer.send(CHUNK)
    except TimeoutError:
        peer.settimeout(None)
        return sent


def sendZeros(peer: socket.socket, count: int) -> None:
    while count:
        count -= peer.send(bytes(min(count, MIB)))
    peer.shutdown(socket.SHUT_WR)


def writeZeros(pipe: IO[bytes], count: int) -> None:
    while count:
        count -= pipe.write(bytes(min(count, MIB)))
    pipe.close()


# UDP

DATAGRAM_LISTENERS = {
    "nc": ["nc.openbsd", "-v", "-u", "-l", "127.0.0.1", "0"],
    "ncat": ["ncat", "-v", "-u", "-l", "127.0.0.1", "0"],
    "socat": ["socat", "-d", "-d", "-", "UDP-LISTEN:0,bind=127.0.0.1"],
    "ours": [*NC, "-u", "-l", "0"],
}
DATAGRAM_CONNECTORS = {
    "nc": ["nc.openbsd", "-u", "127.0.0.1", "PORT"],
    "ncat": ["ncat", "-u", "127.0.0.1", "PORT"],
    "socat": ["socat", "-", "UDP:127.0.0.1:PORT"],
}


@pytest.mark.parametrize("other", DATAGRAM_LISTENERS)
def test_weSendDatagrams(programs: Programs, other: str) -> None:
    listener = programs.start(*found(DATAGRAM_LISTENERS[other]))
    if other == "socat":
        port = udpPortOf(listener)
    else:
        port = listener.port
    us = programs.nc("-u", "127.0.0.1", str(port))
    us.say(b"ping\n")
    listener.saw(b"ping\n")
    listener.say(b"pong\n")
    us.saw(b"pong\n")
    us.end()
    assert us.ends() == 0


@pytest.mark.parametrize("other", DATAGRAM_CONNECTORS)
def test_weWaitForDatagrams(programs: Programs, other: str) -> None:
    us = programs.nc("-u", "-l", "0", "-q", "0")
    them = programs.start(*found(DATAGRAM_CONNECTORS[other], us.port))
    them.say(b"ping\n")
    us.saw(b"ping\n")
    us.say(b"pong\n")
    them.saw(b"pong\n")
    us.end()
    assert us.ends() == 0


def udpPortOf(program: Program) -> int:
    ports: list[int] = []

    def listens() -> bool:
        try:
            ports.append(program._portInKernel())
        except (AssertionError, FileNotFoundError):
            return False
        return True

    eventually(listens, "a UDP socket")
    return ports[0]


def test_nobodyListensForDatagrams(programs: Programs) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    us = programs.nc("-u", "127.0.0.1", str(port), "--send", "hello")
    assert us.ends() == 3
    assert us.err[0].startswith("labnet nc: connection refused")


# UNIX sockets


@pytest.mark.parametrize("other", ["nc", "ncat", "socat", "ours"])
def test_weConnectToAPath(programs: Programs, tmp_path: Path, other: str) -> None:
    path = tmp_path / "socket"
    command = {
        "nc": ["nc.openbsd", "-N", "-l", "-U", str(path)],
        "ncat": ["ncat", "-l", "-U", str(path)],
        "socat": ["socat", "-t", "20", "-", f"UNIX-LISTEN:{path}"],
        "ours": [*NC, "-l", "-U", str(path)],
    }[other]
    listener = programs.start(*found(command))
    eventually(path.exists, "the socket")
    answersAfterTheEnd(listener, programs.nc("-U", str(path)))


@pytest.mark.parametrize("other", ["nc", "ncat", "socat"])
def test_weListenOnAPath(programs: Programs, tmp_path: Path, other: str) -> None:
    """Only for its owner; and it is gone afterwards."""
    path = tmp_path / "socket"
    listener = programs.nc("-l", "-v", f"unix:{path}:mode=600" if other == "nc" else "-U", *(
        [] if other == "nc" else [str(path)]))  # fmt: skip
    listener.told("listening on unix:")
    assert path.stat().st_mode & 0o777 == 0o600
    command = {
        "nc": ["nc.openbsd", "-N", "-U", str(path)],
        "ncat": ["ncat", "-U", str(path)],
        "socat": ["socat", "-t", "20", "-", f"UNIX-CONNECT:{path}"],
    }[other]
    answersAfterTheEnd(programs.start(*found(command)), listener)
    assert not path.exists()


# TLS


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with C{ca.pem}, and with certificates that it signed: C{localhost.pem}, C{other.pem}."""
    directory = tmp_path_factory.mktemp("authority")
    openssl = [need("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
               "-nodes", "-days", "2"]  # fmt: skip
    subprocess.run(
        [*openssl, "-subj", "/CN=a test's own", "-keyout", "ca.key", "-out", "ca.pem"],
        cwd=directory, check=True, capture_output=True,
    )  # fmt: skip
    for name in ("localhost", "other"):
        subprocess.run(
            [*openssl, "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}", "-CA", "ca.pem",
             "-CAkey", "ca.key", "-addext", "basicConstraints=CA:FALSE", "-keyout", f"{name}.key",
             "-out", f"{name}.pem"],
            cwd=directory, check=True, capture_output=True,
        )  # fmt: skip
    return directory


def tlsListener(programs: Programs, other: str, authority: Path, name: str = "localhost") -> Program:
    certificate, key = str(authority / f"{name}.pem"), str(authority / f"{name}.key")
    return programs.start(*found({
        "ncat": ["ncat", "-v", "-l", "--ssl", "--ssl-cert", certificate, "--ssl-key", key,
                 "127.0.0.1", "0"],
        "socat": ["socat", "-d", "-d", "-t", "20", "-",
                  f"OPENSSL-LISTEN:0,bind=127.0.0.1,verify=0,cert={certificate},key={key}"],
        "ours": [*NC, "-l", "--tls", "--cert", certificate, "--key", key, "0"],
    }[other]))  # fmt: skip


@pytest.mark.parametrize("other", ["socat", "ours"])
def test_tlsHasHalves(programs: Programs, authority: Path, other: str) -> None:
    """Who has ended its half with C{close_notify} still gets the answer."""
    listener = tlsListener(programs, other, authority)
    us = programs.nc("--tls", "--cafile", str(authority / "ca.pem"), "localhost", str(listener.port))
    if other == "ours":
        answersAfterTheEnd(us, listener)
    else:
        us.say(b"question\n")
        listener.saw(b"question\n")
        listener.say(b"answer\n")
        us.saw(b"answer\n")
        us.end()
        assert us.ends() == 0


def test_tlsWithNcatListening(programs: Programs, authority: Path) -> None:
    """C{ncat} ends without C{close_notify}: everything arrives, and we say that it may not be all."""
    listener = tlsListener(programs, "ncat", authority)
    us = programs.nc("--tls", "--cafile", str(authority / "ca.pem"), "localhost", str(listener.port))
    us.say(b"question\n")
    listener.saw(b"question\n")
    listener.say(b"answer\n")
    us.saw(b"answer\n")
    listener.end()
    us.end()
    assert us.ends() == 5
    assert "without TLS's close_notify" in us.err[-1]


def test_tlsWithNcatConnecting(programs: Programs, authority: Path) -> None:
    """And C{ncat} accepts our certificate."""
    listener = tlsListener(programs, "ours", authority)
    trusted = ["--ssl-verify", "--ssl-trustfile", str(authority / "ca.pem")]
    them = programs.start(need("ncat"), "--ssl", *trusted, "localhost", str(listener.port))
    them.say(b"question\n")
    listener.saw(b"question\n")
    listener.say(b"answer\n")
    them.saw(b"answer\n")
    listener.end()
    them.end()
    assert them.ends() == 0


def test_aLargeFileOverTLS(programs: Programs, authority: Path, large: Path, tmp_path: Path) -> None:
    arrived = tmp_path / "arrived"
    with large.open("rb") as source, arrived.open("wb") as sink:
        certificate = str(authority / "localhost.pem"), "--key", str(authority / "localhost.key")
        listener = programs.nc("-l", "--tls", "--cert", *certificate, "0", stdin=source)
        port = str(listener.port)
        us = programs.nc(
            "--tls", "--insecure", "localhost", port, stdin=subprocess.DEVNULL, stdout=sink
        )  # fmt: skip
        assert (us.ends(), listener.ends()) == (0, 0), us.err + listener.err
    assert digest(arrived) == digest(large)


@pytest.mark.parametrize(
    ("name", "arguments", "sentence"),
    [
        ("localhost", [], "nobody we trust has signed it"),
        ("other", ["--cafile", "ca.pem"], "the certificate is not made out to 'localhost'"),
    ],
)
def test_whoIsNotWhoItShouldBeIsRefused(
    programs: Programs, authority: Path, name: str, arguments: list[str], sentence: str
) -> None:
    """Nothing is sent to a peer whose certificate nobody has signed, or somebody else's name stands in."""
    listener = tlsListener(programs, "ours", authority, name)
    arguments = [str(authority / word) if word == "ca.pem" else word for word in arguments]
    us = programs.nc("--tls", *arguments, "localhost", str(listener.port), "--send", "a secret")
    assert us.ends() == 9
    assert sentence in us.err[-1]
    listener.end()
    assert listener.ends() == 9 or listener.out == b""
    assert listener.out == b""


def test_insecureIsAskedForByName(programs: Programs) -> None:
    listener = programs.nc("-l", "--tls", "0")
    us = programs.nc("--tls", "--insecure", "127.0.0.1", str(listener.port))
    answersAfterTheEnd(us, listener)


def test_aPeerThatDoesNotSpeakTLS(programs: Programs) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        us = programs.nc("--tls", "--insecure", str(listener.getsockname()[1]), "--send", "x")
        peer, _ = listener.accept()
        with peer:
            peer.sendall(b"HTTP/1.0 200 OK\r\n\r\n")
            assert us.ends() == 9
    assert us.err[-1].startswith("labnet nc: TLS: ")


# How it ends


def reset(peer: socket.socket) -> None:
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


def test_aResetIsNarrated(programs: Programs) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        us = programs.nc("-v", str(listener.getsockname()[1]))
        peer, _ = listener.accept()
        us.say(b"hello")
        assert peer.recv(100) == b"hello"
        reset(peer)
        assert us.ends() == 5
    assert [re.sub(r"^ +\d+\.\d{3} s  |\d{4,}", "", line) for line in us.err] == [
        "connected to tcp:127.0.0.1:, from tcp:127.0.0.1:",
        "the peer lost: the peer reset the connection (RST); 5 bytes sent, 0 bytes received",
        "labnet nc: the peer reset the connection (RST)",
    ]


def test_everythingIsNarrated(programs: Programs) -> None:
    listener = programs.nc("-l", "-v", "0")
    with socket.create_connection(("127.0.0.1", int(listener.told(r"listening on .*:(\d+)")[1]))) as peer:
        peer.sendall(b"one")
        listener.saw(b"one")
        peer.shutdown(socket.SHUT_WR)
        listener.told("the peer ended its half")
        listener.say(b"answer")
        listener.end()
        assert peer.recv(100) == b"answer"
        assert peer.recv(100) == b""
    assert listener.ends() == 0
    assert [re.sub(r"^ +\d+\.\d{3} s  |\d{4,}", "", line) for line in listener.err] == [
        "listening on tcp:127.0.0.1:",
        "the peer has connected, from tcp:127.0.0.1: to tcp:127.0.0.1:",
        "the peer ended its half (FIN) after 3 bytes",
        "we ended our half towards the peer (FIN) after 6 bytes",
        "the peer closed; 6 bytes sent, 3 bytes received",
    ]


def test_nobodyReadsStandardOutput(programs: Programs) -> None:
    """A sentence and a status, and no traceback."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        read, write = os.pipe()
        with os.fdopen(write, "wb") as writer:
            us = programs.nc(str(listener.getsockname()[1]), stdout=writer)
        peer, _ = listener.accept()
        os.close(read)
        with peer:
            peer.sendall(b"hello")
            assert us.ends() == 7, "\n".join(us.err)
    assert us.err == ["labnet nc: broken pipe: the reader has gone"]


def test_nobodyListens(programs: Programs) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        assert programs.nc("-z", port).ends() == 0
    for arguments in (["-z"], []):
        us = programs.nc(*arguments, port)
        assert us.ends() == 3
        assert us.err[0].startswith("labnet nc: connection refused")


def test_nothingMoves(programs: Programs) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        us = programs.nc("-w", "0.2", str(listener.getsockname()[1]))
        assert us.ends() == 4
    assert us.err == ["labnet nc: nothing moved for 0.2 s"]


@pytest.mark.parametrize("signalNumber", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(programs: Programs, signalNumber: int) -> None:
    """In the middle of a conversation; the peer sees its end."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        us = programs.nc(str(listener.getsockname()[1]))
        peer, _ = listener.accept()
        with peer:
            us.say(b"hello")
            assert peer.recv(100) == b"hello"
            us.process.send_signal(signalNumber)
            assert us.ends() == 130
            assert peer.recv(100) == b""
    assert us.err == []


def test_aListenerOutlivesItsClients(programs: Programs) -> None:
    """Also one that resets its connection; what they send is all there, and input goes to all of them."""
    us = programs.nc("-l", "-k", "0")
    port = us.port
    with socket.create_connection(("127.0.0.1", port)) as first:
        first.sendall(b"one\n")
        us.saw(b"one\n")
        first.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    us.told("#1: the peer reset the connection")
    with (
        socket.create_connection(("127.0.0.1", port)) as second,
        socket.create_connection(("127.0.0.1", port)) as third,
    ):
        second.sendall(b"two\n")
        third.sendall(b"three\n")
        us.saw(b"two\n")
        us.saw(b"three\n")
        us.say(b"to all\n")
        assert second.recv(100) == third.recv(100) == b"to all\n"
        us.end()
        assert second.recv(100) == third.recv(100) == b""
    assert us.process.poll() is None
    us.process.send_signal(signal.SIGINT)
    assert us.ends() == 130
    assert sorted(us.out.split()) == [b"one", b"three", b"two"]


# Terminals, pipes and files


@pytest.mark.parametrize("kind", ["pipe", "file", "terminal"])
def test_theEndOfInputIsTheSameEverywhere(programs: Programs, tmp_path: Path, kind: str) -> None:
    """The peer sees all of it and FIN, and answers then; the answer arrives."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        if kind == "file":
            tmp_path.joinpath("input").write_bytes(b"hello\n")
            with tmp_path.joinpath("input").open("rb") as file:
                us = programs.nc(port, stdin=file)
        elif kind == "pipe":
            us = programs.nc(port)
            us.say(b"hello\n")
            us.end()
        else:
            ours, theirs = os.openpty()
            us = programs.nc(port, stdin=theirs)
            os.close(theirs)
            os.write(ours, b"hello\n\x04")
        peer, _ = listener.accept()
        with peer:
            received = b""
            while data := peer.recv(100):
                received += data
            peer.sendall(b"answer\n")
        assert us.ends() == 0
    if kind == "terminal":
        os.close(ours)
    assert received == b"hello\n"
    assert us.out == b"answer\n"


def test_aTerminalIsLeftAsItWas(programs: Programs) -> None:
    """The shell's own descriptors still block, and it is told how to end what the peer has ended."""
    ours, theirs = os.openpty()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        us = programs.nc(str(listener.getsockname()[1]), stdin=theirs, stdout=theirs)
        peer, _ = listener.accept()
        with peer:
            peer.shutdown(socket.SHUT_WR)
            us.told("the peer has ended its half of the connection; Ctrl-D ends yours")
            assert os.get_blocking(theirs)
            os.write(ours, b"\x04")
            assert us.ends() == 0
    assert os.get_blocking(theirs)
    os.close(ours)
    os.close(theirs)


# Pieces


def test_piecesAreCutAndPausedFor(programs: Programs) -> None:
    """Each piece is a segment of its own: a student's recv gets them one by one."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        us = programs.nc(str(listener.getsockname()[1]), "--chop", "4,5", "--pause", "0.1")
        peer, _ = listener.accept()
        us.say(bytes(18))
        us.end()
        pieces = []
        with peer:
            while data := peer.recv(100):
                pieces.append(len(data))
        assert us.ends() == 0
    assert sum(pieces) == 18
    assert len(pieces) >= 3, "they came together"


def test_escapesAndHexadecimal(programs: Programs) -> None:
    """The calculator's request typed by hand, and its reply read."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        us = programs.nc(str(listener.getsockname()[1]), "-e", "-x")
        peer, _ = listener.accept()
        with peer:
            us.say(rb"\x0c\x00\x00\x00\x22\x00\x00\x00+" + b"\n")
            assert peer.recv(100) == struct.pack("<ii1s", 12, 34, b"+")
            peer.sendall(struct.pack("<ii1s", 46, 0, b"R"))
            us.saw(b"|........R|\n")
            us.say(b"wrong \\q\n")
            us.told(r"^labnet nc: not sent: \\q is none of|^not sent: \\q is none of")
            us.end()
        assert us.ends() == 2
    assert b'> 00000000  0c 00 00 00 22 00 00 00  2b                       |...."...+|\n' in us.out
    assert b"< 00000000  2e 00 00 00 00 00 00 00  52                       |........R|\n" in us.out


# Programs of the course

STUDENTS_SERVER = """
import socket, sys
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen()
print("listening on port", s.getsockname()[1], file=sys.stderr, flush=True)
c, a = s.accept()
data = c.recv(1024)
c.sendall(b"Echo: " + data)
c.close()
"""

STUDENTS_CLIENT = """
import socket, sys
s = socket.socket(); s.connect(("127.0.0.1", int(sys.argv[1])))
s.sendall(b"Hello, server!")
print(s.recv(1024).decode())
s.close()
"""


def test_aStudentsServer(programs: Programs) -> None:
    server = programs.start(sys.executable, "-c", STUDENTS_SERVER)
    us = programs.nc(str(server.port), "--send", "hi")
    assert us.ends() == 0
    assert us.out == b"Echo: hi"


def test_aStudentsClient(programs: Programs) -> None:
    us = programs.nc("-l", "0", "--send", "Hello, client!")
    done = student(STUDENTS_CLIENT, str(us.port))
    assert done.stdout == "Hello, client!\n"
    assert us.ends() == 0
    assert us.out == b"Hello, server!"


# Under twistd


def test_bothPlugins(programs: Programs, tmp_path: Path) -> None:
    """The listening side with its common options, and the connecting side as a plugin."""
    with Twistd(tmp_path, "labnet-netcat", "--listen", "tcp:0", "--send", "hello") as server:
        client = programs.start(
            str(BIN / "twistd"), "-n", "--pidfile=", "--logfile", str(tmp_path / "log"),
            "labnet-netcat-client", "127.0.0.1", str(server.port("netcat")), stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert client.ends() == 0
        assert client.out == b"hello"
        assert server.wait() == 0


@pytest.mark.parametrize(
    ("plugin", "arguments", "sentence"),
    [
        ("labnet-netcat", ["--listen", "udp:0", "--tls"], "--tls does not go with udp:"),
        ("labnet-netcat-client", ["1", "2", "3"], "'1 2 3': at most HOST and PORT"),
    ],
)
def test_aMistakenOptionUnderTwistd(
    tmp_path: Path, plugin: str, arguments: list[str], sentence: str
) -> None:
    with Twistd(tmp_path, plugin, *arguments) as running:
        assert running.wait() == 1
    assert running.text == f"{plugin}: {sentence}"
