"""
The address server's contract: the two questions of the course, as the variants C{a} and C{b}, and the lines
with which services register themselves.

The bytes are those of C{docs/protocols/discovery.md}. Which address is answered is left open where the
protocol does.
"""

from __future__ import annotations

import re
import struct

from labnet.check.client import Client
from labnet.check.connection import NO_SIGNS
from labnet.check.datagrams import Address, Datagrams
from labnet.check.evidence import Failed, Kind, Signs
from labnet.check.expectation import Expectation, Mismatch, exactly, matching, taken
from labnet.check.mistakes import Mistake
from labnet.check.scenario import Contract, Topic
from labnet.check.server import Server

CONTRACT = Contract("discovery", ("a", "b", "lines"))

UDP = ("udp",)
FORMS = ("a", "b")
LINES = ("lines",)
FORM_A, FORM_B = b"Hello server", b"GET"
BINARY = struct.Struct("<15sxi")
LONGEST_A = 200


# What is asked, and what is to come


def _anAddress() -> Expectation:
    """The answer to form A."""

    def take(data: bytes, ended: bool) -> int | None:
        match = re.match(rb"[A-Za-z0-9._-]+:([1-9][0-9]{0,4})", data)
        if match is None or int(match[1]) > 0xFFFF or match.end() > LONGEST_A:
            raise Mismatch(0)
        return match.end()

    return taken(take, "an address, host:port, and nothing else", b"localhost:9000")


def _aStruct() -> Expectation:
    """The answer to form B."""

    def take(data: bytes, ended: bool) -> int | None:
        if len(data) < BINARY.size:
            raise Mismatch(len(data))
        host, port = BINARY.unpack_from(data)
        name = host.rstrip(b"\0")
        if not re.fullmatch(rb"[A-Za-z0-9._-]+", name):
            raise Mismatch(0)
        if not 0 < port <= 0xFFFF:
            raise Mismatch(16)
        return BINARY.size

    return taken(
        take, "20 bytes: the host, filled up with zeros, and the port", BINARY.pack(b"localhost", 9_000)
    )


def question(variant: str) -> tuple[bytes, Expectation]:
    """What any client may ask, and what is to come."""
    return {
        "a": (FORM_A, _anAddress()),
        "b": (FORM_B, _aStruct()),
        "lines": (b"LOOKUP nobody", exactly(b"NONE", "NONE: nobody is registered under that name")),
    }[variant]


async def _asks(server: Server, signs: Signs = NO_SIGNS) -> bytes:
    """Ask, and return the answer."""
    asking = server.datagrams()
    request, reply = question(server.variant)
    asking.send(request)
    return await asking.expect(reply, signs=signs)


async def _stillAnswers(server: Server, mistake: Mistake) -> None:
    """Another client is answered."""
    await _asks(server, dict.fromkeys((Kind.REFUSED, Kind.SILENCE), mistake))


async def _line(
    asking: Datagrams, line: str, answer: str | Expectation, mistake: Mistake | None = None
) -> None:
    """A line, and its answer."""
    asking.send(line.encode())
    wanted = exactly(answer.encode(), f"{answer!r} to {line!r}") if isinstance(answer, str) else answer
    signs = {Kind.SILENCE: Mistake.SILENT, Kind.EXTRA: Mistake.EXTRA}
    await asking.expect(wanted, signs=signs if mistake is None else dict.fromkeys(Kind, mistake))


def _named(server: Server, count: int = 1) -> list[str]:
    """Names that nobody has, as the dice fall."""
    return [f"lab-{server.random.randrange(10**9)}" for _ in range(count)]


def _refusal() -> Expectation:
    return matching(rb"ERROR( [ -~]*)?", "ERROR, and why", b"ERROR bad port")


# Servers: plain use


@CONTRACT.server("the question", Topic.PLAIN, Mistake.FORMAT, transports=UDP, variants=FORMS, basis=True)
async def theQuestion(server: Server) -> None:
    """A client asks in one datagram where the service is, and reads the address in another."""
    try:
        await _asks(server, {Kind.SILENCE: Mistake.SILENT, Kind.EXTRA: Mistake.EXTRA})
    except Failed as failed:
        came = failed.exhibit.came if failed.exhibit is not None else b""
        if server.variant == "b" and came:
            failed.mistake = _whatIsWrong(came)
        elif came[len(came.rstrip(b"\r\n\0")) :] and re.fullmatch(rb"[\w.-]+:\d+\s*\0*", came):
            failed.mistake = Mistake.EXTRA
        raise


def _whatIsWrong(came: bytes) -> Mistake:
    """With an answer that should be the struct."""
    if len(came) == BINARY.size:
        turned = int.from_bytes(came[16:], "big")
        return Mistake.BYTE_ORDER if 0 < turned <= 0xFFFF else Mistake.FORMAT
    return Mistake.PADDING if len(came) in (17, 19, 24) else Mistake.FORMAT


@CONTRACT.server(
    "registered, and found", Topic.PLAIN, Mistake.FORMAT, transports=UDP, variants=LINES, basis=True
)
async def registeredAndFound(server: Server) -> None:
    """A service says where it is, and for how many seconds; a client asks for it by its name."""
    (name,) = _named(server)
    asking = server.datagrams()
    address = f"{asking.host}:9999"
    await _line(asking, f"LOOKUP {name}", "NONE")
    await _line(asking, f"REGISTER {name} {address} 60", "OK 60")
    await _line(server.datagrams(), f"LOOKUP {name}", address)


@CONTRACT.server("asked ten times", Topic.PLAIN, Mistake.ONE_REQUEST, transports=UDP, variants=FORMS)
async def askedTenTimes(server: Server) -> None:
    """From one port and from several: there is no end of questions."""
    asking = server.datagrams()
    request, reply = question(server.variant)
    for _ in range(5):
        asking.send(request)
        await asking.expect(reply)
        await _asks(server)


@CONTRACT.server("taken away", Topic.PLAIN, Mistake.WRONG_RESULT, transports=UDP, variants=LINES)
async def takenAway(server: Server) -> None:
    """A service that stops takes its address away. To do so twice is no error."""
    (name,) = _named(server)
    asking = server.datagrams()
    await _line(asking, f"REGISTER {name} {asking.host}:9999 60", "OK 60")
    await _line(asking, f"UNREGISTER {name} {asking.host}:9999", "OK 0")
    await _line(asking, f"LOOKUP {name}", "NONE")
    await _line(asking, f"UNREGISTER {name} {asking.host}:9999", "OK 0")


@CONTRACT.server("renewed", Topic.PLAIN, Mistake.WRONG_RESULT, transports=UDP, variants=LINES)
async def renewed(server: Server) -> None:
    """What is registered can be renewed, for as long again; what is not can not."""
    (name,) = _named(server)
    asking = server.datagrams()
    await _line(asking, f"RENEW {name} {asking.host}:9999", "NONE")
    await _line(asking, f"REGISTER {name} {asking.host}:9999 60", "OK 60")
    await _line(asking, f"RENEW {name} {asking.host}:9999", "OK 60")


@CONTRACT.server(
    "several under one name", Topic.PLAIN, Mistake.WRONG_RESULT, transports=UDP, variants=LINES
)
async def severalUnderOneName(server: Server) -> None:
    """Two services of one name: who looks it up twice is told both addresses, in turn."""
    (name,) = _named(server)
    asking = server.datagrams()
    addresses = {f"{asking.host}:{port}".encode() for port in (9_001, 9_002)}
    for address in sorted(addresses):
        await _line(asking, f"REGISTER {name} {address.decode()} 60", "OK 60")
    found = set()
    for _ in addresses:
        asking.send(f"LOOKUP {name}".encode())
        found.add((await asking.receive())[0])
    if found != addresses:
        raise server.fail(f"both addresses, in turn: {addresses}", f"{found}", Mistake.WRONG_RESULT)


@CONTRACT.server("the names", Topic.PLAIN, Mistake.WRONG_RESULT, transports=UDP, variants=LINES)
async def theNames(server: Server) -> None:
    """LIST gives the names, one a line, and no newline behind the last."""
    names = _named(server, 3)
    asking = server.datagrams()
    for name in names:
        await _line(asking, f"REGISTER {name} {asking.host}:9999 60", "OK 60")
    # Spaces make room for a longer answer.
    asking.send(b"LIST".ljust(330))
    listed = (await asking.receive())[0]
    if listed.endswith(b"\n"):
        raise server.fail("no newline behind the last name", "there is one", Mistake.EXTRA)
    lines = listed.split(b"\n")
    if any(name.encode() not in lines for name in names) and b"..." not in lines:
        raise server.fail(f"among others {', '.join(names)}, one a line", f"{listed[:80]!r}")


@CONTRACT.server("a newline at the end", Topic.PLAIN, Mistake.FORMAT, transports=UDP, variants=LINES)
async def newlineAtTheEnd(server: Server) -> None:
    """A line may end with LF or with CR LF, as netcat and others send it: the answer is the same."""
    (name,) = _named(server)
    asking = server.datagrams()
    await _line(asking, f"REGISTER {name} {asking.host}:9999 60\n", "OK 60")
    await _line(asking, f"LOOKUP {name}\r\n", f"{asking.host}:9999")


@CONTRACT.server("what has run out", Topic.SLOW, Mistake.NO_EXPIRY, transports=UDP, variants=LINES)
async def whatHasRunOut(server: Server) -> None:
    """A service registers for one second, and crashes. After that its address is given out no more."""
    (name,) = _named(server)
    asking = server.datagrams()
    await _line(asking, f"REGISTER {name} {asking.host}:9999 1", "OK 1")
    await server.pause(1.2)
    await _line(asking, f"LOOKUP {name}", "NONE", Mistake.NO_EXPIRY)


# Gone, many


@CONTRACT.server("gone before the answer", Topic.RESET, Mistake.RESET_KILLS, transports=UDP)
async def goneBeforeTheAnswer(server: Server) -> None:
    """Five clients ask, and close their sockets at once: the system sends the answers back as errors."""
    for _ in range(5):
        asking = server.datagrams()
        asking.send(question(server.variant)[0])
        asking.close()
    await _stillAnswers(server, Mistake.RESET_KILLS)


@CONTRACT.server("twenty clients ask at once", Topic.MANY, Mistake.WRONG_ADDRESS, transports=UDP)
async def manyAsk(server: Server) -> None:
    """Twenty sockets ask before the first of them is answered. Each of them gets its answer."""
    request, reply = question(server.variant)
    sockets = [server.datagrams() for _ in range(20)]
    for asking in sockets:
        asking.send(request)
    for asking in sockets:
        await asking.expect(reply)


# Bad input


@CONTRACT.server("datagrams of other sizes", Topic.INPUT, Mistake.DATAGRAM_KILLS, transports=UDP)
async def otherSizes(server: Server) -> None:
    """An empty datagram, one byte, 8000 bytes. None of them is a question; the server goes on."""
    for datagram in (b"", b"\0", bytes(8_000)):
        server.datagrams().send(datagram)
        await _stillAnswers(server, Mistake.DATAGRAM_KILLS)


@CONTRACT.server("what is no text", Topic.INPUT, Mistake.INPUT_KILLS, transports=UDP)
async def noText(server: Server) -> None:
    """Bytes that are no UTF-8, alone and behind a question. The server goes on."""
    for datagram in (b"\xff\xfe", b"LOOKUP \xff", b"Hello server\xff"):
        server.datagrams().send(datagram)
        await _stillAnswers(server, Mistake.INPUT_KILLS)


@CONTRACT.server("what is no question", Topic.INPUT, Mistake.ANSWERS_ALL, transports=UDP)
async def noQuestion(server: Server) -> None:
    """
    What is not in the protocol gets no answer; a question is that of the protocol to the last byte. Who
    answers anything answers other servers, too, and they it.
    """
    for datagram in (b"hello there", b"Hello servers", b"GETTING", b"ping"):
        asking = server.datagrams()
        asking.send(datagram)
        await _stillAnswers(server, Mistake.ANSWERS_ALL)
        if asking.waiting:
            raise server.fail(f"no answer to {datagram.decode()!r}", "it is answered", Mistake.ANSWERS_ALL)


@CONTRACT.server("lines with mistakes", Topic.INPUT, Mistake.INPUT_KILLS, transports=UDP, variants=LINES)
async def linesWithMistakes(server: Server) -> None:
    """A line that begins with a word of the protocol, and is wrong behind it, is answered with ERROR."""
    for line in (
        "REGISTER",
        "REGISTER x",
        "REGISTER x 127.0.0.1:ninety 60",
        "LOOKUP",
        "LOOKUP a b",
        "RENEW x",
    ):
        await _line(server.datagrams(), line, _refusal(), Mistake.INPUT_KILLS)
    await _stillAnswers(server, Mistake.INPUT_KILLS)


@CONTRACT.server(
    "numbers that can not be", Topic.INPUT, Mistake.INPUT_KILLS, transports=UDP, variants=LINES
)
async def impossibleNumbers(server: Server) -> None:
    """No port is 0 or 70000, and nothing can be registered for 0 or for x seconds: ERROR."""
    asking = server.datagrams()
    for end in (":0 60", ":70000 60", ":9999 0", ":9999 -1", ":9999 x"):
        await _line(asking, f"REGISTER lab {asking.host}{end}", _refusal())
    await _stillAnswers(server, Mistake.INPUT_KILLS)


@CONTRACT.server(
    "somebody else's address", Topic.INPUT, Mistake.TRUSTS_CLAIM, transports=UDP, variants=LINES
)
async def somebodyElse(server: Server) -> None:
    """Who registers an address has to send from it. That of another machine is refused with ERROR."""
    (name,) = _named(server)
    asking = server.datagrams()
    await _line(asking, f"REGISTER {name} 192.0.2.7:9999 60", _refusal(), Mistake.TRUSTS_CLAIM)
    await _line(asking, f"LOOKUP {name}", "NONE", Mistake.TRUSTS_CLAIM)


# Clients


async def _asked(client: Client) -> Address:
    """Wait for the question, and return who asks; what it registers before is granted."""
    while True:
        request, sender = await client.asks()
        words = request.split()
        if client.variant == "lines" and words[:1] == [b"REGISTER"] and len(words) == 4:
            client.datagrams.send(b"OK " + words[3], sender)
            continue
        known = {"a": request == FORM_A, "b": request == FORM_B}
        if not known.get(client.variant, words[:1] == [b"LOOKUP"] and len(words) == 2):
            wanted = {"a": FORM_A, "b": FORM_B}.get(client.variant, b"LOOKUP name").decode()
            raise client.fail(f"the question {wanted!r}", f"a datagram: {request[:40]!r}", Mistake.FORMAT)
        return sender


def _answer(variant: str, host: str, port: int) -> bytes:
    return BINARY.pack(host.encode(), port) if variant == "b" else f"{host}:{port}".encode()


def _aPort(client: Client) -> int:
    return client.random.randint(20_000, 60_000)


async def _told(client: Client, host: str) -> None:
    """It asks, is told an address at once, and prints it."""
    sender = await _asked(client)
    port = _aPort(client)
    client.datagrams.send(_answer(client.variant, host, port), sender)
    signs = {Kind.OUTPUT: Mistake.BYTE_ORDER} if client.variant == "b" else NO_SIGNS
    try:
        await client.printsNumber(port, words=f"that it prints the port {port}", signs=signs)
    except Failed as failed:
        turned = int.from_bytes(port.to_bytes(4, "little"), "big")
        if client.variant == "b" and not client.hasPrinted(turned):
            failed.mistake = None
        raise


@CONTRACT.client("the question", Topic.PLAIN, Mistake.FORMAT, transports=UDP, basis=True)
async def clientAsks(client: Client) -> None:
    """The client asks in one datagram, gets the address in another, and prints it."""
    await _told(client, "127.0.0.1")


@CONTRACT.client(
    "the zeros behind the host", Topic.PLAIN, Mistake.NUL_PADDING, transports=UDP, variants=["b"]
)
async def zerosBehindTheHost(client: Client) -> None:
    """Zeros fill the 15 bytes of the host up. They are no part of its name."""
    await _told(client, "localhost")
    await client.settles()
    printed = client.program.stdout
    if b"\0" in printed or rb"\x00" in printed:
        raise client.fail("the host without what fills it up", "it prints zeros", Mistake.NUL_PADDING)


@CONTRACT.client("a lost datagram", Topic.SLOW, Mistake.NO_TIMEOUT, transports=UDP)
async def lostDatagram(client: Client) -> None:
    """The question is lost on the way. The client asks again, or says that it got no answer."""
    await _asked(client)
    await client.asksAgainOrEnds(mistake=Mistake.NO_TIMEOUT)


@CONTRACT.client("nobody listens", Topic.RESET, Mistake.UNCAUGHT, transports=UDP, absent=True)
async def nobodyListens(client: Client) -> None:
    """The server has not been started yet. The client says so in a sentence, and ends."""
    await client.ends(patient=True, signs={Kind.STAYED: Mistake.NO_TIMEOUT})


@CONTRACT.client("an answer from a stranger", Topic.INPUT, Mistake.ANY_SENDER, transports=UDP)
async def answerFromStranger(client: Client) -> None:
    """Somebody else sends a forged answer first. The client takes the one of the server it has asked."""
    sender = await _asked(client)
    port = _aPort(client)
    client.stranger().send(_answer(client.variant, "127.0.0.1", 666), sender)
    client.datagrams.send(_answer(client.variant, "127.0.0.1", port), sender)
    await client.printsNumber(port)


@CONTRACT.client("an answer that is none", Topic.INPUT, Mistake.UNCAUGHT, transports=UDP)
async def answerThatIsNone(client: Client) -> None:
    """One byte comes in place of an address. The client says so, or waits on."""
    sender = await _asked(client)
    client.datagrams.send(b"\xff", sender)
    await client.settles()
    if client.program.over and not client.endedCleanly:
        raise client.fail("a sentence", "it ended with a traceback", Mistake.UNCAUGHT)


@CONTRACT.client("nobody of that name", Topic.INPUT, Mistake.UNCAUGHT, transports=UDP, variants=LINES)
async def nobodyOfThatName(client: Client) -> None:
    """NONE: nobody is registered under that name. The client says so, and ends."""
    sender = await _asked(client)
    client.datagrams.send(b"NONE", sender)
    await client.ends()


@CONTRACT.client("a long name", Topic.LIMITS, Mistake.FIXED_BUFFER, transports=UDP, variants=["a", "lines"])
async def longName(client: Client) -> None:
    """An address may have 200 bytes. The port is at its end, and lost if the buffer is too small."""
    host = ".".join(["a-long-name-of-a-machine"] * 7) + ".example"
    await _told(client, host)


@CONTRACT.client(
    "a name that fills its field", Topic.LIMITS, Mistake.NUL_PADDING, transports=UDP, variants=["b"]
)
async def fullName(client: Client) -> None:
    """A host of 15 bytes: there is no zero behind it within its field."""
    await _told(client, "fifteen-example")
