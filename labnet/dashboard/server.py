"""
The dashboard as a service: the page, and what it looks at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IListeningPort, IReactorCore, IReactorTime, IStreamServerEndpoint
from twisted.logger import Logger

from labnet.dashboard.panels import Decisions, Members, Registered
from labnet.dashboard.scene import Scene
from labnet.dashboard.viewers import Viewers
from labnet.dashboard.web import DashboardFactory, Pages
from labnet.net import exposition, figures
from labnet.net.limits import Limits
from labnet.net.service import Listener, Onlooker, StreamListener, listeners
from labnet.net.sockets import SocketOptions
from labnet.net.trace import Trace

__all__ = ["Dashboard", "PageListener"]

_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}


class _Reactor(IReactorTime, IReactorCore):
    """What it needs of a reactor."""


class PageListener(StreamListener):
    """
    Listens for browsers, and once the process runs says in the log where the page is.

    @param reactor: tells when the process runs.
    @param secure: whether it is asked for over TLS.
    """

    def __init__(
        self, reactor: _Reactor, endpoint: IStreamServerEndpoint, factory: DashboardFactory, *, secure: bool
    ) -> None:
        super().__init__("dashboard", endpoint, factory)
        self._reactor = reactor
        self._scheme = "https" if secure else "http"
        self._token = factory.pages.token

    @property
    def url(self) -> str:
        """The page's, with the token; empty while there is none, and for a UNIX socket."""
        where = self.port.getHost() if self.port is not None else None
        if not isinstance(where, (IPv4Address, IPv6Address)):
            return ""
        host = _EVERYWHERE.get(where.host, where.host)
        host = f"[{host}]" if ":" in host else host
        return f"{self._scheme}://{host}:{where.port}/?token={self._token}"

    def _listens(self, port: IListeningPort) -> None:
        super()._listens(port)
        # The last line of a start is the one that is found again.
        self._reactor.callWhenRunning(self._say)

    def _say(self) -> None:
        if self.url:
            self.log.info("dashboard: {url}", url=self.url)


class Dashboard(Onlooker):
    """
    What somebody can look at, and the pages for it.

    @param reactor: its clock, and when it runs.
    @param trace: what went over the connections.
    @param token: what one has to know to look.
    @param hosts: names by which the page may be asked for, beside localhost and addresses.
    @param mostViewers: pages that are open at the same time.
    @ivar viewers: who looks.
    """

    log = Logger()

    def __init__(
        self,
        reactor: _Reactor,
        trace: Trace,
        token: str,
        hosts: Iterable[str] = (),
        *,
        mostViewers: int = 16,
        limits: Limits | None = None,
        sockets: SocketOptions | None = None,
    ) -> None:
        super().__init__()
        self._decisions = Decisions()
        self.scene = Scene(trace, self._found, (self._decisions, Registered(), Members()))
        self.viewers = Viewers(reactor, self.scene, mostViewers)
        self._reactor = reactor
        self._pages = Pages(self.viewers, token, hosts)
        self._limits = limits
        self._sockets = sockets

    def listen(self, endpoint: IStreamServerEndpoint, *, secure: bool = False) -> None:
        """
        Be there for browsers, once the service has started.

        @param endpoint: where.
        @param secure: whether that is TLS.
        """
        factory = DashboardFactory(self._reactor, self._pages, limits=self._limits, sockets=self._sockets)
        self.addService(PageListener(self._reactor, endpoint, factory, secure=secure))  # type: ignore[no-untyped-call]

    def urls(self) -> list[str]:
        """Where the page is, with the token, once it listens."""
        pages = (listener for listener in listeners(self) if isinstance(listener, PageListener))
        return [listener.url for listener in pages if listener.url]

    def startService(self) -> None:
        super().startService()  # type: ignore[no-untyped-call]
        found = self.scene.listeners()
        if all(isinstance(listener, PageListener) for listener in found):
            self.log.warn("dashboard: there is nothing to look at; see --watch")
        self._decisions.attach(found)
        if exposition.available():
            # What is counted only for those who ask is counted from now on.
            figures.figuresOf(found)

    def _found(self) -> Iterator[Listener]:
        return listeners(self.others)
