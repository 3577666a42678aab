"""
Getting a file for Wireshark: the options, what a dashboard says, and the file of a trace.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.python.usage import UsageError

from labnet.export.client import Wanted, convert, fetch
from labnet.export.clienttap import Options
from labnet.net.outcome import ClientError, ExitStatus
from labnet.net.redaction import Redaction
from labnet.net.trace import Bounds, Happening, Trace
from labnet.net.tracefile import EventLines
from labnet.testing import SlowTransport, doneReason
from labnet.web.client import Collected
from labnet.web.requests import Manner
from labnet.web.target import parseURL
from tests.captures import read

DASHBOARD = "http://127.0.0.1:9080/?token=a-token_1.~"


def parsed(*arguments: str) -> Options:
    options = Options()
    options.parseOptions(arguments)
    return options


# The command line


def test_aDashboard() -> None:
    options = parsed(
        "lab.pcapng", "--dashboard", DASHBOARD, "--service", "echo/raw", "-n", "3", "-p", "::1"
    )
    options.agree()
    assert (options.file, str(options.dashboard)) == ("lab.pcapng", DASHBOARD)
    assert options.token == "a-token_1.~"
    assert options.wanted == Wanted("echo/raw", "::1", 3)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["a", "b"], "one file at a time"),
        (["--dashboard", DASHBOARD, "--trace", "x"], "--dashboard and --trace: use one of them"),
        (["--dashboard", "http://127.0.0.1:9080/"], "--dashboard: the URL has no token; copy all of it"),
        (["--dashboard", "http://127.0.0.1:9080/?token=%00"], "the URL has no token"),
        (["--dashboard", "ftp://x/?token=a"], "--dashboard: the scheme ftp is neither http nor https"),
        (["--peer", "nobody"], "--peer: 'nobody' is not of the form ADDRESS"),
        (["--last", "-1"], "--last: '-1' is not a whole number at least 0"),
        (["--cafile", "/nowhere"], "--cafile: "),
    ],
)
def test_mistakes(arguments: list[str], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        parsed(*arguments)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "no file is named; - is standard output"),
        (
            ["lab.pcapng"],
            "from where\\? --dashboard URL, as the lab prints it when it starts, or --trace FILE",
        ),
    ],
)
def test_whatMustBeSaid(arguments: list[str], sentence: str) -> None:
    with pytest.raises(ClientError, match=sentence) as raised:
        parsed(*arguments).agree()
    assert raised.value.status is ExitStatus.USAGE


# From a dashboard


def fetched(answer: bytes, wanted: Wanted = Wanted()) -> tuple[bytes, bytes, Failure | None]:
    """What was asked, what came, and what went wrong."""
    reactor, sink = MemoryReactorClock(), Collected()
    results: list[Failure | None] = []
    fetching = Deferred.fromCoroutine(
        fetch(reactor, parseURL(DASHBOARD), "a-token", wanted, sink, Manner(maxSize=0))
    )
    fetching.addBoth(results.append)
    ((host, port, factory, *_),) = reactor.tcpClients
    assert (host, port) == ("127.0.0.1", 9080)
    protocol, transport = factory.buildProtocol(None), SlowTransport()
    protocol.makeConnection(transport)
    exchange = factory._wrappedFactory._make()
    transport.read()
    asked = transport.read()
    exchange.dataReceived(answer)
    exchange.connectionLost(doneReason())
    (result,) = results
    return asked, sink.body, result


FILE = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-pcapng\r\nTransfer-Encoding: chunked\r\n\r\n"


def test_whatIsAskedFor() -> None:
    """The token goes in a field, where no log writes it down."""
    asked, body, problem = fetched(
        FILE + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", Wanted("echo/raw", "[::1]:7", 3)
    )
    assert asked.startswith(
        b"GET /export.pcapng?service=echo%2Fraw&peer=%5B%3A%3A1%5D%3A7&last=3 HTTP/1.1\r\n"
    )
    assert b"\r\nAuthorization: Bearer a-token\r\n" in asked
    assert (body, problem) == (b"abcde", None)
    assert fetched(FILE + b"0\r\n\r\n")[0].startswith(b"GET /export.pcapng HTTP/1.1\r\n")


def json(status: int, error: str) -> bytes:
    body = f'{{"error":"{error}"}}'.encode()
    head = f"HTTP/1.1 {status} No\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


@pytest.mark.parametrize(
    ("answer", "sentence", "status"),
    [
        (json(401, "The token is missing."), "the dashboard answered 401: The token is missing", 2),
        (json(404, "None.\\u001b[31m\\n"), "the dashboard answered 404: None.\\x1b[31m", 1),
        (json(200, "x").replace(b"error", b"wrong"), "that is no dashboard of labnet's", 9),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "that is no dashboard of labnet's", 9),
        (b"HTTP/1.1 404 No\r\nContent-Length: 9999\r\n\r\n" + b"[" * 9999, "that is no dashboard", 9),
    ],
)
def test_whatIsNoFile(answer: bytes, sentence: str, status: int) -> None:
    """It goes nowhere, and why not is said."""
    _, body, problem = fetched(answer)
    assert body == b""
    assert problem is not None
    assert isinstance(problem.value, ClientError)
    assert str(problem.value).startswith(sentence)
    assert problem.value.status == status


def test_aFileThatIsCut() -> None:
    _, _, problem = fetched(FILE + b"5\r\nabc")
    assert problem is not None
    assert isinstance(problem.value, ClientError)


# From the file of a trace


def trace(path: Path, pieces: int = 2, size: int = 10) -> Path:
    """A file with two conversations."""
    trace, lines = Trace(Bounds(), Redaction()), EventLines()
    with path.open("w") as file:
        trace.subscribe(lambda one, event: file.writelines(f"{row}\n" for row in lines.lines(one, event)))
        for port in (50_000, 50_001):
            one = trace.begin("echo", "raw", "tcp", ("127.0.0.1", 7007), ("127.0.0.1", port), 1e9 + port)
            for _ in range(pieces):
                trace.add(one, Happening.RECEIVED, 1e9 + port, b"x" * size)
    return path


class Converting:
    """A file that is being made, and who reads it."""

    def __init__(self, path: Path, wanted: Wanted = Wanted()) -> None:
        self.clock = Clock()
        self.written = b""
        self.results: list[object] = []
        self.flow: IPushProducer | None = None
        self.fullAt = 0
        making = convert(self.clock, str(path), wanted, self._take, self._attach)
        self.converting = Deferred.fromCoroutine(making)
        self.converting.addBoth(self.results.append)

    def _attach(self, flow: IPushProducer) -> None:
        self.flow = flow

    def _take(self, data: bytes) -> None:
        self.written += data
        if self.fullAt and len(self.written) > self.fullAt:
            assert self.flow is not None
            self.flow.pauseProducing()

    def turns(self, count: int = 100) -> None:
        for _ in range(count):
            self.clock.advance(0)


def test_aTracesFile(tmp_path: Path) -> None:
    converting = Converting(trace(tmp_path / "t.jsonl"), Wanted(peer="127.0.0.1:50001"))
    converting.turns()
    assert converting.results == [None]
    packets = read(converting.written)
    assert sum(len(packet.data) for packet in packets) == 20
    assert all("#2" in packet.comments[0] for packet in packets)


def test_asFastAsItIsTaken(tmp_path: Path) -> None:
    """A piece a turn, none while the reader is held back, and all in the end."""
    converting = Converting(trace(tmp_path / "t.jsonl", 40, 5_000))
    converting.fullAt = 60_000
    converting.turns()
    assert 60_000 < len(converting.written) < 150_000
    assert converting.results == []
    assert converting.flow is not None
    converting.fullAt = 0
    converting.flow.resumeProducing()
    converting.turns()
    assert converting.results == [None]
    assert sum(len(packet.data) for packet in read(converting.written)) == 400_000


@pytest.mark.parametrize("how", ["gone", "interrupted"])
def test_nobodyReadsAnyMore(tmp_path: Path, how: str) -> None:
    converting = Converting(trace(tmp_path / "t.jsonl", 40, 5_000))
    converting.fullAt = 1
    converting.turns()
    assert converting.flow is not None
    assert converting.results == []
    if how == "gone":
        converting.flow.stopProducing()
    else:
        converting.converting.cancel()
    (failure,) = converting.results
    assert isinstance(failure, Failure)
    assert failure.check(BrokenPipeError if how == "gone" else CancelledError)
    assert converting.clock.getDelayedCalls() == []


@pytest.mark.parametrize(
    ("content", "wanted", "sentence", "status"),
    [
        (None, Wanted(), "t.jsonl: No such file or directory", ExitStatus.USAGE),
        (b"\xff\n{}\n", Wanted(), "t.jsonl: line 1 is no event of a trace", ExitStatus.USAGE),
        (b"", Wanted(), "t.jsonl: there is no event of a trace in it", ExitStatus.USAGE),
        (b"good", Wanted("chat"), "t.jsonl has no such conversations", ExitStatus.ANSWERED_ERROR),
    ],
)
def test_whatCanNotBeConverted(
    tmp_path: Path, content: bytes | None, wanted: Wanted, sentence: str, status: ExitStatus
) -> None:
    path = tmp_path / "t.jsonl"
    if content == b"good":
        trace(path)
    elif content is not None:
        path.write_bytes(content)
    (failure,) = Converting(path, wanted).results
    assert isinstance(failure, Failure)
    assert isinstance(failure.value, ClientError)
    assert sentence in str(failure.value)
    assert failure.value.status is status
