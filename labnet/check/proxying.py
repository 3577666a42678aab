"""
What the proxy's contract is made of: a client on one side of the proxy, an origin on the other, and the
ways around a filter that C{labnet-proxy-selftest} knows.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from labnet.check.connection import NO_SIGNS, Connection
from labnet.check.evidence import Exhibit, Failed, Kind, Signs, decisive
from labnet.check.expectation import exactly, taken
from labnet.check.messages import Answer, Asked, answer, asked, page, response
from labnet.check.mistakes import Mistake
from labnet.check.server import Server
from labnet.proxy.policy import COURSE_404
from labnet.proxyselftest.client import Settings, requestBytes
from labnet.proxyselftest.reading import messages
from labnet.proxyselftest.scenario import Ask, Marker, Pause, Plan
from labnet.proxyselftest.scenarios import chosen
from labnet.proxyselftest.verdict import Ending, Received, judge

__all__ = [
    "CLOSE",
    "WORD",
    "arrives",
    "blocked",
    "exchange",
    "reaches",
    "request",
    "same",
    "stillServes",
    "tried",
]

WORD = b"SzamHalo"
CLOSE = b"Connection: close"


def request(
    server: Server, path: str, *fields: str, method: str = "GET", body: bytes = b"", keeps: bool = False
) -> bytes:
    """A request as it goes to this proxy."""
    host, port = server.address
    forward = server.variant == "forward"
    authority = server.origin.authority if forward else f"{host}:{port}"
    target = f"http://{authority}{path}" if forward else path
    lines = [
        f"{method} {target} HTTP/1.1",
        f"Host: {authority}",
        "User-Agent: check",
        "Accept: */*",
        *fields,
    ]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    if not keeps:
        lines.append("Connection: close")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


async def reaches(server: Server, path: str, signs: Signs = NO_SIGNS) -> tuple[Connection, Asked]:
    """
    Wait until the request for a path has come to the origin; return the connection on which it came.

    @param signs: as L{Connection.expect} has them.
    """
    words = f"that the request for {path} goes on to the origin"
    origin = await server.origin.connects(holding=path.encode(), words=words, signs=signs)
    return origin, await asked(origin, words=words, signs=signs)


async def exchange(
    server: Server,
    reply: bytes,
    *fields: str,
    path: str = "/page",
    pieces: int | None = None,
    cuts: Iterable[int] = (),
) -> Connection:
    """
    A client asks, the origin gives this reply and ends the connection; what comes of it is to be seen.
    """
    connection = await server.connect()
    await connection.send(request(server, path, *fields))
    origin, _ = await reaches(server, path)
    await origin.send(reply, pieces=pieces, cuts=cuts)
    origin.close()
    return connection


def same(server: Server, got: Answer, content: bytes, mistake: Mistake | None = None) -> None:
    """
    The client has the origin's page, as it was sent.

    @raise Failed: it has another one.
    """
    if got.status != 200:
        raise server.fail("the page, with status 200", f"an answer with status {got.status}", mistake)
    if got.body != content:
        offset = decisive(content, got.body)
        start = max(0, offset - 32)
        raise Failed(
            Kind.OTHER,
            f"the {len(content)} bytes of the page, as they were sent",
            f"{len(got.body)} bytes, other ones from byte {offset} on",
            Exhibit(content[start : start + 96], got.body[start : start + 96], offset - start),
            mistake,
        )


async def arrives(
    connection: Connection, server: Server, content: bytes, mistake: Mistake | None = None
) -> Answer:
    """Wait for the page. C{mistake} is that of who says nothing, or ends too early."""
    signs: dict[object, Mistake] = {Kind.PART: mistake or Mistake.WRONG_SIZE}
    if mistake is not None:
        signs |= dict.fromkeys((Kind.SILENCE, Kind.ENDED, Kind.RESET, Kind.STAYED), mistake)
    got = await answer(connection, words="the origin's page", signs=signs)
    same(server, got, content, mistake)
    return got


async def stillServes(server: Server, mistake: Mistake) -> None:
    """Somebody else asks, and gets the page."""
    signs = dict.fromkeys((Kind.REFUSED, Kind.SILENCE, Kind.ENDED, Kind.RESET), mistake)
    content = page(b"Somebody else's page, %d." % server.random.randrange(10**6))
    connection = await server.connect(signs=signs, words="that another client is still served")
    await connection.send(request(server, "/another"))
    origin, _ = await reaches(server, "/another", signs)
    await origin.send(response(content, CLOSE))
    origin.close()
    await arrives(connection, server, content, mistake)
    connection.close()


async def blocked(connection: Connection, server: Server) -> None:
    """
    The client gets a 404 in place of the page: before one origin exactly the course's 160 bytes, and then
    the end.
    """
    if server.variant == "fixed":
        words = f"the {len(COURSE_404)} bytes of the page that says that it was blocked"
        try:
            await connection.expect(exactly(COURSE_404, words))
        except Failed as failed:
            came = b"" if failed.exhibit is None else failed.exhibit.came
            if b" 404 " in came.partition(b"\n")[0]:
                lines = b"\n" in came.replace(b"\r\n", b"")[:60]
                failed.mistake = Mistake.LINE_ENDS if lines else Mistake.FORMAT
            raise
        await connection.expectEnd(signs={Kind.STAYED: Mistake.NO_CLOSE})
        return
    got = await answer(connection, words="a 404 in place of the page")
    if got.status != 404:
        raise server.fail("an answer with status 404", f"one with status {got.status}")


# The ways around a filter


async def tried(server: Server, name: str, mistake: Mistake) -> None:
    """
    Try one of the self-test's ways around the filter.

    @param mistake: of the proxy that it gets through.
    """
    (scenario,) = chosen([name])
    marker = Marker(WORD, b"%08d-" % server.random.randrange(10**8))
    plan = scenario.build(marker)
    received = []
    for asks in plan.connections:
        one = await _conversation(server, plan, asks, marker)
        if one is None:
            return
        received.append(one)
    finding = judge(scenario, plan, marker, received, len(received))
    if finding.outcome.bad:
        raise server.fail(f"{scenario.expect.value}: {scenario.line}", finding.sentence, mistake)


async def _conversation(
    server: Server, plan: Plan, asks: tuple[Ask, ...], marker: Marker
) -> Received | None:
    """One connection of the client; L{None} where the proxy asks in a way that may not be answered so."""
    settings = Settings(cast(Any, None), marker, reverse=server.variant == "fixed")
    authority = server.origin.authority.encode()
    sent = b"".join(requestBytes(one, authority, settings) for one in asks)
    connection = await server.connect()
    await connection.send(sent)
    origin, got = await reaches(server, "/" + asks[0].path.decode())
    head = got.head.raw.lower()
    reply = next(one for one in plan.replies if one.when.lower() in head)
    steps = [step for step in reply.steps if not isinstance(step, Pause)]
    if b"transfer-encoding" in b"".join(steps).lower() and not got.takesChunks:
        return None
    for step in steps:
        await origin.send(step)
        await origin.wasRead()
    origin.close()
    raw, ending = await _everything(connection, [one.method for one in asks])
    return Received(asks, sent, raw, ending)


async def _everything(connection: Connection, methods: list[bytes]) -> tuple[bytes, Ending]:
    """What comes until the answers are complete, the connection has ended, or nothing more comes."""

    def take(data: bytes, ended: bool) -> int | None:
        answers = messages(data, methods, ended)
        complete = len(answers) == len(methods) and all(one.complete for one in answers)
        return len(data) if complete or ended else None

    try:
        raw = await connection.expect(taken(take, "an answer"))
    except Failed as failed:
        came = b"" if failed.exhibit is None else failed.exhibit.came
        return came, Ending.LATE
    ending = {None: Ending.ANSWERED, Kind.ENDED: Ending.CLOSED}.get(connection.ended, Ending.RESET)
    return raw, ending
