"""
C{twistd labnet-dashboard}: a page that shows what goes over the wire.
"""

from __future__ import annotations

import re
import secrets
from importlib import import_module
from pathlib import Path
from typing import ClassVar

from labnet.catalogue import Entry, Kind, entryFor
from labnet.dashboard.server import Dashboard
from labnet.net.dissection import dissectorFor
from labnet.net.endpoints import DatagramAddress
from labnet.net.faulting import FaultSwitch
from labnet.net.hosts import BadHost, plainHost
from labnet.net.layers import LayeredEndpoint
from labnet.net.options import ServerOptions, UsageError, number
from labnet.net.service import listeners
from labnet.net.trace import Trace
from labnet.relay import tap as relay

__all__ = ["Options", "makeService"]

_WATCH = re.compile(
    r"(?:(?P<service>[a-z][\w-]*)(?:/(?P<detail>[\w-]+))?=(?=\w+:))?"
    r"(?P<listen>\w+:.*)=(?P<target>(?:tcp|udp|tls|unix):.*)"
)
_TOKEN = re.compile(r"[A-Za-z0-9._~-]{16,200}")


class Options(ServerOptions):
    """
    The dashboard's options.

    @ivar token: what one has to know to look.
    @ivar watched: the relays in front of what is watched, each with the service and the detail that its
        conversations are shown under; empty for its own.
    """

    synopsis = "[options]"
    longdesc = (
        "A page that shows who is connected and what is sent, piece by piece. In the lab it shows the lab; "
        "on its own what goes through --watch. Its URL, with a token, is in the log."
    )

    entry: ClassVar[Entry] = entryFor("dashboard", Kind.SERVER)
    # Browsers, each with a few connections, and whoever asks for figures.
    suited: ClassVar[dict[str, object]] = {"max-connections": 128, "idle-timeout": 60.0}

    optParameters = [
        ["token-file", None, None, "A file with the token that opens the page; without one it is a new "
         "one at each start."],
        ["max-viewers", None, 16, "Pages that are open at the same time.",
         number(int, "max-viewers", 1, 1_000)],
    ]  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self["watch"] = []
        self["web-host"] = []
        self.token = ""
        self.watched: tuple[tuple[str, str, relay.Options], ...] = ()

    def opt_watch(self, description: str) -> None:
        """
        LISTEN=TARGET: relay what comes to LISTEN to anybody's server at TARGET, and show it, as in
        tcp:9100=tcp:127.0.0.1:9000. With calculator= or calculator/net= before it, it is shown as what
        such a server speaks. May be repeated.
        """
        self["watch"].append(description)

    def opt_web_host(self, host: str) -> None:
        """
        A name under which browsers may reach the page; may be repeated. Without one it is localhost and
        addresses only, so that no other site's name can be made to lead here.
        """
        try:
            self["web-host"].append(plainHost(host))
        except BadHost as error:
            raise UsageError(f"--web-host: {error}") from error

    def postOptions(self) -> None:
        super().postOptions()
        for listening in self.listening:
            if isinstance(listening.where, DatagramAddress):
                raise UsageError(f"--listen: {listening.description!r}: browsers come over streams only")
        self.token = self._readToken()
        self.watched = tuple(self._watch(description) for description in self["watch"])

    def _readToken(self) -> str:
        path = self["token-file"]
        if path is None:
            return secrets.token_urlsafe(24)
        try:
            token = Path(path).read_text("utf-8").strip()
        except OSError as error:
            raise UsageError(f"--token-file: {path}: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise UsageError(f"--token-file: {path}: not UTF-8 at byte {error.start}") from error
        if _TOKEN.fullmatch(token) is None:
            raise UsageError(
                f"--token-file: {path}: a token has 16 to 200 letters, digits and - . _ ~, in one line"
            )
        return token

    def _watch(self, description: str) -> tuple[str, str, relay.Options]:
        match = _WATCH.fullmatch(description)
        if match is None:
            raise UsageError(f"--watch: {description!r} is not of the form LISTEN=TARGET")
        service, detail = match["service"] or "", match["detail"] or ""
        if service:
            try:
                detail = detail or _usualDetail(entryFor(service, Kind.SERVER))
            except KeyError:
                raise UsageError(f"--watch: {description!r}: there is no service {service!r}") from None
            transport = match["listen"].partition(":")[0]
            if match["detail"] and dissectorFor(service, detail, transport) is None:
                raise UsageError(f"--watch: {description!r}: there is no {service} that is {detail!r}")
        options = relay.Options()
        try:
            options.parseOptions(["--listen", match["listen"], "--to", match["target"]])
        except UsageError as error:
            raise UsageError(f"--watch: {description!r}: {error}") from error
        return service, detail, options


def _usualDetail(entry: Entry) -> str:
    """What the first listener of a server is called when it is told nothing: struct9 of the calculator."""
    tap = import_module(entry.tap)
    options = tap.Options()
    options.parseOptions([])
    return next((listener.detail for listener in listeners(tap.makeService(options))), "")


def makeService(options: Options) -> Dashboard:
    """
    The dashboard as a service. It shows what is in C{options.layers.trace}, or else a trace of its own; its
    own connections are in neither, and nothing breaks them: C{--faults} is for what is watched.
    """
    trace = options.layers.trace or Trace()
    dashboard = Dashboard(
        options.reactor,
        trace,
        options.token,
        options["web-host"],
        mostViewers=options["max-viewers"],
        limits=options.limits,
        sockets=options.sockets,
    )
    for service, detail, relaying in options.watched:
        # What goes on to the other side is the same once more.
        relaying.layers.trace, relaying.layers.outgoing = trace, False
        relaying.layers.redaction, relaying.layers.looker = options.layers.redaction, options.layers.looker
        relaying.layers.faults = options.layers.faults or FaultSwitch()
        relays = relay.makeService(relaying)
        for listener in listeners(relays) if service else ():
            listener.serviceName, listener.detail = service, detail
        dashboard.addService(relays)  # type: ignore[no-untyped-call]
    for listening in options.listening:
        assert isinstance(listening.where, LayeredEndpoint)
        secure = listening.description.startswith("ssl:")
        dashboard.listen(listening.where.endpoint, secure=secure)
    return dashboard
