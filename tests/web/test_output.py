"""
Where the web client's answers go: standard output, held back when nobody reads it, and files.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from labnet.files.saving import Saving
from labnet.net.console import legible
from labnet.proxy.wire import Fields, ResponseHead, Version
from labnet.testing import RecordingProducer, SlowTransport, doneReason, hangUp, inPieces
from labnet.web.output import Destination, Legible, StandardOutput

RAW = b"HTTP/1.1 200 OK\r\n\r\n"


def answered(status: int) -> ResponseHead:
    return ResponseHead(status, b"", Version.HTTP11, Fields())


def standardOutput() -> tuple[StandardOutput, SlowTransport]:
    output, transport = StandardOutput(), SlowTransport()
    output.makeConnection(transport)
    return output, transport


def test_whoWritesTooMuchIsHeldBack() -> None:
    output, transport = standardOutput()
    flow = RecordingProducer()
    output.attach(flow)
    output.write(bytes(SlowTransport.BUFFER + 1))
    assert flow.calls == ["pause"]
    transport.read()
    assert flow.calls == ["pause", "resume"]
    output.detach()
    output.write(bytes(SlowTransport.BUFFER + 1))
    assert flow.calls == ["pause", "resume"]
    late = RecordingProducer()
    output.attach(late)
    assert late.calls == ["pause"]


def test_itIsClosedWhenEverythingIsWritten() -> None:
    output, transport = standardOutput()
    output.write(b"x")
    closed = Deferred.fromCoroutine(output.close())
    assert not closed.called
    hangUp(output)
    assert closed.called
    assert transport.value() == b"x"


def test_whenNobodyReadsTheFlowIsStopped() -> None:
    output, _ = standardOutput()
    flow = RecordingProducer()
    output.attach(flow)
    output.writeConnectionLost()
    output.connectionLost(doneReason())
    assert flow.calls == ["stop"]
    output.write(b"lost")
    closed = Deferred.fromCoroutine(output.close())
    failures: list[Failure] = []
    closed.addErrback(failures.append)
    assert failures[0].check(BrokenPipeError)
    late = RecordingProducer()
    output.attach(late)
    assert late.calls == ["stop"]


def test_aBodyAndItsHead() -> None:
    output, transport = standardOutput()
    reached: list[tuple[int, int | None]] = []
    destination = Destination(output, heads=True, reached=lambda *how: reached.append(how))
    destination.began(answered(200), RAW, 4)
    destination.write(b"\x1bbo")
    destination.write(b"dy")
    destination.end()
    assert transport.value() == RAW + b"\x1bbody"
    assert reached == [(3, 4), (5, 4)]


def test_onATerminalItIsHarmless() -> None:
    output, transport = standardOutput()
    destination = Destination(output, harmless=True)
    destination.began(answered(200), RAW, None)
    destination.write(b"\x1b[2J\xc3")
    destination.write(b"\xa9")
    destination.end()
    assert transport.value() == "\\x1b[2Jé\n".encode()


@pytest.mark.parametrize(("status", "written"), [(200, b"body"), (399, b"body"), (400, b""), (500, b"")])
def test_whatWentWrongIsNotWrittenIfItIsAnError(status: int, written: bytes) -> None:
    output, transport = standardOutput()
    destination = Destination(output, fail=True)
    destination.began(answered(status), RAW, None)
    destination.write(b"body")
    destination.end()
    assert transport.value() == written


def test_toAFile(tmp_path: Path) -> None:
    """The head that was asked for still goes to standard output."""
    output, transport = standardOutput()
    saving = Saving(str(tmp_path / "page"), resume=False)
    destination = Destination(output, saving, heads=True)
    destination.began(answered(200), RAW, None)
    destination.write(b"\x1bbody")
    destination.end()
    saving.finish()
    assert transport.value() == RAW
    assert (tmp_path / "page").read_bytes() == b"\x1bbody"


def test_nowhere() -> None:
    output, transport = standardOutput()
    destination = Destination(output, bodies=False)
    destination.began(answered(200), RAW, None)
    destination.write(b"body")
    destination.end()
    assert not transport.value()


PARTS = st.sampled_from(
    [b"a", b"\n", b"\r", b"\r\n", "é€𝄞".encode(), b"\x1b", b"\xff", b"\xe2", b"\xf0\x9d"]
)


@given(st.lists(PARTS, max_size=12).map(b"".join), st.integers(1, 5))
def test_piecesMakeNoDifferenceToWhatIsLegible(data: bytes, size: int) -> None:
    """And nothing of it does anything to a terminal."""
    stream = Legible()
    shown = b"".join(stream.feed(piece) for piece in inPieces(data, size)) + stream.end()
    whole = legible(data)
    assert shown.decode() == whole + ("" if not whole or whole.endswith("\n") else "\n")
    assert all(character.isprintable() or character in "\n\t" for character in shown.decode())
