"""
The relay's contract: C{requests} takes the calculator's requests from TCP and sends each as a datagram,
C{stream} joins two streams, C{datagrams} two datagram sockets. The examiner is on both sides of it.

The bytes are those of C{docs/protocols/relay.md}, the requests those of the profile C{struct9}.
A relay has no clients of its own: they are those of the service behind it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from labnet.calculator.arithmetic import Calculation
from labnet.calculator.wire import DEFAULT_PROFILE as PROFILE
from labnet.check.connection import NO_SIGNS, Connection
from labnet.check.datagrams import Address, Datagrams
from labnet.check.evidence import Failed, Kind, Signs
from labnet.check.mistakes import Mistake
from labnet.check.scenario import Contract, Topic
from labnet.check.server import Server

CONTRACT = Contract(
    "relay",
    ("requests", "stream", "datagrams"),
    origins={"requests": "udp", "stream": "tcp", "datagrams": "udp"},
)

REQUESTS, STREAM, DATAGRAMS = ("requests",), ("stream",), ("datagrams",)
STREAMS = ("requests", "stream")
UDP = ("udp",)


# From TCP to UDP


def asked(server: Server, count: int = 1) -> list[tuple[bytes, bytes]]:
    """Some requests, all different, and their replies."""
    numbers = server.random.sample(range(300, 30_000), count)
    calculations = [Calculation(number, "+", 7) for number in numbers]
    encode, division = PROFILE.requests.encode, PROFILE.division
    return [(encode(one), PROFILE.answer(one, division)) for one in calculations]


async def _arrives(server: Server, request: bytes, mistake: Mistake | None = None) -> Address:
    """The request comes to the other side in one datagram; returned is who sent it."""
    signs = {} if mistake is None else dict.fromkeys((Kind.SILENCE, Kind.OTHER, Kind.EXTRA), mistake)
    try:
        return await server.origin.datagrams.expectFrom(request)
    except Failed as failed:
        failed.mistake = signs.get(failed.kind)
        raise


async def _exchange(server: Server, connection: Connection, mistake: Mistake | None = None) -> None:
    """A request goes through, and its reply comes back."""
    ((request, reply),) = asked(server)
    await connection.send(request)
    sender = await _arrives(server, request, mistake)
    server.origin.datagrams.send(reply, sender)
    signs = {} if mistake is None else dict.fromkeys(Kind, mistake)
    await connection.expect(reply, words="the reply, as it came from the server", signs=signs)


async def _behind(
    server: Server, connection: Connection, message: bytes, signs: Signs = NO_SIGNS
) -> Connection:
    """What a client says arrives; the connections of those who left before have no word in them."""
    await connection.send(message)
    behind = await server.origin.connects(holding=message, signs=signs)
    await behind.expect(message, signs=signs)
    return behind


async def _stillRelays(server: Server, mistake: Mistake) -> None:
    """Another client is served, in each of the variants that begin with a stream."""
    signs = dict.fromkeys((Kind.REFUSED, Kind.SILENCE, Kind.ENDED, Kind.RESET), mistake)
    connection = await server.connect(signs=signs, words="that another client is still served")
    if server.variant == "requests":
        await _exchange(server, connection, mistake)
    else:
        behind = await _behind(server, connection, b"another client", signs)
        await behind.send(b"is answered")
        await connection.expect(b"is answered", signs=signs)
    connection.close()


@CONTRACT.server("one request", Topic.PLAIN, Mistake.FORMAT, variants=REQUESTS, basis=True)
async def oneRequest(server: Server) -> None:
    """Nine bytes come over TCP, leave as one datagram, and the reply's nine bytes go back."""
    await _exchange(server, await server.connect())


@CONTRACT.server("several on one connection", Topic.PLAIN, Mistake.ONE_REQUEST, variants=REQUESTS)
async def severalOnOneConnection(server: Server) -> None:
    """A client may ask as often as it likes before it leaves."""
    connection = await server.connect()
    for _ in range(5):
        await _exchange(server, connection)


@CONTRACT.server("one byte at a time", Topic.SEGMENTATION, Mistake.SHORT_RECV, variants=REQUESTS)
async def byteByByte(server: Server) -> None:
    """TCP keeps no boundaries, UDP does: whatever the pieces, each request leaves as one datagram."""
    ((request, reply),) = asked(server)
    connection = await server.connect()
    await connection.send(request, pieces=1)
    server.origin.datagrams.send(reply, await _arrives(server, request))
    await connection.expect(reply)


@CONTRACT.server("cut at every place", Topic.SEGMENTATION, Mistake.SHORT_RECV, variants=REQUESTS)
async def cutEverywhere(server: Server) -> None:
    """A request in two pieces, cut once at each place."""
    connection = await server.connect()
    for place in range(1, 9):
        ((request, reply),) = asked(server)
        await connection.send(request, cuts=[place])
        server.origin.datagrams.send(reply, await _arrives(server, request))
        await connection.expect(reply, words=f"the reply to a request that was cut behind byte {place}")


@CONTRACT.server("two in one piece", Topic.SEGMENTATION, Mistake.ONE_RECV, variants=REQUESTS)
async def twoInOnePiece(server: Server) -> None:
    """Two requests in one piece are two datagrams, and their replies come in the same order."""
    questions = asked(server, 2)
    connection = await server.connect()
    await connection.send(*(request for request, _ in questions))
    for request, reply in questions:
        server.origin.datagrams.send(reply, await _arrives(server, request))
        await connection.expect(reply)


@CONTRACT.server("a lost datagram", Topic.SLOW, Mistake.NO_TIMEOUT, variants=REQUESTS)
async def lostDatagram(server: Server) -> None:
    """The reply never comes. The request is sent again after a while, or the client is told of an error."""
    ((request, reply),) = asked(server)
    connection = await server.connect()
    await connection.send(request)
    await _arrives(server, request)
    try:
        datagram, sender = await server.origin.datagrams.receive(asleep=False)
    except Failed:
        if await connection.more(patient=True) or connection.ended is not None:
            return
        raise server.fail("the request once more, or an error", "nothing", Mistake.NO_TIMEOUT) from None
    if datagram != request:
        raise server.fail("the same request once more", f"a datagram of {len(datagram)} bytes")
    server.origin.datagrams.send(reply, sender)
    await connection.expect(reply)


@CONTRACT.server("a reply from a stranger", Topic.INPUT, Mistake.ANY_SENDER, variants=REQUESTS)
async def replyFromStranger(server: Server) -> None:
    """Somebody else sends a forged reply first. The client gets the one of the server that was asked."""
    ((request, reply), (_, forged)) = asked(server, 2)
    connection = await server.connect()
    await connection.send(request)
    sender = await _arrives(server, request)
    server.origin.stranger().send(forged, sender)
    server.origin.datagrams.send(reply, sender)
    await connection.expect(reply, words="the reply of the server")


@CONTRACT.server("a long reply", Topic.LIMITS, Mistake.FIXED_BUFFER, variants=REQUESTS)
async def longReply(server: Server) -> None:
    """The reply's bytes go back as they are, whatever they are: here 1400 of them."""
    ((request, _),) = asked(server)
    connection = await server.connect()
    await connection.send(request)
    reply = server.random.randbytes(1_400)
    server.origin.datagrams.send(reply, await _arrives(server, request))
    await connection.expect(reply)


@CONTRACT.server("half-closed behind the request", Topic.HALF_CLOSE, Mistake.HALF_CLOSE, variants=REQUESTS)
async def requestAndEnd(server: Server) -> None:
    """A client that has asked everything still gets the reply, and then the end."""
    ((request, reply),) = asked(server)
    connection = await server.connect()
    await connection.send(request)
    connection.halfClose()
    sender = await _arrives(server, request)
    server.origin.datagrams.send(reply, sender)
    await connection.expect(reply)
    await connection.expectEnd(signs={Kind.STAYED: Mistake.IGNORES_END})


@CONTRACT.server(
    "the end in the middle of a request", Topic.HALF_CLOSE, Mistake.CUT_KILLS, variants=REQUESTS
)
async def endInTheMiddle(server: Server) -> None:
    """A client leaves after half a request: no datagram of it, and the relay goes on."""
    connection = await server.connect()
    await connection.send(asked(server)[0][0][:4])
    await connection.wasRead()
    connection.close()
    await _stillRelays(server, Mistake.CUT_KILLS)


@CONTRACT.server("gone before the reply", Topic.RESET, Mistake.RESET_KILLS, variants=REQUESTS)
async def goneBeforeTheReply(server: Server) -> None:
    """Clients break off while the server works on their requests; then the replies come."""
    for request, reply in asked(server, 3):
        connection = await server.connect()
        await connection.send(request)
        sender = await _arrives(server, request)
        connection.reset()
        server.origin.datagrams.send(reply, sender)
    await _stillRelays(server, Mistake.RESET_KILLS)


@CONTRACT.server("ten ask at once", Topic.MANY, Mistake.SHARED_STATE, variants=REQUESTS)
async def tenAskAtOnce(server: Server) -> None:
    """Ten clients ask, then the server replies, to the last one first. Each gets the reply to its own."""
    questions = asked(server, 10)
    connections = [await server.connect() for _ in questions]
    senders = []
    for connection, (request, _) in zip(connections, questions, strict=True):
        await connection.send(request)
        senders.append(await _arrives(server, request, Mistake.ONE_CLIENT))
    for sender, (_, reply) in reversed(list(zip(senders, questions, strict=True))):
        server.origin.datagrams.send(reply, sender)
    for connection, (_, reply) in zip(connections, questions, strict=True):
        await connection.expect(reply, words="the reply to its own request")


# From TCP to TCP


@CONTRACT.server("one message each way", Topic.PLAIN, Mistake.FORMAT, variants=STREAM, basis=True)
async def oneMessageEachWay(server: Server) -> None:
    """A client connects and says something, the relay connects to the server, which answers."""
    connection = await server.connect()
    await connection.send(b"hello there")
    behind = await server.origin.connects()
    await behind.expect(b"hello there", words="what the client said")
    await behind.send(b"hello yourself")
    await connection.expect(b"hello yourself", words="what the server answered")


async def _joined(server: Server) -> tuple[Connection, Connection]:
    """A client, and its connection on the other side."""
    connection = await server.connect()
    return connection, await _behind(server, connection, b".")


@CONTRACT.server("the server speaks first", Topic.PLAIN, Mistake.WAITS_FOR_WORD, variants=STREAM)
async def serverSpeaksFirst(server: Server) -> None:
    """Of many protocols the server says the first word. The client waits for it, and says nothing."""
    connection = await server.connect()
    behind = await server.origin.connects(signs={Kind.SILENCE: Mistake.WAITS_FOR_WORD})
    await behind.send(b"welcome")
    await connection.expect(b"welcome")


@CONTRACT.server("one says more than the other", Topic.PLAIN, Mistake.LOCKSTEP, variants=STREAM)
async def oneSaysMore(server: Server) -> None:
    """The client says five things without an answer, then the server says five without a question."""
    connection, behind = await _joined(server)
    for one, other in ((connection, behind), (behind, connection)):
        for number in range(5):
            await one.send(b"number %d" % number)
            await other.expect(b"number %d" % number)


@CONTRACT.server("bytes that are no text", Topic.PLAIN, Mistake.ALTERED, variants=STREAM)
async def everyByte(server: Server) -> None:
    """Each byte from 0 to 255 arrives, both ways: a relay does not ask what they mean."""
    connection, behind = await _joined(server)
    for one, other in ((connection, behind), (behind, connection)):
        await one.send(bytes(range(256)))
        await other.expect(bytes(range(256)))


@CONTRACT.server("much, to one who reads late", Topic.SLOW, Mistake.SEND_PART, variants=STREAM)
async def lateReader(server: Server) -> None:
    """Three million bytes each way; the other side does not read for a while. Nothing is lost."""
    connection, behind = await _joined(server)
    data = b"abcdefghij" * 300_000
    for one, other in ((connection, behind), (behind, connection)):
        other.stopReading()
        await one.send(data)
        await one.isFull()
        other.startReading()
        await other.expect(data, words="3000000 bytes")


@CONTRACT.server("the client has said everything", Topic.HALF_CLOSE, Mistake.HALF_CLOSE, variants=STREAM)
async def clientEnds(server: Server) -> None:
    """The client ends what it sends; the server hears the end, answers, and ends as well."""
    await _endsFirst(*await _joined(server))


@CONTRACT.server("the server has said everything", Topic.HALF_CLOSE, Mistake.HALF_CLOSE, variants=STREAM)
async def serverEnds(server: Server) -> None:
    """The server ends what it sends; the client hears the end, and may still send something."""
    connection, behind = await _joined(server)
    await _endsFirst(behind, connection)


async def _endsFirst(one: Connection, other: Connection) -> None:
    await one.send(b"that was all")
    one.halfClose()
    await other.expect(b"that was all")
    await other.expectEnd(words="the end, passed on", signs={Kind.STAYED: Mistake.IGNORES_END})
    await other.send(b"and this is the answer")
    other.halfClose()
    await one.expect(b"and this is the answer")
    await one.expectEnd(words="the end, passed on", signs={Kind.STAYED: Mistake.NO_CLOSE})


@CONTRACT.server("broken off on one side", Topic.RESET, Mistake.NO_CLOSE, variants=STREAM)
async def brokenOff(server: Server) -> None:
    """One side is gone: the relay ends the connection on the other, and goes on with the others."""
    for clients in (True, False):
        connection, behind = await _joined(server)
        one, other = (connection, behind) if clients else (behind, connection)
        one.reset()
        await other.more()
        if other.ended is None:
            raise server.fail("the end on the other side", "it stays open", Mistake.NO_CLOSE)
        other.close()
    await _stillRelays(server, Mistake.RESET_KILLS)


@CONTRACT.server("nobody behind it", Topic.RESET, Mistake.NO_CLOSE, variants=STREAM)
async def nobodyBehind(server: Server) -> None:
    """The server can not be reached. The client's connection is ended: nobody will answer there."""
    await server.origin.leave()
    connection = await server.connect()
    await connection.send(b"hello there")
    await connection.more(patient=True)
    if connection.ended is None:
        raise server.fail("the end of the client's connection", "it stays open", Mistake.NO_CLOSE)


@CONTRACT.server("ten at once", Topic.MANY, Mistake.SHARED_STATE, variants=STREAM)
async def tenAtOnce(server: Server) -> None:
    """Ten clients talk in turns. Each has a connection of its own on the other side."""
    pairs = [await _joined(server) for _ in range(10)]
    for number, (connection, behind) in enumerate(pairs):
        await connection.send(b"client %d" % number)
        await behind.send(b"server %d" % number)
    for number, (connection, behind) in enumerate(pairs):
        await behind.expect(b"client %d" % number)
        await connection.expect(b"server %d" % number)


# Both of them


@CONTRACT.server("broken off at once", Topic.RESET, Mistake.RESET_KILLS, variants=STREAMS)
async def brokenOffAtOnce(server: Server) -> None:
    """Clients come, and break off before they have said a word."""
    for _ in range(5):
        (await server.connect()).reset()
    await _stillRelays(server, Mistake.RESET_KILLS)


@CONTRACT.server("one stalls, another works", Topic.STALL, Mistake.ONE_CLIENT, variants=STREAMS)
async def oneStalls(server: Server) -> None:
    """A client begins, and then does nothing. Another one is served meanwhile."""
    if server.variant == "requests":
        connection = await server.connect()
        await connection.send(asked(server)[0][0][:5])
        await connection.wasRead()
    else:
        await _joined(server)
    await _stillRelays(server, Mistake.ONE_CLIENT)


# From UDP to UDP


async def _there(
    server: Server, asking: Datagrams, datagram: bytes, mistake: Mistake | None = None
) -> Address:
    asking.send(datagram)
    return await _arrives(server, datagram, mistake)


async def _andBack(server: Server, datagram: bytes, reply: bytes, mistake: Mistake) -> None:
    """A client's datagram goes through, and a reply comes back."""
    asking = server.datagrams()
    sender = await _there(server, asking, datagram, mistake)
    server.origin.datagrams.send(reply, sender)
    await asking.expect(reply, words="the reply", signs=dict.fromkeys(Kind, mistake))


@CONTRACT.server(
    "one datagram", Topic.PLAIN, Mistake.FORMAT, transports=UDP, variants=DATAGRAMS, basis=True
)
async def oneDatagram(server: Server) -> None:
    """A client's datagram goes to the server, and the server's reply to the client."""
    await _andBack(server, b"hello there", b"hello yourself", Mistake.FORMAT)


def _carried(title: str, mistake: Mistake, why: str, name: str, *datagrams: bytes) -> None:
    """A scenario in which these datagrams are carried both ways."""

    async def play(server: Server) -> None:
        for datagram in datagrams:
            await _andBack(server, datagram, datagram[::-1], mistake)

    add: Callable[[Callable[[Server], Awaitable[None]]], object] = CONTRACT.server(
        title, Topic.INPUT, mistake, transports=UDP, variants=DATAGRAMS, name=name, why=why
    )  # type: ignore[assignment]
    add(play)


_carried(
    "bytes that are no text", Mistake.ALTERED,
    "Each byte from 0 to 255 arrives, both ways, and so do spaces and newlines at the ends.",
    "no-text", bytes(range(256)), b"  \n",
)  # fmt: skip
_carried(
    "an empty datagram", Mistake.EMPTY_MESSAGE,
    "A datagram without a byte is a datagram: it is carried, and so is the next one.",
    "empty-datagram", b"", b"the next one",
)  # fmt: skip
_carried(
    "a datagram of 8000 bytes", Mistake.FIXED_BUFFER,
    "Whatever is in a datagram is carried, and it may be long.",
    "long-datagram", b"ab" * 700, b"cd" * 4_000,
)  # fmt: skip


@CONTRACT.server("ten clients", Topic.MANY, Mistake.WRONG_ADDRESS, transports=UDP, variants=DATAGRAMS)
async def tenClients(server: Server) -> None:
    """Ten sockets send, then the server replies, to the last one first. Each gets what is for it."""
    sockets = [server.datagrams() for _ in range(10)]
    senders = []
    for number, asking in enumerate(sockets):
        senders.append(await _there(server, asking, b"from %d" % number, Mistake.ONE_CLIENT))
    for number in reversed(range(10)):
        server.origin.datagrams.send(b"to %d" % number, senders[number])
    for number, asking in enumerate(sockets):
        await asking.expect(b"to %d" % number, words="the reply that is for it")


@CONTRACT.server("several replies", Topic.MANY, Mistake.ONE_REQUEST, transports=UDP, variants=DATAGRAMS)
async def severalReplies(server: Server) -> None:
    """A server may reply with three datagrams to one. All of them are carried."""
    asking = server.datagrams()
    sender = await _there(server, asking, b"count")
    for number in range(3):
        server.origin.datagrams.send(b"%d" % number, sender)
    for number in range(3):
        await asking.expect(b"%d" % number, words=f"reply {number + 1} of 3")


@CONTRACT.server(
    "no reply to one of them", Topic.STALL, Mistake.ONE_CLIENT, transports=UDP, variants=DATAGRAMS
)
async def noReply(server: Server) -> None:
    """The server does not reply to one client. The next one is served meanwhile."""
    await _there(server, server.datagrams(), b"to nobody")
    await _andBack(server, b"hello there", b"hello yourself", Mistake.ONE_CLIENT)


@CONTRACT.server(
    "a reply from a stranger", Topic.INPUT, Mistake.ANY_SENDER, transports=UDP, variants=DATAGRAMS
)
async def datagramFromStranger(server: Server) -> None:
    """Somebody else sends a forged reply first. The client gets the one of the server that was asked."""
    asking = server.datagrams()
    sender = await _there(server, asking, b"hello there")
    server.origin.stranger().send(b"forged", sender)
    server.origin.datagrams.send(b"hello yourself", sender)
    await asking.expect(b"hello yourself", words="the reply of the server")
