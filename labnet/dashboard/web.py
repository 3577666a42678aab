"""
The page and what it asks for, over HTTP: whoever asks has to know the token.

There is no cookie: browsers send those to every port of a host, and the lab has many. The token is in the
URL that is printed, then in the memory of the page, and comes with each request. See C{docs/dashboard.md}.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib import resources
from importlib.metadata import version
from ipaddress import ip_address
from typing import Any, ClassVar

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from labnet.dashboard.export import Download, asked
from labnet.dashboard.selection import Selection
from labnet.dashboard.viewers import Viewers
from labnet.net import exposition, figures, pcapng
from labnet.net.faults import BadFaults
from labnet.net.limits import Limits
from labnet.net.site import SiteFactory
from labnet.net.sockets import SocketOptions

__all__ = ["DashboardFactory", "Pages"]

_FIELDS = {
    b"Cache-Control": b"no-store",
    b"X-Content-Type-Options": b"nosniff",
    b"Referrer-Policy": b"no-referrer",
    b"Cross-Origin-Resource-Policy": b"same-origin",
    b"Cross-Origin-Opener-Policy": b"same-origin",
    b"Content-Security-Policy": (
        b"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
        b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
}
_HTML = b"text/html; charset=utf-8"
_CSS = b"text/css; charset=utf-8"
_JAVASCRIPT = b"text/javascript; charset=utf-8"
_JSON = b"application/json"

#: What is in the package, by path, and what it is.
_ASSETS = {
    b"/dashboard.css": _CSS,
    b"/dashboard.js": _JAVASCRIPT,
    b"/ladder.js": _JAVASCRIPT,
    b"/panels.js": _JAVASCRIPT,
    b"/words.js": _JAVASCRIPT,
}
#: What anybody may have: the page that says where the token is, and what finds it again after a reload.
_PUBLIC = {b"/locked.css": _CSS, b"/locked.js": _JAVASCRIPT}

#: What has no length that is known beforehand, and so nothing for HEAD.
_STREAMS = (b"/events", b"/export.pcapng")

_LONGEST_BODY = 4_096

_Answer = bytes | int


class Pages(Resource):
    """
    Everything that the page's server answers.

    @param viewers: who looks, and at what.
    @param token: what one has to know.
    @param hosts: names by which the page may be asked for, beside localhost and addresses.
    """

    isLeaf = True

    def __init__(self, viewers: Viewers, token: str, hosts: Iterable[str] = ()) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.viewers = viewers
        self.token = token
        self._hosts = frozenset(hosts) | {"localhost"}
        self._paths: dict[bytes, dict[bytes, Callable[[Any], _Answer]]] = {
            b"/": {b"GET": self._page},
            b"/events": {b"GET": self._events},
            b"/conversation": {b"GET": self._conversation},
            b"/export.pcapng": {b"GET": self._export},
            b"/faults": {b"POST": self._faults},
            b"/metrics": {b"GET": self._metrics},
        }
        for path, kind in (_ASSETS | _PUBLIC).items():
            self._paths[path] = {b"GET": _serving(path, kind)}

    def render(self, request: Any) -> _Answer:
        """Answer, or say why not."""
        for name, value in _FIELDS.items():
            request.setHeader(name, value)
        if not self._answersTo(request.getRequestHostname().decode("latin-1").lower()):
            return _answer(
                request, 421, {"error": "This page is not known under that name; see --web-host."}
            )
        path = request.path
        if path not in _PUBLIC and not self._knows(request):
            return _locked(request)
        methods = self._paths.get(path)
        if methods is None:
            return _answer(request, 404, {"error": "There is no such page."})
        method = b"GET" if request.method == b"HEAD" and path not in _STREAMS else request.method
        if method not in methods:
            request.setHeader(b"Allow", b", ".join(methods))
            return _answer(request, 405, {"error": "This can not be done here."})
        content = methods[method](request)
        if request.method == b"HEAD" and isinstance(content, bytes):
            request.setHeader(b"Content-Length", b"%d" % len(content))
            return b""
        return content

    def _answersTo(self, host: str) -> bool:
        """Whether that is a name that no other site can have."""
        try:
            ip_address(host.removeprefix("[").removesuffix("]"))
        except ValueError:
            return host in self._hosts
        return True

    def _knows(self, request: Any) -> bool:
        """
        Whether the token came with the request: in its head, or, where nothing can be changed, in its URL.
        """
        given = request.getHeader(b"authorization") or b""
        scheme, _, token = given.partition(b" ")
        if scheme.lower() != b"bearer":
            token = b""
            if request.method in (b"GET", b"HEAD"):
                token = (request.args.get(b"token") or [b""])[0]
        return hmac.compare_digest(token.strip(), self.token.encode())

    def _page(self, request: Any) -> bytes:
        request.setHeader(b"Content-Type", _HTML)
        return _asset("page.html").replace(b"{token}", self.token.encode())

    def _events(self, request: Any) -> _Answer:
        if not self.viewers.enter(request, Selection.read(request.args)):
            request.setHeader(b"Retry-After", b"10")
            return _answer(
                request, 503, {"error": f"{self.viewers.most} pages are open; that is the most."}
            )
        return NOT_DONE_YET

    def _conversation(self, request: Any) -> bytes:
        number = _number(request, b"id")
        conversation = self.viewers.scene.trace.conversations.get(number)
        if conversation is None:
            return _answer(request, 404, {"error": f"Conversation #{number} is no longer kept."})
        return _answer(request, 200, self.viewers.ladders.of(conversation).page(_number(request, b"after")))

    def _export(self, request: Any) -> _Answer:
        try:
            found = asked(self.viewers.scene.trace.conversations.values(), request.args)
        except pcapng.BadSelection as error:
            return _answer(request, 400, {"error": f"{error}."})
        if not found:
            return _answer(request, 404, {"error": "There are no such conversations."})
        request.setHeader(b"Content-Type", pcapng.MEDIA_TYPE.encode("ascii"))
        request.setHeader(b"Content-Disposition", b'attachment; filename="labnet.pcapng"')
        Download(request, pcapng.write(found, application=f"labnet {version('labnet')}"))
        return NOT_DONE_YET

    def _faults(self, request: Any) -> bytes:
        try:
            line = request.content.read().decode()
            found = self.viewers.scene.listeners()
            now = self.viewers.scene.switches.turn(found, _number(request, b"number"), line)
        except UnicodeDecodeError:
            return _answer(request, 400, {"error": "A line of faults is UTF-8 text."})
        except BadFaults as error:
            return _answer(request, 400, {"error": f"{error}."})
        except LookupError:
            return _answer(
                request, 404, {"error": "There is no such switch any more; load the page again."}
            )
        return _answer(request, 200, {"line": now})

    def _metrics(self, request: Any) -> bytes:
        if not exposition.available():
            return _answer(request, 501, {"error": f"The figures: {exposition.MISSING}."})
        kind, page = figures.page(self.viewers.scene.listeners(), request.getHeader("accept") or "")
        request.setHeader(b"Content-Type", kind.encode("ascii"))
        return page


def _number(request: Any, name: bytes) -> int:
    text = (request.args.get(name) or [b""])[0]
    return int(text) if text.isdigit() and len(text) < 16 else 0


def _locked(request: Any) -> bytes:
    """Who does not know the token is told where it is."""
    request.setHeader(b"WWW-Authenticate", b'Bearer realm="labnet"')
    if request.path != b"/":
        return _answer(request, 401, {"error": "The token is missing, or an old one; it is in the log."})
    request.setResponseCode(401)
    request.setHeader(b"Content-Type", _HTML)
    return _asset("locked.html")


def _answer(request: Any, code: int, value: Mapping[str, object]) -> bytes:
    request.setResponseCode(code)
    request.setHeader(b"Content-Type", _JSON)
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")


def _serving(path: bytes, kind: bytes) -> Callable[[Any], bytes]:
    def serve(request: Any) -> bytes:
        request.setHeader(b"Content-Type", kind)
        return _asset(path[1:].decode("ascii"))

    return serve


@cache
def _asset(name: str) -> bytes:
    return resources.files("labnet.dashboard").joinpath(name).read_bytes()


class DashboardFactory(SiteFactory):
    """
    Serves the page.

    @param pages: what there is.
    """

    service: ClassVar[str] = "dashboard"
    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        pages: Pages,
        *,
        limits: Limits | None = None,
        sockets: SocketOptions | None = None,
    ) -> None:
        super().__init__(clock, pages, longestBody=_LONGEST_BODY, limits=limits, sockets=sockets)
        self.pages = pages
