"""
The proxy's options and the service they make.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from twisted.python.usage import UsageError

from labnet.authority.certificates import makeAuthority
from labnet.authority.store import saveAuthority
from labnet.net.service import StreamListener, listeners
from labnet.proxy.factory import ProxyFactory
from labnet.proxy.pages import BLOCK_PAGE, Page
from labnet.proxy.policy import DEFAULT_RULE, Holding, Uninspectable
from labnet.proxy.rules import Rule
from labnet.proxy.tap import Options, makeService
from labnet.proxy.target import Origin


def parsed(*arguments: str) -> Options:
    options = Options()
    options.parseOptions(list(arguments))
    return options


def test_defaults() -> None:
    """Forward mode on loopback, the course's word, everything else refused rather than passed."""
    options = parsed()
    assert [listening.description for listening in options.listening] == ["tcp:8080:interface=127.0.0.1"]
    policy = options.policy
    assert policy.rules == (DEFAULT_RULE,)
    assert policy.uninspectable is Uninspectable.BLOCK
    assert policy.connectPorts == {443}
    assert not policy.course404
    assert policy.blockPage == BLOCK_PAGE
    assert options.target is None


def test_rules(tmp_path: Path) -> None:
    """Strings come from the command line and from files, each once, in order; comments do not count."""
    rules = tmp_path / "rules.txt"
    rules.write_bytes(b"# words\n\nalpha\nbeta\n\xc3\xa9\n")
    options = parsed("--block", "x", "--block", "alpha", "--block-file", str(rules))
    expected = (b"x", b"alpha", b"beta", b"\xc3\xa9")
    assert options.policy.rules == tuple(Rule(pattern) for pattern in expected)


def test_anEmptyFileOfRulesBlocksNothing(tmp_path: Path) -> None:
    """Who gives a file means that file, and not the default."""
    rules = tmp_path / "rules.txt"
    rules.write_bytes(b"\n")
    assert parsed("--block-file", str(rules)).policy.rules == ()


def test_fixedTargetAnswersAsTheCourse(tmp_path: Path) -> None:
    """With --target the course's exact bytes are the default, unless there is a page of one's own."""
    page = tmp_path / "page.html"
    page.write_bytes(b"<p>no")
    assert parsed("--target", "127.0.0.1:8000").policy.course404
    options = parsed("--target", "[::1]:8000", "--block-page", str(page))
    assert options.target == Origin("::1", 8000)
    assert not options.policy.course404
    assert options.policy.blockPage == Page(b"<p>no")
    assert parsed("--course-404").policy.course404


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--target", "nowhere"], "--target: 'nowhere' is not of the form HOST:PORT"),
        (["--target", "host:0"], "--target"),
        (["--target", "host:70000"], "--target"),
        (["--block", ""], "--block: the string is empty"),
        (["--block-file", "/does/not/exist"], "--block-file: /does/not/exist: No such file"),
        (["--block-page", "/does/not/exist"], "--block-page: /does/not/exist: No such file"),
        (["--uninspectable", "maybe"], "--uninspectable: 'maybe' is none of block, cut, pass"),
        (["--skip-type", "video"], "--skip-type: 'video' is not of the form"),
        (["--connect-port", "0"], "--connect-port: '0' is neither"),
        (["--connect-port", "http"], "--connect-port: 'http' is neither"),
        (["--allow-upgrade", "web socket"], "--allow-upgrade: 'web socket' is not"),
        (["--hold-memory", "-1"], "--hold-memory: '-1' is not a whole number"),
        (["--max-ratio", "0"], "--max-ratio"),
        (["--listen", "udp:8080"], "HTTP goes over TCP"),
        (["--course-404", "--block-page", "/dev/null"], "use one of them"),
        (["--no-such-option"], "no-such-option"),
    ],
)
def test_mistakesAreOneLine(arguments: list[str], says: str) -> None:
    """Every mistake is a UsageError that names the option and what is allowed."""
    with pytest.raises(UsageError) as raised:
        parsed(*arguments)
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)


def test_theLimitsReachThePolicy() -> None:
    """The options of size and time end where the proxy reads them."""
    options = parsed(
        *[
            "--hold-memory",
            "10",
            "--hold-disk",
            "5",
            "--max-decoded",
            "7",
            "--max-ratio",
            "3",
            "--max-request-body",
            "9",
        ],
        *[
            "--max-head",
            "200",
            "--max-target",
            "20",
            "--max-fields",
            "2",
            "--head-timeout",
            "1",
            "--connect-timeout",
            "2",
        ],
        *[
            "--response-timeout",
            "3",
            "--connect-port",
            "any",
            "--inspect-request",
            "--skip-type",
            "Video/*",
            "--allow-upgrade",
            "WebSocket",
            "--hold-time",
            "8",
            "--hold-free",
            "6",
        ],
    )
    policy = options.policy
    assert policy.holding == Holding(memory=10, disk=10, seconds=8.0, free=6)
    assert (policy.decoding.size, policy.decoding.ratio) == (7, 3.0)
    assert policy.mostRequestBody == 9
    assert (policy.heads.size, policy.heads.target, policy.heads.fields) == (200, 20, 2)
    assert (policy.phases.head, policy.phases.connect, policy.phases.response) == (1.0, 2.0, 3.0)
    assert policy.connectPorts == frozenset()
    assert policy.inspectRequest
    assert policy.skipTypes == {"video/*"}
    assert policy.upgrades == {b"websocket"}


def test_theService() -> None:
    """A listener for each --listen, with the common limits."""
    options = parsed("--listen", "tcp:0", "--listen", "tcp:0:interface=127.0.0.2", "--max-per-peer", "7")
    found = list(listeners(makeService(options)))
    assert len(found) == 2
    for listener in found:
        assert isinstance(listener, StreamListener)
        assert isinstance(listener.factory, ProxyFactory)
        assert listener.factory.limits.maxPerPeer == 7
        assert listener.detail == "forward"


def authorityIn(folder: Path, days: int = 30) -> str:
    saveAuthority(folder, makeAuthority(datetime.now(UTC) - timedelta(days=10), timedelta(days=days)))
    return str(folder)


def test_intercept(tmp_path: Path) -> None:
    """Everything is read before the service starts: which hosts, the authority, whom to trust."""
    options = parsed(
        "--ca", authorityIn(tmp_path), "--origin-ca", f"{tmp_path}/ca.pem", "--handshake-timeout", "3",
        "--intercept", "localhost", "--intercept", "*.test",
    )  # fmt: skip
    interception = options.interception
    assert interception is not None
    assert interception.handshake == 3.0
    assert interception.origin(Origin("LOCALHOST", 443)) == Origin("localhost", 443, secure=True)
    assert interception.origin(Origin("a.test", 8443)) == Origin("a.test", 8443, secure=True)
    assert interception.origin(Origin("elsewhere.example", 443)) is None
    assert options.trust is not None


def test_withoutInterceptNothingIsLookedInto() -> None:
    options = parsed()
    assert options.interception is None
    assert options.trust is None


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--intercept", "a b"], "--intercept: 'a b' is neither a host name nor an address"),
        (["--intercept", "*"], "--intercept: '*' is neither"),
        (["--intercept", "bank.org"], "--intercept: the authority in FOLDER may not sign for bank.org; "
         "'labnet ca --permit bank.org' makes one that may"),
        (["--intercept", ".org"], "--intercept: the authority in FOLDER may not sign for org;"),
        (["--intercept", "localhost", "--origin-ca", "nowhere"], "--origin-ca: 'nowhere' holds no"),
        (["--intercept", "localhost", "--target", "a:1"], "--intercept and --target: use one of them"),
        (["--intercept", "localhost", "--ca", "nowhere"], "--ca: there is no authority in nowhere"),
        (["--origin-ca", "x"], "--origin-ca: it goes with --intercept"),
    ],
)  # fmt: skip
def test_mistakesAboutInterception(tmp_path: Path, arguments: list[str], why: str) -> None:
    given = arguments if "--ca" in arguments else ["--ca", authorityIn(tmp_path), *arguments]
    with pytest.raises(UsageError) as caught:
        parsed(*given)
    assert why in str(caught.value).replace(str(tmp_path), "FOLDER")


def test_anAuthorityThatHasExpired(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--ca: the authority in .* has expired; 'labnet ca' makes"):
        parsed("--ca", authorityIn(tmp_path, days=9), "--intercept", "localhost")
