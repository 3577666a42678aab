"""
The options that say who may use the proxy, how much, and where it may go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress
from twisted.internet.threads import deferToThreadPool

from labnet.net.direct import connectsDirectly
from labnet.net.hosts import BadHost, HostPatterns, plainHost
from labnet.net.logins import InThread, Logins
from labnet.net.options import ServerOptions, UsageError, number, readPasswords
from labnet.net.passwords import PasswordHash
from labnet.net.secure import Trust
from labnet.net.sharing import SharedLimits
from labnet.proxy.access import Access
from labnet.proxy.lookups import LookUps
from labnet.proxy.networks import LOOPBACK, BadRule, Destinations, Networks, Pattern, Rule
from labnet.proxy.outbound import Outbound, itself
from labnet.proxy.target import Origin
from labnet.proxy.upstream import Upstream, Upstreams, basicCredentials

__all__ = ["AccessOptions"]

if TYPE_CHECKING:
    _Options = ServerOptions
else:
    # A mixin: the options of what it is mixed into are gathered once.
    _Options = object


class AccessOptions(_Options):
    """
    Mixed into the proxy's options.

    @ivar target: the one origin of a proxy that stands before it; it may always be reached.
    """

    optParameters = [
        ["password-file", None, None, "Who may use the proxy: lines made by 'labnet files password NAME'. "
         "Without it nobody is asked."],
        ["request-rate", None, 0.0, "Requests a second from one address, twice that in a burst; 0: no "
         "limit.", number(float, "request-rate", 0.0)],
        ["max-tunnels", None, 0, "CONNECT tunnels at the same time; 0: no limit.",
         number(int, "max-tunnels", 0)],
        ["exchange-timeout", None, 86_400.0, "Seconds that one request and its whole answer may take; 0: "
         "no limit.", number(float, "exchange-timeout", 0.0)],
        ["dns-cache", None, 10.0, "Seconds that the addresses of a name are kept; 0: not at all.",
         number(float, "dns-cache", 0.0)],
        ["upstream", None, None, "The proxy behind this one: http://[NAME:PASSWORD@]HOST:PORT."],
        ["upstream-auth", None, None, "A file whose first line is the NAME:PASSWORD for the proxies behind "
         "this one that have none in their URL."],
    ]  # fmt: skip

    target: Origin | None

    def __init__(self) -> None:
        super().__init__()
        self["allow-client"] = []
        self["allow-destination"] = []
        self["deny-destination"] = []
        self["upstream-for"] = []
        self.clients = LOOPBACK
        self._destinationRules: list[Rule] = []
        self._chosen: list[tuple[Pattern, Upstream | None]] = []
        self._upstream: Upstream | None = None
        self._passwords: dict[str, PasswordHash] | None = None
        self._logins: Logins | None = None

    def opt_allow_client(self, network: str) -> None:
        """
        Who may use the proxy: an address, a network as 10.0.0.0/8, or 'any'. May be repeated.
        [default: 127.0.0.0/8 and ::1]
        """
        self["allow-client"].append(network)

    def opt_allow_destination(self, rule: str) -> None:
        """
        Where the proxy may go: a host, a domain as .lab.example, an address, a network or 'any', and :PORT
        if it is about one port only. May be repeated; of all --allow-destination and --deny-destination the
        first that fits decides.
        """
        self["allow-destination"].append(rule)
        self._addRule("allow-destination", True, rule)

    def opt_deny_destination(self, rule: str) -> None:
        """
        Where the proxy may not go, written as for --allow-destination. May be repeated.
        """
        self["deny-destination"].append(rule)
        self._addRule("deny-destination", False, rule)

    def opt_upstream_for(self, choice: str) -> None:
        """
        PATTERN=URL, or PATTERN=direct: which proxy some hosts are reached through, or that they are reached
        without one. A pattern is a host, a domain as .lab.example, an address or a network. May be
        repeated; the first that fits decides.
        """
        self["upstream-for"].append(choice)

    def _addRule(self, option: str, allows: bool, text: str) -> None:
        try:
            self._destinationRules.append(Rule.read(allows, text))
        except BadRule as error:
            raise UsageError(f"--{option}: {error}") from error

    def postOptions(self) -> None:
        super().postOptions()
        if self["allow-client"]:
            try:
                self.clients = Networks(self["allow-client"])
            except BadRule as error:
                raise UsageError(f"--allow-client: {error}") from error
        if self["password-file"]:
            self._passwords = readPasswords("password-file", self["password-file"])
        self._readUpstreams()

    def _readUpstreams(self) -> None:
        authorization = self._readAuthorization()
        if self["upstream"]:
            self._upstream = _upstream("upstream", self["upstream"], authorization)
        for choice in self["upstream-for"]:
            text, equals, url = choice.partition("=")
            try:
                pattern = Pattern.read(text)
            except BadRule as error:
                raise UsageError(f"--upstream-for: {error}") from error
            if not equals:
                raise UsageError(
                    f"--upstream-for: {choice!r} is not of the form PATTERN=URL or PATTERN=direct"
                )
            upstream = None if url == "direct" else _upstream("upstream-for", url, authorization)
            self._chosen.append((pattern, upstream))
        if authorization and self._upstream is None and not any(upstream for _, upstream in self._chosen):
            raise UsageError("--upstream-auth: it goes with --upstream or --upstream-for")

    def _readAuthorization(self) -> bytes:
        name = self["upstream-auth"]
        if not name:
            return b""
        try:
            line = Path(name).read_text("utf-8").partition("\n")[0].strip("\r")
        except OSError as error:
            raise UsageError(f"--upstream-auth: {name}: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise UsageError(f"--upstream-auth: {name}: not UTF-8 at byte {error.start}") from error
        user, colon, password = line.partition(":")
        if not user or not colon:
            raise UsageError(f"--upstream-auth: {name}: the first line is not NAME:PASSWORD")
        return basicCredentials(user, password)

    def readPasswordsAgain(self) -> None:
        """
        From now on the passwords are what is in their file now.

        @raise UsageError: it is not there, or wrong; then they stay as they are.
        """
        if self._logins is not None:
            self._logins.replace(readPasswords("password-file", self["password-file"]))

    def access(self, inThread: InThread | None = None, shared: SharedLimits | None = None) -> Access:
        """
        Who may use the proxy, and how much: the same for all places where it listens.

        @param inThread: where passwords are computed; in the reactor's threads, unless told otherwise.
        @param shared: what is counted with other processes together, if there are any.
        """
        reactor: Any = self.reactor

        def inItsThreads(call: Callable[[], Any]) -> Deferred[Any]:
            return deferToThreadPool(reactor, reactor.getThreadPool(), call)

        if self._passwords is not None:
            self._logins = Logins(reactor, self._passwords, inThread or inItsThreads)
        return Access(
            reactor,
            clients=self.clients,
            logins=self._logins,
            asSite=self.target is not None,
            requestRate=self["request-rate"],
            mostTunnels=self["max-tunnels"],
            shared=shared,
        )

    def outbound(
        self,
        listening: Callable[[], Iterable[IAddress]],
        *,
        timeout: float,
        trust: Trust | None,
        handshake: float,
    ) -> Outbound:
        """
        The ways out.

        @param listening: gives the addresses where the proxy listens; it does not go to itself.
        @param timeout: seconds that connecting may take.
        @param trust: by whom origins that are to be secure are proved.
        @param handshake: seconds that the proof may take.
        """
        reactor: Any = self.reactor
        rules = list(self._destinationRules)
        if self.target is not None:
            named = Pattern(HostPatterns(frozenset((self.target.host.lower().removesuffix("."),))))
            rules.insert(0, Rule(True, named, self.target.port))
        confined = not self.clients.local
        destinations = Destinations(rules, confined=confined, itself=itself(listening))
        return Outbound(
            connectsDirectly(reactor),
            LookUps(reactor, reactor, keep=self["dns-cache"]),
            destinations,
            Upstreams(self._upstream, self._chosen, destinations),
            timeout=timeout,
            trust=trust,
            handshake=handshake,
        )


def _upstream(option: str, url: str, authorization: bytes) -> Upstream:
    """
    The proxy at a URL. What is wrong with it is told without the URL, which may hold a password.
    """
    form = "http://HOST:PORT or http://NAME:PASSWORD@HOST:PORT"
    try:
        parts = urlsplit(url)
        port = parts.port
        host = plainHost(parts.hostname or "")
    except (ValueError, BadHost) as error:
        raise UsageError(f"--{option}: the URL is not of the form {form}") from error
    if parts.scheme != "http" or not port or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise UsageError(f"--{option}: the URL is not of the form {form}")
    if parts.username:
        authorization = basicCredentials(unquote(parts.username), unquote(parts.password or ""))
    return Upstream(host, port, authorization=authorization)
