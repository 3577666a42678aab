"""
What the journal is told of exchanges, tunnels and what comes to neither.
"""

from __future__ import annotations

import gzip

import pytest
from twisted.internet.error import ConnectionRefusedError

from labnet.proxy.journal import Decision, Journals, Record
from labnet.proxy.policy import Policy, Uninspectable
from labnet.proxy.target import Origin
from tests.proxy.records import Kept, record
from tests.proxy.world import BAD, GET, SMALL, WORD, MakeWorld, World, chunked, ok

CONNECT = b"CONNECT secure.example:443 HTTP/1.1\r\nHost: secure.example:443\r\n\r\n"


def kept(world: World) -> Kept:
    """Let a proxy tell its records."""
    journal = world.factory.journal = Kept()
    return journal


def told(world: World, request: bytes, *pieces: bytes) -> Record:
    """The record of one exchange."""
    journal = kept(world)
    world.exchange(request, *pieces)
    return journal.take()


def test_aPageThatPasses(makeWorld: MakeWorld) -> None:
    """Who, what, where, how much, and how long each part took."""
    world = makeWorld()
    journal = kept(world)
    world.clock.advance(10)
    client = world.client()
    client.says(GET)
    world.clock.advance(1)
    origin = world.origin()
    world.clock.advance(2)
    origin.says(ok(b"")[:-4] + b"\r\nContent-Type: text/plain\r\n\r\n")
    answer = client.transport.value()
    row = journal.take()
    assert (row.host, row.status, row.decision, row.why) == ("127.0.0.1", 200, Decision.PASSED, "")
    assert (row.url, row.origin) == (b"http://origin.example/page", Origin("origin.example", 80))
    assert (row.bytesIn, row.bytesOut) == (len(GET), len(answer))
    assert (row.connect, row.firstByte, row.seconds, row.reused) == (1, 3, 3, False)
    assert row.response is not None


def test_theNextOneOnTheSameConnections(makeWorld: MakeWorld) -> None:
    """Nothing of the first is counted again."""
    world = makeWorld()
    journal = kept(world)
    client, origin = world.exchange(GET, ok(b"first"))
    first = journal.take()
    client.take()
    world.clock.advance(5)
    client.says(GET)
    world.clock.advance(1)
    origin.says(ok(b"second"))
    second = journal.take()
    assert (second.connect, second.firstByte, second.reused) == (None, 1, True)
    assert second.bytesOut == len(client.transport.value())
    assert (second.bytesIn, second.connection) == (first.bytesIn, first.connection)
    origin.leaves()
    world.clock.advance(60)


def test_whatCanNotBeReadIsNotTakenForTheOneBefore(makeWorld: MakeWorld) -> None:
    world = makeWorld()
    journal = kept(world)
    client, _ = world.exchange(GET, ok(b"good"))
    journal.take()
    client.says(b"nonsense\r\n\r\n")
    row = journal.take()
    assert (row.request, row.url, row.status, row.bytesIn) == (None, b"", 400, 0)


def test_whatIsBlocked(makeWorld: MakeWorld) -> None:
    row = told(makeWorld(), GET, ok(gzip.compress(BAD), b"Content-Encoding: gzip"))
    assert (row.status, row.decision) == (404, Decision.BLOCKED)
    assert row.finding is not None
    assert (str(row.finding.rule), row.finding.where, row.finding.coding) == ("SzamHalo", "body", "gzip")
    assert row.inspection is not None
    assert row.inspection > 0


def test_whatCanNotBeLookedAt(makeWorld: MakeWorld) -> None:
    unknown = ok(b"x", b"Content-Encoding: unheard-of")
    row = told(makeWorld(), GET, unknown)
    assert (row.status, row.decision) == (502, Decision.UNINSPECTABLE)
    row = told(makeWorld(Policy(uninspectable=Uninspectable.PASS)), GET, unknown)
    assert (row.status, row.decision) == (200, Decision.NOT_INSPECTED)
    assert row.why.startswith("not inspected: unknown content coding")


def test_whatIsSkipped(makeWorld: MakeWorld) -> None:
    row = told(makeWorld(Policy(skipTypes=frozenset(["video/*"]))), GET, ok(b"x", b"Content-Type: video/a"))
    assert (row.decision, row.why, row.inspection) == (
        Decision.NOT_INSPECTED,
        "not inspected: media type",
        None,
    )


def test_aBodyThatIsCutOff(makeWorld: MakeWorld) -> None:
    """The status has gone out, but the decision says what came of it."""
    policy = Policy(uninspectable=Uninspectable.CUT, holding=SMALL.holding)
    head, last = chunked(b"x" * 2_000, WORD).split(b"8\r\n" + WORD)
    row = told(makeWorld(policy), GET, head, b"8\r\n" + WORD + last)
    assert (row.status, row.decision) == (200, Decision.BLOCKED)


def test_theRequestsBody(makeWorld: MakeWorld) -> None:
    """Its content is counted, and the time to look at it."""
    post = b"POST http://o.example/ HTTP/1.1\r\nHost: o.example\r\nContent-Length: 50\r\n\r\n"
    row = told(makeWorld(Policy(inspectRequest=True)), post + b"x" * 50, ok(b""))
    assert row.bytesIn == len(post) + 50
    assert row.inspection is not None
    assert row.inspection > 0


def test_anOriginThatIsNotThere(makeWorld: MakeWorld) -> None:
    world = makeWorld()
    journal = kept(world)
    world.client().says(GET)
    world.attempts[0].fail(ConnectionRefusedError())
    row = journal.take()
    assert (row.status, row.decision, row.connect) == (502, Decision.REFUSED, None)


def test_aClientThatLeaves(makeWorld: MakeWorld) -> None:
    world = makeWorld()
    journal = kept(world)
    client = world.client()
    client.says(GET)
    client.leaves()
    row = journal.take()
    assert (row.status, row.decision, row.why) == (0, Decision.LEFT, "the client left")


@pytest.mark.parametrize("sent", [b"", ok(b"half of it")[:-5]])
def test_aClientThatIsLeft(makeWorld: MakeWorld, sent: bytes) -> None:
    """Who is not done when the proxy has to stop did not leave, and is not said to have."""
    world = makeWorld(Policy(rules=()), grace=5)
    journal = kept(world)
    client, _ = world.exchange(GET, *([sent] if sent else []))
    world.factory.finish()
    world.pump(6)
    assert client.aborted
    client.breaks()
    row = journal.take()
    assert row.status == (200 if sent else 0)
    assert (row.decision, row.why) == (Decision.REFUSED, "not finished within the grace time")


@pytest.mark.parametrize(
    ("request_", "status", "url", "decision"),
    [
        (b"nonsense\r\n\r\n", 400, None, Decision.REFUSED),
        (b"GET /page HTTP/1.1\r\nHost: x\r\n\r\n", 400, b"/page", Decision.REFUSED),
        (b"GET http://u:pw@o/ HTTP/1.1\r\nHost: o\r\n\r\n", 400, b"http://o/", Decision.REFUSED),
        (
            b"CONNECT o.example:25 HTTP/1.1\r\nHost: o.example:25\r\n\r\n",
            403,
            b"o.example:25",
            Decision.REFUSED,
        ),
        (b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 200, b"*", Decision.ANSWERED),
    ],
)
def test_whatComesToNoExchange(
    makeWorld: MakeWorld, request_: bytes, status: int, url: bytes | None, decision: Decision
) -> None:
    """It has a record, too, with what was sent in answer."""
    world = makeWorld()
    journal = kept(world)
    client = world.client()
    client.says(request_)
    row = journal.take()
    assert (row.status, row.decision) == (status, decision)
    assert (row.request and row.url) == url
    assert row.bytesOut == len(client.transport.value())


def test_aTunnel(makeWorld: MakeWorld) -> None:
    """Its record comes at the end, with all that went through it."""
    world = makeWorld()
    journal = kept(world)
    client = world.client()
    client.says(CONNECT + b"early")
    world.clock.advance(1)
    origin = world.origin()
    client.says(b"hello")
    origin.says(b"x" * 1_000)
    assert not journal.records
    world.clock.advance(4)
    sent = client.transport.value()
    client.leaves()
    row = journal.take()
    assert (row.status, row.decision, row.why) == (200, Decision.NOT_INSPECTED, "not inspected: tunnel")
    assert (row.bytesIn, row.bytesOut) == (len(CONNECT) + 10, len(sent))
    assert (row.connect, row.seconds, row.origin) == (1, 5, Origin("secure.example", 443))


def test_aTunnelThatLeadsNowhere(makeWorld: MakeWorld) -> None:
    """One record: the error, or that the client did not wait for it."""
    world = makeWorld()
    journal = kept(world)
    client = world.client()
    client.says(CONNECT)
    world.attempts[0].fail(ConnectionRefusedError())
    assert (journal.take().status, journal.records) == (502, [])
    client = world.client()
    client.says(CONNECT)
    client.leaves()
    assert journal.take().decision is Decision.LEFT


def test_severalJournals() -> None:
    first, second = Kept(), Kept()
    row = record()
    Journals((first, second)).ended(row)
    assert first.take() is second.take() is row
