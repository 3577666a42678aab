"""
The options that say who may use the proxy, and where it may go.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.python.usage import UsageError

from labnet.net.service import listeners
from labnet.proxy.factory import ProxyFactory
from labnet.proxy.outbound import CheckedEndpoint
from labnet.proxy.tap import Options, makeService
from labnet.proxy.target import Origin
from labnet.proxy.upstream import TunnelEndpoint, Upstream, basicCredentials
from labnet.proxy.wire import BadMessage, Fields, RequestHead, Version
from tests.passwords import SECRET, atOnce


def parsed(*arguments: str) -> Options:
    options = Options()
    options.parseOptions(["--listen", "tcp:0", *arguments])
    return options


def factory(*arguments: str) -> ProxyFactory:
    (listener,) = listeners(makeService(parsed(*arguments)))
    assert isinstance(listener.factory, ProxyFactory)
    return listener.factory


def allowed(endpoint: IStreamClientEndpoint, address: str) -> bool:
    """Whether an endpoint would connect to its host at that address."""
    assert isinstance(endpoint, CheckedEndpoint)
    try:
        return endpoint._allowed((address,)) == (address,)
    except BadMessage:
        return False


def test_toldNothing() -> None:
    """Clients on this machine, and anywhere with them; nobody is asked."""
    made = factory()
    assert made.access.welcomes("127.0.0.1")
    assert not made.access.welcomes("192.0.2.1")
    assert not made.access.asks
    assert allowed(made.connect(Origin("o", 80)), "127.0.0.1")
    assert made.upstreams.of("any.example") is None


def test_forOthers() -> None:
    """Only to public addresses, but for what a rule allows; the first rule decides."""
    rules = ["--allow-client", "any", "--deny-destination", "10.0.0.1", "--allow-destination", "10.0.0.0/8"]
    made = factory(*rules)
    assert made.access.welcomes("192.0.2.1")
    connect = made.connect(Origin("o", 80))
    addresses = ["127.0.0.1", "10.0.0.1", "10.0.0.2", "8.8.8.8"]
    assert [allowed(connect, address) for address in addresses] == [False, False, True, True]


def test_theOneOriginMayBeAnywhere() -> None:
    """... and asks for passwords as a site does."""
    made = factory("--allow-client", "any", "--target", "Site.example:8000")
    assert allowed(made.connect(Origin("site.example", 8000)), "127.0.0.1")
    assert not allowed(made.connect(Origin("site.example", 8001)), "127.0.0.1")
    assert allowed(
        factory("--allow-client", "any", "--target", "[::1]:80").connect(Origin("::1", 80)), "::1"
    )


def test_passwords(tmp_path: Path) -> None:
    users = tmp_path / "users"
    users.write_text(SECRET.line("joe"))
    assert factory("--password-file", str(users)).access.asks


def test_passwordsAreReadAgain(tmp_path: Path) -> None:
    """A file that is wrong then changes nothing."""
    users = tmp_path / "users"
    users.write_text(SECRET.line("joe"))
    options = parsed("--password-file", str(users))
    head = RequestHead(
        b"GET",
        b"/",
        Version.HTTP11,
        Fields([(b"Proxy-Authorization", basicCredentials("joe", "secret"))]),
    )
    access = options.access(atOnce)
    names: list[str] = []
    access.identify("127.0.0.1", head).addCallback(names.append)
    users.write_text("nonsense")
    with pytest.raises(UsageError, match=r"--password-file: .*users: line 1 is not"):
        options.readAgain()
    access.identify("127.0.0.1", head).addCallback(names.append)
    assert names == ["joe", "joe"]
    users.write_text(SECRET.line("jim"))
    options.readAgain()
    refused: list[object] = []
    access.identify("127.0.0.1", head).addErrback(lambda failure: refused.append(failure.value.status))
    assert refused == [407]


def test_upstreams(tmp_path: Path) -> None:
    """One for all, others for some, none for the rest; with the password of the URL, or of the file."""
    auth = tmp_path / "auth"
    auth.write_text("joe:a:b\r\nmore\n", newline="")
    made = factory(
        "--upstream", "http://next.example:3128", "--upstream-auth", str(auth),
        "--upstream-for", "*.lab.example=direct", "--upstream-for", "10.0.0.0/8=http://a%40b:c@[::1]:8080/",
    )  # fmt: skip
    named = Upstream("next.example", 3128, authorization=basicCredentials("joe", "a:b"))
    assert made.upstreams.of("o.example") == named
    assert made.upstreams.of("x.lab.example") is None
    assert made.upstreams.of("10.1.1.1") == Upstream(
        "::1", 8080, authorization=basicCredentials("a@b", "c")
    )
    assert isinstance(made.connect(Origin("o.example", 443)), TunnelEndpoint)
    assert isinstance(made.connect(named), CheckedEndpoint)


def test_allPlacesShareTheirLimits() -> None:
    """Who comes to another port is the same client."""
    service = makeService(parsed("--listen", "tcp:0:interface=127.0.0.2", "--request-rate", "1"))
    first, second = (listener.factory for listener in listeners(service))
    assert isinstance(first, ProxyFactory)
    assert isinstance(second, ProxyFactory)
    assert first.access is second.access


def test_numbers() -> None:
    options = parsed("--exchange-timeout", "7", "--max-tunnels", "3", "--dns-cache", "0")
    assert options.policy.phases.exchange == 7.0
    assert (options["max-tunnels"], options["dns-cache"]) == (3, 0.0)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--allow-client", "10.0.0.1/8"], "--allow-client: '10.0.0.1/8' is an address in 10.0.0.0/8"),
        (["--allow-client", "host"], "--allow-client: 'host' is neither an address nor a network"),
        (["--allow-destination", "a b"], "--allow-destination: 'a b' is neither a host"),
        (["--deny-destination", "a:0"], "--deny-destination: 'a:0': the port is not"),
        (["--password-file", "/nowhere"], "--password-file: /nowhere: No such file"),
        (["--password-file", "FILE"], "--password-file: FILE: line 1 is not of the form"),
        (["--upstream", "next:3128"], "--upstream: the URL is not of the form http://HOST:PORT"),
        (["--upstream", "https://next:3128"], "--upstream: the URL is not"),
        (["--upstream", "http://next"], "--upstream: the URL is not"),
        (["--upstream", "http://u:hidden@next:x"], "--upstream: the URL is not"),
        (["--upstream", "http://next:1/path"], "--upstream: the URL is not"),
        (["--upstream-for", "host"], "--upstream-for: 'host' is not of the form PATTERN=URL"),
        (["--upstream-for", "a b=direct"], "--upstream-for: 'a b' is neither"),
        (["--upstream-for", "a=ftp://x:1"], "--upstream-for: the URL is not"),
        (["--upstream-auth", "FILE"], "--upstream-auth: FILE: the first line is not NAME:PASSWORD"),
        (["--upstream-auth", "/nowhere"], "--upstream-auth: /nowhere: No such file"),
        (["--upstream-auth", "GOOD"], "--upstream-auth: it goes with --upstream"),
        (["--request-rate", "-1"], "--request-rate: '-1' is not a number at least 0"),
        (["--max-tunnels", "x"], "--max-tunnels: 'x' is not a whole number"),
    ],
)
def test_mistakesAreOneLine(tmp_path: Path, arguments: list[str], says: str) -> None:
    """Each names its option, and no password."""
    (tmp_path / "FILE").write_text("nonsense\n")
    (tmp_path / "GOOD").write_text("joe:hidden\n")
    option, value = arguments
    with pytest.raises(UsageError) as raised:
        parsed(option, str(tmp_path / value) if value in ("FILE", "GOOD") else value)
    text = str(raised.value).replace(f"{tmp_path}/", "")
    assert text.startswith(says)
    assert "\n" not in text
    assert "hidden" not in text
