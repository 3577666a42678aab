"""
Which rules apply to which exchange, and what is answered by them.
"""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labnet.net.hosts import HostPatterns
from labnet.proxy.pages import Page
from labnet.proxy.policy import COURSE_404, Policy, Uninspectable
from labnet.proxy.rules import Allowance, Conditions, LooksAt, Pattern, Rule, RuleSet
from labnet.proxy.wire import Fields
from labnet.testing import inPieces
from tests.proxy.world import FIXED, GET, MakeWorld, chunked, ok, status, unchunked

WORD = b"SzamHalo"
BAD = b"a " + WORD
HERE = Conditions(hosts=HostPatterns.read(["origin.example"]))
ELSEWHERE = Conditions(hosts=HostPatterns.read(["*.origin.example", "other.example"]))
HTML = b"Content-Type: text/html; charset=utf-8"


def rule(where: Conditions, **more: object) -> Rule:
    return Rule(WORD, where=where, **more)  # type: ignore[arg-type]


def asked(target: bytes) -> bytes:
    return b"GET http://origin.example%b HTTP/1.1\r\nHost: origin.example\r\n\r\n" % target


# Choosing


@pytest.mark.parametrize(
    ("patterns", "host", "applies"),
    [
        (["a.example"], "a.example", True),
        (["a.example"], "A.Example.", True),
        (["a.example"], "b.a.example", False),
        (["*.a.example"], "b.a.example", True),
        (["*.a.example"], "a.example", False),
        ([".a.example"], "a.example", True),
        (["127.0.0.1"], "127.0.0.1", True),
        (["::1"], "::1", True),
    ],
)
def test_hosts(patterns: list[str], host: str, applies: bool) -> None:
    choices = RuleSet([rule(Conditions(hosts=HostPatterns.read(patterns)))])
    assert bool(choices.choose(host, b"/").response) is applies


@pytest.mark.parametrize(
    ("pattern", "target", "applies", "allowed"),
    [
        ("/forum/", b"/forum/1?x=/", True, True),
        ("/forum/", b"/forum", False, False),
        ("/forum/", b"/?/forum/", False, False),
        ("/forum/", b"http://o.example/forum/x", True, True),
        ("/", b"http://o.example", True, True),
        ("*.html", b"/a/b.html?x", True, True),
        ("*.html", b"/a/b.html.txt", False, False),
        ("/a*c", b"/abc", True, True),
        ("/a.c", b"/abc", False, False),
        ("/Forum/", b"/forum/", False, False),
        # What may be read as one path or as another: a rule looks, an allowance does not let pass.
        ("/forum/", b"/f%6frum/1", True, False),
        ("/forum/", b"//forum//1", True, False),
        ("/forum/", b"/x/../forum/1", True, False),
        ("/forum/", b"/forum/../secret", True, False),
        ("/forum/", b"/forum/..%2fsecret", True, False),
        ("/forum/", b"/forum/%2e%2e/secret", True, False),
        ("/forum/", b"/forum/..\\secret", True, False),
        ("/forum/", b"/secret/..%2fforum/", True, False),
    ],
)
def test_paths(pattern: str, target: bytes, applies: bool, allowed: bool) -> None:
    where = Conditions(paths=(pattern,))
    assert bool(RuleSet([rule(where)]).choose("o", target).response) is applies
    assert bool(RuleSet([], [Allowance("it", where)]).choose("o", target).allowed) is allowed


@given(
    st.text("ab/", min_size=0, max_size=12).map("/{}".format),
    st.text("ab/*", max_size=6).map("*{}".format),
)
def test_starsInPaths(path: str, pattern: str) -> None:
    """A star is any text, as in a regular expression with C{.*} in its place."""
    expected = re.fullmatch(pattern.replace("*", ".*"), path, re.DOTALL) is not None
    assert Conditions(paths=(pattern,)).coverPath(path) is expected


def test_aPathThatAlmostFitsTakesNoLonger() -> None:
    """A regular expression of so many stars would take years for it."""
    assert not Conditions(paths=("*a" * 30 + "b",)).coverPath("/" + "a" * 8_000)


@pytest.mark.parametrize(
    ("values", "applies", "allowed"),
    [
        ([b"text/html"], True, True),
        ([b"TEXT/HTML;charset=x"], True, True),
        ([b"text/plain"], False, False),
        ([], True, False),
        ([b"text/plain", b"image/png"], True, False),
        ([b"nonsense"], True, False),
    ],
)
def test_types(values: list[bytes], applies: bool, allowed: bool) -> None:
    """What does not say of what type it is may be of any, and is not let pass as one."""
    where = Conditions(types=frozenset(["text/html"]))
    fields = Fields([(b"Content-Type", value) for value in values])
    assert bool(RuleSet([rule(where)]).choose("o", b"/").forResponse(fields).response) is applies
    assert (
        bool(RuleSet([], [Allowance("it", where)]).choose("o", b"/").forResponse(fields).allowed) is allowed
    )


def test_typesByTheirFirstHalf() -> None:
    choices = RuleSet([rule(Conditions(types=frozenset(["text/*"])))])
    assert choices.choose("o", b"/").forResponse(Fields([(b"Content-Type", b"text/x")])).response
    assert not choices.choose("o", b"/").forResponse(Fields([(b"Content-Type", b"image/x")])).response


def test_rulesWithoutConditionsAreChosenOnce() -> None:
    """The common case costs nothing: every request gets the very same choice, and so does its response."""
    choices = RuleSet([Rule(WORD)])
    choice = choices.choose("a", b"/")
    assert choices.choose("b", b"/c") is choice
    assert choice.forResponse(Fields()) is choice


def test_allConditionsHaveToBeMet() -> None:
    where = replace(HERE, paths=("/a",), types=frozenset(["text/html"]))
    choices = RuleSet([rule(where)])
    html, image = (Fields([(b"Content-Type", value)]) for value in (b"text/html", b"image/png"))
    met = [
        bool(choices.choose(host, path).forResponse(fields).response)
        for host in ("origin.example", "other.example")
        for path in (b"/a", b"/b")
        for fields in (html, image)
    ]
    assert met == [True] + [False] * 7


# In exchanges


@pytest.mark.parametrize(
    ("where", "fields", "expected"),
    [
        (HERE, (), 404),
        (ELSEWHERE, (), 200),
        (Conditions(paths=("/page",)), (), 404),
        (Conditions(paths=("/pages",)), (), 200),
        (Conditions(types=frozenset(["text/html"])), (HTML,), 404),
        (Conditions(types=frozenset(["image/*"])), (HTML,), 200),
    ],
)
def test_aRuleHoldsWhereItsConditionsAreMet(
    makeWorld: MakeWorld, where: Conditions, fields: tuple[bytes, ...], expected: int
) -> None:
    for each in (rule(where), Rule(b"S.amHalo", Pattern.EXPRESSION, where=where)):
        client, _ = makeWorld(Policy(rules=[each])).exchange(GET, ok(BAD, *fields))
        assert status(client.take()) == expected


@pytest.mark.parametrize("kind", list(Pattern))
def test_aRuleOfEachKindBlocksHeadBodyAndTrailers(makeWorld: MakeWorld, kind: Pattern) -> None:
    policy = Policy(rules=[Rule(WORD, kind)])
    for response in (
        ok(b"x", b"X-Word: " + WORD),
        ok(BAD),
        chunked(b"a Sz", b"amHalo b"),
        chunked(b"a", trailers=b"X-Word: SzamHalo\r\n"),
    ):
        for step in (1, 7, 1_000):
            pieces = inPieces(response, step)
            client, _ = makeWorld(policy).exchange(GET, *pieces)
            assert status(client.take()) == 404


@pytest.mark.parametrize(
    ("looksAt", "inspectRequest", "inRequest", "inResponse"),
    [
        (LooksAt.RESPONSE, False, False, True),
        (LooksAt.RESPONSE, True, True, True),
        (LooksAt.REQUEST, False, True, False),
        (LooksAt.BOTH, False, True, True),
    ],
)
def test_whereARuleLooks(
    makeWorld: MakeWorld, looksAt: LooksAt, inspectRequest: bool, inRequest: bool, inResponse: bool
) -> None:
    policy = Policy(rules=[Rule(WORD, looksAt=looksAt)], inspectRequest=inspectRequest)
    world = makeWorld(policy)
    client = world.client()
    client.says(asked(b"/" + WORD))
    assert (client.take() != b"") is inRequest
    client, _ = makeWorld(policy).exchange(GET, ok(BAD))
    assert (status(client.take()) == 404) is inResponse


@pytest.mark.parametrize("pattern", [WORD, b"Sz.mHalo"])
def test_theBodyOfARequestIsLookedAtByItsOwnType(makeWorld: MakeWorld, pattern: bytes) -> None:
    where = Conditions(types=frozenset(["text/plain"]))
    each = Rule(pattern, Pattern.EXPRESSION, looksAt=LooksAt.REQUEST, where=where)
    for mediaType, blocked in ((b"text/plain", True), (b"text/html", False)):
        client = makeWorld(Policy(rules=[each])).client()
        head = b"POST http://o.example/ HTTP/1.1\r\nHost: o.example\r\nContent-Length: 10\r\n"
        for byte in head + b"Content-Type: " + mediaType + b"\r\n\r\n" + BAD:
            client.says(bytes([byte]))
        assert client.take().startswith(b"HTTP/1.1 404") is blocked


def test_aRulesOwnStatusPageAndName(makeWorld: MakeWorld) -> None:
    page = Page(b"<p>{{rule}} / {{status}} / {{url}} / {{reason}}")
    each = Rule(WORD, name="a <rule>", status=451, page=page)
    client, _ = makeWorld(Policy(rules=[each], course404=True)).exchange(asked(b"/?q=%22<b>"), ok(BAD))
    head, _, body = client.take().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 451 Unavailable For Legal Reasons\r\n")
    assert b'X-Labnet-Filter: blocked; rule="a <rule>"; where="body"; offset=2; coding="identity"' in head
    assert body == (
        b"<p>a &lt;rule&gt; / 451 Unavailable For Legal Reasons / "
        b"http://origin.example/?q=%22&lt;b&gt; / the body, at byte 2"
    )


def test_theCoursesAnswerIsForRulesThatSayNothingElse(makeWorld: MakeWorld) -> None:
    policy = Policy(rules=[Rule(b"one"), Rule(b"two", status=410)], course404=True)
    request = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    assert makeWorld(policy, FIXED).exchange(request, ok(b"one"))[0].transport.value() == COURSE_404
    assert status(makeWorld(policy, FIXED).exchange(request, ok(b"two"))[0].take()) == 410


@pytest.mark.parametrize(
    "where",
    [HERE, Conditions(paths=("/p*",)), Conditions(types=frozenset(["text/html"]))],
    ids=["host", "path", "type"],
)
def test_whatIsAllowedIsNotLookedAt(makeWorld: MakeWorld, where: Conditions) -> None:
    """Neither its head nor its body, and the log says by what."""
    policy = Policy(allowances=[Allowance("the library", where)], inspectRequest=True)
    world = makeWorld(policy)
    response = chunked(BAD, fields=(HTML, b"X-Word: " + WORD), trailers=b"A: SzamHalo\r\n")
    client = world.client()
    client.says(GET)
    origin = world.origin()
    notes: list[str] = []
    ended = client.protocol.exchangeEnded
    client.protocol.exchangeEnded = lambda exchange, keep: (
        notes.append(exchange.note),
        ended(exchange, keep),
    )
    origin.says(response)
    answer = client.take()
    assert status(answer) == 200
    assert WORD in answer.partition(b"\r\n\r\n")[0]
    assert notes == ["not inspected: allowed by the library"]


def test_aRangeIsOnlyForWhatIsNotLookedAt(makeWorld: MakeWorld) -> None:
    request = GET[:-2] + b"Range: bytes=0-3\r\n\r\n"
    _, origin = makeWorld(Policy(allowances=[Allowance("it", HERE)])).exchange(request)
    assert b"Range: bytes=0-3\r\n" in origin.take()
    _, origin = makeWorld(Policy(allowances=[Allowance("it", ELSEWHERE)])).exchange(request)
    assert b"Range:" not in origin.take()


def test_onlySomeHostsMayBeReached(makeWorld: MakeWorld) -> None:
    policy = Policy(onlyHosts=HostPatterns.read(["*.example"]), connectPorts=frozenset())
    client = makeWorld(policy).client()
    client.says(b"GET http://other.test/ HTTP/1.1\r\nHost: other.test\r\n\r\n")
    answer = client.take()
    assert status(answer) == 403
    assert b'why="other.test is not among the hosts that may be reached"' in answer
    client = makeWorld(policy).client()
    client.says(b"CONNECT other.test:443 HTTP/1.1\r\nHost: other.test:443\r\n\r\n")
    assert status(client.take()) == 403
    client, _ = makeWorld(policy).exchange(GET, ok(b"fine"))
    assert status(client.take()) == 200


@pytest.mark.parametrize("step", [1, 3, 10, 50])
def test_cutHoldsBackWhatMayBeTheBeginningOfAMatch(makeWorld: MakeWorld, step: int) -> None:
    """Not a byte of what an expression matches reaches the client."""
    each = Rule(b"X[0-9]{5}Y", Pattern.EXPRESSION, longest=7)
    policy = Policy(rules=[each], uninspectable=Uninspectable.CUT)
    policy = replace(policy, holding=replace(policy.holding, memory=10))
    body = b"c" * 60 + b"X12345Y" + b"d" * 60
    pieces = inPieces(body, step)
    client, _ = makeWorld(policy).exchange(GET, b"HTTP/1.1 200 OK\r\nContent-Length: 127\r\n\r\n", *pieces)
    received = client.take().partition(b"\r\n\r\n")[2]
    assert set(received) == {ord("c")}
    assert client.aborted


def test_cutPassesOnTheRest(makeWorld: MakeWorld) -> None:
    each = Rule(b"X[0-9]{5}Y", Pattern.EXPRESSION, longest=7)
    policy = Policy(rules=[each], uninspectable=Uninspectable.CUT)
    policy = replace(policy, holding=replace(policy.holding, memory=10))
    body = b"c" * 60 + b"X1234Y" + b"d" * 60
    pieces = inPieces(body, 5)
    client, _ = makeWorld(policy).exchange(GET, chunked(*pieces))
    assert unchunked(client.take().partition(b"\r\n\r\n")[2]) == body


@pytest.mark.parametrize("pattern", [b"S.amHalo", WORD])
def test_whatIsGivenUpIsLookedAtAsFarAsItHasCome(makeWorld: MakeWorld, pattern: bytes) -> None:
    """Also where a match waits for more to come, and what can not be looked at passes."""
    policy = Policy(rules=[Rule(pattern, Pattern.EXPRESSION)], uninspectable=Uninspectable.PASS)
    world = makeWorld(policy)
    client, _ = world.exchange(GET, chunked(BAD).removesuffix(b"0\r\n\r\n"))
    assert client.take() == b""
    world.pump(policy.holding.seconds + 2)
    assert status(client.take()) == 404


def test_anExchangeEndsWithTheRulesWithWhichItBegan(makeWorld: MakeWorld) -> None:
    """The next request on the same connection has the new ones."""
    world = makeWorld(Policy(rules=[Rule(b"old")]))
    client, origin = world.exchange(GET, b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n")
    world.factory.policy = Policy(rules=[Rule(b"new")])
    origin.says(b"new")
    assert status(client.take()) == 200
    client.says(GET)
    origin.says(ok(b"new"))
    assert status(client.take()) == 404
