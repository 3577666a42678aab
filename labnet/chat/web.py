"""
The chat's page for browsers: the room as server-sent events, and what one says as POST.

Whoever posts has to come from the page itself: with its token, from its origin, and under a name of this
server that no other site can have. See C{docs/protocols/chat.md}.
"""

from __future__ import annotations

import hmac
import json
import re
import secrets
from collections.abc import Sequence
from dataclasses import asdict
from functools import cache
from hashlib import sha256
from importlib import resources
from itertools import islice
from typing import Any, ClassVar

from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from twisted.logger import Logger
from twisted.web.error import UnsupportedMethod
from twisted.web.pages import notFound
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET
from zope.interface import implementer

from labnet.chat.room import Pace, Refused
from labnet.chat.server import LiveRoom
from labnet.chat.wire import Dialect, Event, LineReader, clean
from labnet.net.endpoints import peerHost
from labnet.net.limits import Limits
from labnet.net.logs import counted, shown
from labnet.net.site import SiteFactory, connectionOf
from labnet.net.sockets import SocketOptions

__all__ = ["Browser", "Page", "PageFactory", "pageFactory"]

#: Seconds between signs of life on a stream, and that a member stays in the room without one.
PING = 15.0
_COOKIE = b"labnet-chat"
_COOKIE_VALUE = re.compile(rb"[0-9a-f]{32}")
_TAB = re.compile(rb"[0-9a-f]{32}")
_MOST_NAMES = 500
_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def _eventJSON(event: Event) -> tuple[str, ...]:
    return (json.dumps({"kind": type(event).__name__.lower(), **asdict(event)}, ensure_ascii=False),)


def _serverSent(text: str) -> bytes:
    return b"data: " + text.encode() + b"\n\n"


#: JSON has no line end in it, so one event is one C{data:} line.
_BROWSER = Dialect("web", _eventJSON, _serverSent, LineReader)


@implementer(IPushProducer)
class Browser:
    """
    A member that is a tab of a browser. Its stream may break and come back; what happens meanwhile waits.

    @ivar name: under which it is in the room.
    """

    log = Logger()
    dialect = _BROWSER

    def __init__(self, page: Page, host: str) -> None:
        self.name = ""
        self.messages = 0
        self.pace = Pace(page.live.limits.rate, page.live.limits.burst)
        self._page = page
        self._host = host
        self._request: Any = None
        self._missed: list[bytes] = []
        self._behind = 0
        self._fullSince: float | None = None
        self._goes: IDelayedCall | None = None

    def enter(self, name: str) -> None:
        """
        Come into the room.

        @raise Refused: not under that name, or not now.
        """
        self.name = self._page.live.enter(self, name, self._host, echo=True)
        self._waitForStream()

    def leave(self, why: str) -> None:
        """Go, and end the stream."""
        if self._goes is not None and self._goes.active():
            self._goes.cancel()
        self._goes = None
        self._page.forget(self)
        self._page.live.leave(self)
        request, self._request = self._request, None
        if request is not None:
            request.unregisterProducer()
            request.finish()
        self.log.info(
            "chat browser {host}: {name}, {counted}; {outcome}",
            host=self._host,
            name=shown(self.name),
            counted=counted(self.messages, "message"),
            messages=self.messages,
            outcome=why,
        )

    # The stream.

    def attach(self, request: Any) -> None:
        """From now on events go there."""
        before, self._request = self._request, request
        if before is not None:
            before.unregisterProducer()
            before.finish()
        if self._goes is not None and self._goes.active():
            self._goes.cancel()
        self._page.live.flush()
        connectionOf(request).streaming = True
        request.setHeader(b"Content-Type", b"text/event-stream; charset=utf-8")
        request.setHeader(b"X-Accel-Buffering", b"no")
        self._fullSince = None
        missed, self._missed, self._behind = self._missed, [], 0
        request.notifyFinish().addBoth(self._detached, request)
        request.registerProducer(self, True)
        request.write(b"".join((b"retry: 2000\n\n", *missed, self._page.people(self.name))))

    def _detached(self, result: object, request: Any) -> None:
        if self._request is request:
            self._request = None
            if self._page.stopping():
                self.leave("service stopped")
            else:
                self._waitForStream()

    def _waitForStream(self) -> None:
        self._goes = self._page.live.clock.callLater(PING, self.leave, "the page is gone")

    def deliver(self, data: bytes) -> None:
        """Send what happened, or keep it for when the stream is back; who is too far behind goes."""
        waits = self._request is None or self._fullSince is not None
        if self._request is not None:
            self._request.write(data)
        else:
            self._missed.append(data)
        if waits:
            self._behind += len(data)
            if self._behind > self._page.live.limits.backlog:
                self._giveUp(
                    f"reads too slowly: is more than {self._page.live.limits.backlog} bytes behind"
                )

    def ping(self, now: float) -> None:
        """A sign of life, which is how a machine that vanished is found out."""
        stall = self._page.live.limits.stall
        if stall and self._fullSince is not None and now - self._fullSince >= stall:
            self._giveUp(f"reads too slowly: has not read for {stall:g} s")
        elif self._request is not None and self._fullSince is None:
            self._request.write(b": ping\n\n")

    def _giveUp(self, why: str) -> None:
        request, self._request = self._request, None
        self.leave(why)
        if request is not None:
            connectionOf(request).drop(why)

    # IPushProducer

    def pauseProducing(self) -> None:
        self._fullSince = self._page.live.clock.seconds()
        self._behind = 0

    def resumeProducing(self) -> None:
        self._fullSince = None

    def stopProducing(self) -> None:
        """The connection is gone; C{notifyFinish} says so."""


class Page:
    """
    What all resources of the page share: the room, and the browsers in it.

    @param live: the room.
    @param hosts: names under which the page may be asked for, beside localhost and addresses.
    """

    def __init__(self, live: LiveRoom, hosts: Sequence[str] = ()) -> None:
        self.live = live
        self.factory: PageFactory | None = None
        self._hosts = frozenset(host.lower().encode() for host in ("localhost", *hosts))
        self._secret = secrets.token_bytes(32)
        self._browsers: dict[tuple[bytes, bytes], Browser] = {}
        self._keys: dict[Browser, tuple[bytes, bytes]] = {}
        self._pinging: IDelayedCall | None = None

    def stopping(self) -> bool:
        """Whether the service ends."""
        return self.factory is not None and self.factory.settling

    def token(self, cookie: bytes) -> bytes:
        """What a page has to know to post for that cookie."""
        return hmac.new(self._secret, cookie, sha256).hexdigest().encode()

    def refusal(self, request: Any) -> str | None:
        """Why a request is not answered: it has come under a name that is not ours, or L{None}."""
        host = _withoutPort(request.getHeader(b"host") or b"")
        if host in self._hosts or isIPAddress(host.decode("latin-1")):
            return None
        if host[:1] == b"[" and isIPv6Address(host[1:-1].decode("latin-1")):
            return None
        return "This page is not known under that name; see --web-host."

    def forgery(self, request: Any) -> str | None:
        """Why a POST is not from our page, or L{None}."""
        cookie = cookieOf(request)
        token = request.getHeader(b"x-chat-token") or b""
        if not cookie or not hmac.compare_digest(token, self.token(cookie)):
            return "The page is too old; load it again."
        host = request.getHeader(b"host") or b""
        origin = request.getHeader(b"origin")
        if origin not in (b"http://" + host, b"https://" + host):
            return "This comes from another site."
        return None

    # The browsers

    def browser(self, request: Any) -> Browser | None:
        """Whose request it is."""
        key = _keyOf(request)
        return self._browsers.get(key) if key is not None else None

    def join(self, request: Any, name: str) -> Browser:
        """
        Bring a tab into the room.

        @raise Refused: not under that name, or not now.
        """
        key = _keyOf(request)
        if key is None:
            raise Refused("The page is too old; load it again.")
        present = self._browsers.get(key)
        if present is not None:
            return present
        browser = Browser(self, peerHost(request.getClientAddress()))
        browser.enter(name)
        self._browsers[key] = browser
        self._keys[browser] = key
        if self._pinging is None:
            self._pinging = self.live.clock.callLater(PING, self._ping)
        return browser

    def forget(self, browser: Browser) -> None:
        """A tab has left the room."""
        key = self._keys.pop(browser, None)
        if key is not None:
            del self._browsers[key]
        if not self._keys and self._pinging is not None:
            self._pinging.cancel()
            self._pinging = None

    def people(self, name: str) -> bytes:
        """Who is here, for a new stream, as an event of its own."""
        names = [self.live.room.nameOf(member) for member in islice(self.live.room, _MOST_NAMES)]
        return _serverSent(
            json.dumps({"kind": "people", "you": name, "names": names, "total": len(self.live.room)})
        )

    def _ping(self) -> None:
        self._pinging = self.live.clock.callLater(PING, self._ping)
        now = self.live.clock.seconds()
        for browser in tuple(self._keys):
            browser.ping(now)


def cookieOf(request: Any) -> bytes:
    """The cookie that we gave to the browser, or nothing."""
    cookie = request.getCookie(_COOKIE) or b""
    return cookie if _COOKIE_VALUE.fullmatch(cookie) else b""


def _keyOf(request: Any) -> tuple[bytes, bytes] | None:
    cookie = cookieOf(request)
    tab = request.getHeader(b"x-chat-tab") or (request.args.get(b"tab") or [b""])[0]
    return (cookie, tab) if cookie and _TAB.fullmatch(tab) else None


def _withoutPort(host: bytes) -> bytes:
    head, colon, port = host.lower().rpartition(b":")
    return head if colon and port.isdigit() and (b":" not in head or head.endswith(b"]")) else host.lower()


class _Guarded(Resource):
    """A resource that answers nobody who asks under another site's name, and keeps nothing in caches."""

    isLeaf = True

    def __init__(self, page: Page) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.page = page

    def render(self, request: Any) -> bytes | int:
        request.setHeader(b"Cache-Control", b"no-store")
        request.setHeader(b"X-Content-Type-Options", b"nosniff")
        request.setHeader(b"Referrer-Policy", b"same-origin")
        request.setHeader(b"Content-Security-Policy", _POLICY)
        refusal = self.page.refusal(request)
        if refusal is not None:
            return _answer(request, 421, {"error": refusal})
        if request.method == b"POST":
            forgery = self.page.forgery(request)
            if forgery is not None:
                return _answer(request, 403, {"error": forgery})
        try:
            return super().render(request)  # type: ignore[no-any-return, no-untyped-call]
        except UnsupportedMethod as error:
            request.setHeader(b"Allow", b", ".join(error.allowedMethods))
            return _answer(request, 405, {"error": "This can not be done here."})

    def render_HEAD(self, request: Any) -> bytes:
        """Not for a stream of events, and not where there is nothing to read."""
        raise UnsupportedMethod([m for m in (b"GET", b"POST") if hasattr(self, f"render_{m.decode()}")])


class _Readable(_Guarded):
    """One that has something to read: HEAD is GET without it."""

    def render_HEAD(self, request: Any) -> bytes:
        content = self.render_GET(request)
        request.setHeader(b"Content-Length", b"%d" % len(content))
        return b""

    def render_GET(self, request: Any) -> bytes:
        """The content."""
        raise NotImplementedError


def _answer(request: Any, code: int, value: object = None) -> bytes:
    request.setResponseCode(code)
    if value is None:
        return b""
    request.setHeader(b"Content-Type", b"application/json")
    return json.dumps(value).encode()


class _Root(_Readable):
    """The page itself, and what belongs to it by name."""

    isLeaf = False

    def getChild(self, path: bytes, request: Any) -> Any:
        return self if path == b"" else notFound()

    def render_GET(self, request: Any) -> bytes:
        cookie = cookieOf(request)
        if not cookie:
            cookie = secrets.token_hex(16).encode()
            request.addCookie(_COOKIE, cookie, path=b"/", httpOnly=True, sameSite=b"strict")
        request.setHeader(b"Content-Type", b"text/html; charset=utf-8")
        return _asset("page.html").replace(b"{token}", self.page.token(cookie))


class _Asset(_Readable):
    """A file of the package."""

    def __init__(self, page: Page, name: str, kind: bytes) -> None:
        super().__init__(page)
        self._name = name
        self._kind = kind

    def render_GET(self, request: Any) -> bytes:
        request.setHeader(b"Content-Type", self._kind)
        return _asset(self._name)


@cache
def _asset(name: str) -> bytes:
    return resources.files("labnet.chat").joinpath(name).read_bytes()


class _Join(_Guarded):
    def render_POST(self, request: Any) -> bytes:
        try:
            name = request.content.read().decode()
            return _answer(request, 200, {"name": self.page.join(request, name).name})
        except UnicodeDecodeError:
            return _answer(request, 409, {"error": "A name is UTF-8 text."})
        except Refused as refusal:
            return _answer(request, 409, {"error": str(refusal)})


class _Say(_Guarded):
    def render_POST(self, request: Any) -> bytes:
        browser = self.page.browser(request)
        if browser is None:
            return _answer(request, 410, {"error": "You are not in the room any more."})
        live = self.page.live
        message = request.content.read()
        if len(message) > live.limits.longest:
            return _answer(request, 413, {"error": f"A message has at most {live.limits.longest} bytes."})
        wait = browser.pace.wait(live.clock.seconds())
        if wait:
            return _answer(request, 429, {"error": f"Not so fast: again in {wait:.1f} s."})
        browser.messages += 1
        if live.hear(browser, clean(message)):
            browser.leave("quit")
        elif browser in live.room:
            browser.name = live.room.nameOf(browser)
        return _answer(request, 204)


class _Leave(_Guarded):
    def render_POST(self, request: Any) -> bytes:
        browser = self.page.browser(request)
        if browser is not None:
            browser.leave("left")
        return _answer(request, 204)


class _Events(_Guarded):
    def render_GET(self, request: Any) -> bytes | int:
        browser = self.page.browser(request)
        if browser is None or request.getHeader(b"sec-fetch-site") not in (None, b"same-origin"):
            # To an EventSource this means: do not come again.
            return _answer(request, 204)
        browser.attach(request)
        return NOT_DONE_YET


class PageFactory(SiteFactory):
    """
    The page as a way into the room.
    """

    service: ClassVar[str] = "chat"
    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        page: Page,
        *,
        limits: Limits | None = None,
        sockets: SocketOptions | None = None,
    ) -> None:
        root = _Root(page)
        for path, resource in (
            (b"chat.css", _Asset(page, "chat.css", b"text/css; charset=utf-8")),
            (b"chat.js", _Asset(page, "chat.js", b"text/javascript; charset=utf-8")),
            (b"join", _Join(page)),
            (b"say", _Say(page)),
            (b"leave", _Leave(page)),
            (b"events", _Events(page)),
        ):
            root.putChild(path, resource)
        super().__init__(clock, root, limits=limits, sockets=sockets)
        page.factory = self
        self.page = page


def pageFactory(
    clock: IReactorTime,
    live: LiveRoom,
    hosts: Sequence[str] = (),
    *,
    limits: Limits | None = None,
    sockets: SocketOptions | None = None,
) -> PageFactory:
    """The page of a room, ready to listen."""
    return PageFactory(clock, Page(live, hosts), limits=limits, sockets=sockets)
