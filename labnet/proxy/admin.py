"""
What an operator asks the proxy, over HTTP and at an address of its own: how it is, what it has done, and
the file that leads browsers to it.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from ipaddress import ip_address
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from labnet.net.limits import Limits
from labnet.net.site import SiteFactory
from labnet.proxy.exposition import exposition
from labnet.proxy.metrics import Snapshot
from labnet.proxy.pac import MEDIA_TYPE

__all__ = ["AdminFactory", "AdminPages"]

_TEXT = "text/plain; charset=utf-8"


class AdminPages(Resource):
    """
    C{/metrics}, C{/health} and C{/proxy.pac}. Nothing can be changed here; only GET and HEAD are answered.

    A page in a browser may have a name of its own resolve to this address. What the browser then sends
    has that name in its Host field: so only addresses, C{localhost} and C{hosts} are answered.

    @param snapshot: gathers the figures.
    @param healthy: whether the proxy serves, and is not about to end.
    @param autoConfiguration: the proxy auto-configuration file, given the host by which we were asked.
    @param hosts: further names that this may be asked by, in lower case.
    """

    isLeaf = True
    log = Logger()

    def __init__(
        self,
        snapshot: Callable[[], Coroutine[Deferred[Any], Any, Snapshot]],
        healthy: Callable[[], bool],
        autoConfiguration: Callable[[str], bytes],
        hosts: Iterable[str] = (),
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._snapshot = snapshot
        self._healthy = healthy
        self._autoConfiguration = autoConfiguration
        self._hosts = frozenset(hosts) | {"localhost"}

    def render(self, request: Request) -> object:
        """Answer GET and HEAD."""
        if request.method not in (b"GET", b"HEAD"):
            request.setHeader("Allow", "GET, HEAD")
            return _text(request, 405, "there is nothing to change here")
        host = request.getRequestHostname().decode("latin-1").lower()
        if not self._answersTo(host):
            return _text(request, 421, f"this is not {host!a}; ask by address, or see --admin-host")
        request.setHeader("Cache-Control", "no-store")
        path = request.path.decode("latin-1")
        if path == "/health":
            healthy = self._healthy()
            return _text(request, 200 if healthy else 503, "ok" if healthy else "stopping")
        if path == "/proxy.pac":
            request.setHeader("Content-Type", MEDIA_TYPE)
            return self._autoConfiguration(host)
        if path == "/metrics":
            self._metrics(request)
            return NOT_DONE_YET
        if path == "/":
            return _text(request, 200, "/health\n/metrics\n/proxy.pac")
        return _text(request, 404, "there is /health, /metrics and /proxy.pac")

    def _answersTo(self, host: str) -> bool:
        try:
            ip_address(host.removeprefix("[").removesuffix("]"))
        except ValueError:
            return host in self._hosts
        return True

    def _metrics(self, request: Request) -> None:
        gathering = Deferred.fromCoroutine(self._snapshot())
        left = request.notifyFinish()
        left.addErrback(lambda failure: gathering.cancel())
        gathering.addCallback(self._show, request)
        gathering.addErrback(self._failed, request)

    def _show(self, snapshot: Snapshot, request: Request) -> None:
        mediaType, page = exposition(snapshot, request.getHeader("accept") or "")
        request.setHeader("Content-Type", mediaType)
        request.setHeader("Content-Length", str(len(page)))
        request.write(page)
        request.finish()

    def _failed(self, failure: Failure, request: Request) -> None:
        if failure.check(CancelledError):
            return
        self.log.failure("a bug in the figures", failure=failure)
        request.write(_text(request, 500, "a bug in this service"))
        request.finish()


class AdminFactory(SiteFactory):
    """
    Serves the pages.

    @param pages: these.
    """

    service = "admin"
    log = Logger()

    def __init__(self, clock: IReactorTime, pages: AdminPages) -> None:
        # Whoever asks for figures is one of a few.
        super().__init__(clock, pages, limits=Limits(maxConnections=64, idleTimeout=60.0))


def _text(request: Request, status: int, text: str) -> bytes:
    request.setResponseCode(status)
    request.setHeader("Content-Type", _TEXT)
    return f"{text}\n".encode("ascii")
