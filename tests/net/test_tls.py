"""
TLS without sockets: two of ours joined by hand, in any pieces.
"""

from __future__ import annotations

import functools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from OpenSSL import SSL

from labnet.net.secure import Trust, serverStreams
from labnet.net.tls import Ended, Failed, Handshaken, Received, TLSEvent, TLSStream
from labnet.testing import inPieces


@functools.cache
def streams() -> tuple[object, object]:
    return Trust(insecure=True).streams("localhost"), serverStreams()[0]


class Side:
    """A stream, and what has come of it."""

    def __init__(self, stream: TLSStream) -> None:
        self.stream = stream
        self.events: list[TLSEvent] = stream.start()

    @property
    def data(self) -> bytes:
        return b"".join(event.data for event in self.events if isinstance(event, Received))

    @property
    def others(self) -> list[TLSEvent]:
        return [event for event in self.events if not isinstance(event, Received)]


def joined() -> tuple[Side, Side]:
    client, server = streams()
    return Side(client()), Side(server())  # type: ignore[operator]


def carry(one: Side, other: Side, size: int = 1 << 20) -> None:
    """Carry what each says to the other, in pieces of that size, until both are silent."""
    while True:
        there, back = one.stream.output(), other.stream.output()
        if not there and not back:
            return
        for data, to in ((there, other), (back, one)):
            for piece in inPieces(data, size):
                to.events += to.stream.received(piece)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 700), st.binary(max_size=2000), st.binary(max_size=2000))
def test_theSameInAnyPieces(size: int, question: bytes, answer: bytes) -> None:
    client, server = joined()
    carry(client, server, size)
    assert [type(side.others[0]) for side in (client, server)] == [Handshaken, Handshaken]
    client.stream.write(question)
    server.stream.write(answer)
    carry(client, server, size)
    assert (server.data, client.data) == (question, answer)


def test_halves() -> None:
    """The client ends its half; the server's goes on, and ends later. Both know that it is all."""
    client, server = joined()
    carry(client, server)
    client.stream.write(b"question")
    client.stream.end()
    carry(client, server)
    assert server.data == b"question"
    assert server.others[1:] == [Ended()]
    assert client.others[1:] == []
    server.stream.write(b"answer" * 100_000)
    server.stream.end()
    carry(client, server)
    assert client.data == b"answer" * 100_000
    assert client.others[1:] == [Ended()]
    assert client.stream.inputEnded() == server.stream.inputEnded() == []


def test_nothingIsSentAfterTheEnd() -> None:
    client, server = joined()
    carry(client, server)
    client.stream.end()
    client.stream.output()
    client.stream.write(b"late")
    client.stream.end()
    assert client.stream.output() == b""


def test_aCutIsNoticed() -> None:
    client, server = joined()
    carry(client, server)
    server.stream.write(b"half an ans")
    carry(client, server)
    assert client.stream.inputEnded() == [Ended(cut=True)]
    client.stream.write(b"still")
    carry(client, server)
    assert server.data == b"still"


def test_aPeerThatLeavesDuringTheHandshake() -> None:
    client, _ = joined()
    assert client.stream.inputEnded() == [Failed("the peer left during the TLS handshake")]
    assert client.stream.received(b"late") == []


@pytest.mark.parametrize("size", [1, 3, 100])
def test_whatIsNoTLS(size: int) -> None:
    """It fails once, and nothing escapes."""
    for side in joined():
        side.stream.output()
        data = b"GET / HTTP/1.0\r\n\r\n"
        for piece in inPieces(data, size):
            side.events += side.stream.received(piece)
        (failed,) = side.others
        assert isinstance(failed, Failed)
        assert failed.sentence.startswith("TLS: ")


def test_aForgedRecord() -> None:
    client, server = joined()
    carry(client, server)
    client.stream.write(b"x" * 100)
    record = bytearray(client.stream.output())
    record[-1] ^= 1
    (failed,) = server.stream.received(bytes(record))
    assert isinstance(failed, Failed)
    server.stream.write(b"into the void")
    server.stream.end()
    assert server.stream.inputEnded() == []


def test_whatWasWholeComesBeforeTheForgery() -> None:
    client, server = joined()
    carry(client, server)
    client.stream.write(b"whole")
    good = client.stream.output()
    received, failed = server.stream.received(good + b"\x17\x03\x03\x00\x20" + bytes(32))
    assert received == Received(b"whole")
    assert isinstance(failed, Failed)


def test_oldVersionsAreRefused() -> None:
    """Nobody can talk us into TLS 1.1."""
    _, server = joined()
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_options(SSL.OP_NO_TLSv1_2 | SSL.OP_NO_TLSv1_3)
    context.set_cipher_list(b"ALL:@SECLEVEL=0")
    connection = SSL.Connection(context, None)
    connection.set_connect_state()
    client = Side(TLSStream(connection))
    carry(client, server)
    assert isinstance(server.others[0], Failed)
    assert isinstance(client.others[0], Failed)


def test_thePeerIsCheckedBeforeAnythingIsSaid() -> None:
    client, server = joined()

    def refuse(connection: SSL.Connection) -> None:
        raise ValueError("not you")

    client.stream._check = refuse
    carry(client, server)
    assert client.others == [Failed("not you")]
    client.stream.write(b"a secret")
    carry(client, server)
    assert server.data == b""
