"""
The folder over HTTP: open to read, and with a password to write.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import ClassVar
from urllib.parse import quote

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from labnet.files.connection import FilesConnection, FilesFactory, Shelf
from labnet.files.hypertext import (
    Content,
    Form,
    PartBegins,
    Unsatisfiable,
    boundaryOf,
    contentType,
    credentials,
    httpDate,
    notModified,
    pathOf,
    rangeOf,
)
from labnet.files.pages import listPage, messagePage, uploadPage
from labnet.files.refusal import Refusal, Trouble
from labnet.files.store import StoredFile
from labnet.net.agreement import HTTP
from labnet.net.limits import Limits
from labnet.net.logs import shown
from labnet.net.sockets import SocketOptions
from labnet.proxy.body import BodyReader, LengthBody, requestBody
from labnet.proxy.wire import BadMessage, Fields, HeadReader, RequestHead, Version, parseRequestHead

__all__ = ["FormTokens", "WebConnection", "WebFactory"]

_UPLOAD = b"/-/upload"
_PAGE = 500
_MOST_IN_HEAD = 32 * 1024
_MOST_IN_FIELD = 1_024
#: A body that nobody asked for is passed over up to this size.
_MOST_IGNORED = 64 * 1024

_REASONS = {
    200: b"OK", 201: b"Created", 206: b"Partial Content", 304: b"Not Modified", 400: b"Bad Request",
    401: b"Unauthorized", 403: b"Forbidden", 404: b"Not Found", 405: b"Method Not Allowed",
    409: b"Conflict", 411: b"Length Required", 413: b"Content Too Large", 414: b"URI Too Long",
    415: b"Unsupported Media Type", 416: b"Range Not Satisfiable", 417: b"Expectation Failed",
    422: b"Unprocessable Content", 431: b"Request Header Fields Too Large",
    500: b"Internal Server Error", 501: b"Not Implemented", 503: b"Service Unavailable",
    505: b"HTTP Version Not Supported", 507: b"Insufficient Storage",
}  # fmt: skip

_STATUSES = {
    Trouble.BAD_REQUEST: 400,
    Trouble.BAD_NAME: 400,
    Trouble.NOT_FOUND: 404,
    Trouble.BAD_OFFSET: 416,
    Trouble.TOO_LARGE: 413,
    Trouble.EXISTS: 409,
    Trouble.READ_ONLY: 403,
    Trouble.DENIED: 401,
    Trouble.NO_ROOM: 507,
    Trouble.DAMAGED: 422,
    Trouble.BUSY: 503,
}

_HTML = (b"Content-Type", b"text/html; charset=utf-8")
_COMMON = [
    (b"X-Content-Type-Options", b"nosniff"),
    (b"Referrer-Policy", b"same-origin"),
    (b"Cross-Origin-Resource-Policy", b"same-origin"),
    (b"X-Frame-Options", b"DENY"),
    (b"Cache-Control", b"no-cache"),
]
#: Our own pages have no script; what was uploaded is nobody's, whatever it is.
_OWN = (
    b"Content-Security-Policy",
    b"default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; "
    b"frame-ancestors 'none'",
)
_FOREIGN = (b"Content-Security-Policy", b"default-src 'none'; img-src 'self'; media-src 'self'; sandbox")


class FormTokens:
    """
    What shows that a form came from our own page: one for each writer, good as long as this process.
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def of(self, user: str) -> str:
        """The token of a writer."""
        return hmac.new(self._key, user.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()

    def fits(self, token: bytes, user: str) -> bool:
        """Whether it is this writer's."""
        return hmac.compare_digest(token, self.of(user).encode("ascii"))


class WebConnection(FilesConnection):
    """
    One HTTP client: its requests are answered in order.
    """

    def __init__(self, shelf: Shelf, tokens: FormTokens) -> None:
        super().__init__(shelf)
        self._tokens = tokens
        self._unread = b""
        self._understood = True
        self._heads = HeadReader(_MOST_IN_HEAD)
        self._clear()

    def _clear(self) -> None:
        """Between two requests."""
        self._head: RequestHead | None = None
        self._body: BodyReader | None = None
        self._ignored = 0
        self._user = ""
        self._path = b""
        self._query: dict[bytes, bytes] = {}
        self._form: Form | None = None
        self._field: bytes | None = None
        self._fields: dict[bytes, bytes] = {}

    def received(self, data: bytes) -> None:
        self._unread += data
        self.proceed()

    @property
    def busy(self) -> bool:
        return super().busy or self._head is not None or bool(self._unread) or bool(len(self._heads))

    def advance(self) -> bool:
        data, self._unread = self._unread, b""
        try:
            if self._head is None:
                return self._takeHead(data)
            assert self._body is not None
            return self._takeBody(data, self._body)
        except BadMessage as problem:
            self._notUnderstood(problem)
            return False

    def _takeHead(self, data: bytes) -> bool:
        found = self._heads.feed(data) if data else None
        if found is None:
            return False
        raw, self._unread = found
        head = self._head = parseRequestHead(raw)
        self._body = requestBody(head)
        if head.version is Version.HTTP11 and len(head.fields.values(b"host")) != 1:
            raise BadMessage("a request has exactly one Host")
        self._path, self._query = pathOf(head.target)
        if head.method in (b"PUT", b"POST"):
            self.work(self._admit(head))
        return True

    def _takeBody(self, data: bytes, body: BodyReader) -> bool:
        if not body.done:
            if not data:
                return False
            self._content(body.feed(data))
        else:
            body.rest += data
        if not body.done:
            return False
        self._unread = body.rest
        self._complete()
        return True

    def _content(self, content: bytes) -> None:
        if self._form is not None:
            self._takeForm(self._form, content)
        elif self._incoming is not None:
            self.take(content)
        else:
            self._ignored += len(content)
            if self._ignored > _MOST_IGNORED:
                raise BadMessage("nobody asked for this body", 413)

    def _complete(self) -> None:
        """The request is there whole."""
        head = self._head
        assert head is not None
        if self._incoming is not None:
            self.work(self._stored())
        elif self._form is not None:
            raise Refusal(Trouble.BAD_REQUEST, "the form has no file")
        elif head.method in (b"GET", b"HEAD"):
            self._show()
        else:
            allowed = b"GET, HEAD, POST" if self._path == _UPLOAD else b"GET, HEAD, PUT"
            self._fail(405, "this can not be done here", [(b"Allow", allowed)])

    # Reading

    def _show(self) -> None:
        if self._path == b"/":
            after = self._query.get(b"after", b"").decode("utf-8", "replace")
            entries, more = self.shelf.store.listing(after, _PAGE)
            self.did("listed")
            self._page(200, listPage(entries, more, self.shelf.access.writable))
        elif self._path == _UPLOAD:
            self.work(self._showForm())
        else:
            self.work(self._give(self._opened()))

    def _opened(self) -> StoredFile:
        try:
            return self.shelf.store.open(self._path[1:])
        except Refusal as refusal:
            # What can not be asked for is not there.
            readable = Trouble.BUSY if refusal.trouble is Trouble.BUSY else Trouble.NOT_FOUND
            raise Refusal(readable, str(refusal)) from None

    async def _showForm(self) -> None:
        user = await self._login()
        self.did("showed the form")
        self._page(200, uploadPage(self._tokens.of(user), self.shelf.store.limits.largest))

    async def _give(self, stored: StoredFile) -> None:
        head = self._head
        assert head is not None
        try:
            tag = b'"%b"' % b"-".join(b"%x" % number for number in stored.identity[1:4])
            fields = [(b"ETag", tag), (b"Last-Modified", httpDate(stored.mtime)), _FOREIGN]
            if notModified(head.fields, tag, stored.mtime):
                self._answer(304, fields, b"", None)
                self._done()
                return
            fields += [(b"Accept-Ranges", b"bytes"), *_described(stored.name)]
            part = None
            # A range is of what GET would give (RFC 9110, 14.2).
            if head.method == b"GET":
                part = rangeOf(head.fields, stored.size, tag, stored.mtime)
            first, count = part or (0, stored.size)
            if part is not None:
                fields.append(
                    (b"Content-Range", b"bytes %d-%d/%d" % (first, first + count - 1, stored.size))
                )
            self._answer(206 if part is not None else 200, fields, b"", count)
            if head.method == b"GET":
                await self.send(stored, first, count)
            self.did(f"gave {shown(stored.name)}")
            self._done()
        except Unsatisfiable:
            self._fail(416, "no such part", [(b"Content-Range", b"bytes */%d" % stored.size)])
        finally:
            stored.close()

    # Writing

    async def _admit(self, head: RequestHead) -> None:
        """Decide about an upload before its body is read."""
        assert self._body is not None
        if not _sameOrigin(head.fields):
            raise Refusal(Trouble.READ_ONLY, "this came from a page of somebody else's")
        self._user = await self._login()
        if head.method == b"POST":
            if self._path != _UPLOAD:
                raise BadMessage("a form is sent to /-/upload", 405)
            self._form = Form(boundaryOf(head.fields))
        else:
            self.begin(self._path[1:], self._announced(head), self._query.get(b"replace") == b"yes")
        if b"100-continue" in head.fields.tokens(b"expect") and not self._unread:
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _announced(self, head: RequestHead) -> int | None:
        """How long an upload will be; L{None} if it comes in chunks. That it is one number is known."""
        if not isinstance(self._body, LengthBody):
            return None
        if b"content-length" not in head.fields:
            raise BadMessage("an upload says how long it is", 411)
        return int(head.fields.values(b"content-length")[0].partition(b",")[0])

    async def _login(self) -> str:
        assert self._head is not None
        user, password = credentials(self._head.fields) or ("", "")
        return await self.shelf.access.login(self.host, user, password)

    def _takeForm(self, form: Form, content: bytes) -> None:
        for event in form.feed(content):
            match event:
                case PartBegins(name, None):
                    self._field = name
                case PartBegins(_, fileName):
                    self._field = None
                    self._beginFile(fileName or b"")
                case Content(data) if self._field is not None:
                    value = self._fields[self._field] = self._fields.get(self._field, b"") + data
                    if len(value) > _MOST_IN_FIELD:
                        raise BadMessage("a field of the form is too long", 413)
                case Content(data) if self._incoming is not None:
                    self.take(data)

    def _beginFile(self, fileName: bytes) -> None:
        if self._incoming is not None:
            raise BadMessage("a form has one file")
        if not self._tokens.fits(self._fields.get(b"token", b""), self._user):
            raise Refusal(Trouble.READ_ONLY, "the form is out of date; load the page again")
        self.begin(fileName, None, self._fields.get(b"replace") == b"yes")

    async def _stored(self) -> None:
        if self._form is not None and not self._form.done:
            raise Refusal(Trouble.BAD_REQUEST, "the form ended too early")
        stored = await self.keep()
        location = (b"Location", b"/" + quote(stored.name, safe="").encode("ascii"))
        sentence = f"{stored.name}: {stored.size} bytes, SHA-256 {stored.sha256}"
        self._page(201, messagePage("Stored", sentence), [location])

    # Answers

    def refused(self, refusal: Refusal) -> None:
        fields: list[tuple[bytes, bytes]] = []
        if refusal.trouble is Trouble.DENIED:
            fields.append((b"WWW-Authenticate", b'Basic realm="labnet files", charset="UTF-8"'))
        elif refusal.trouble is Trouble.BUSY:
            fields.append((b"Retry-After", b"1"))
        self.did(f"refused ({refusal})")
        self._fail(_STATUSES[refusal.trouble], str(refusal), fields)

    def _notUnderstood(self, problem: BadMessage) -> None:
        """After that nobody knows what the client means: it is told, and that is the end."""
        self._understood = False
        self.did(f"refused ({problem})")
        self._fail(problem.status, str(problem))

    def _fail(self, status: int, sentence: str, fields: list[tuple[bytes, bytes]] | None = None) -> None:
        self.abandon()
        reason = _REASONS.get(status, b"Error").decode()
        self._page(status, messagePage(f"{status} {reason}", sentence), fields)

    def _page(self, status: int, page: bytes, fields: list[tuple[bytes, bytes]] | None = None) -> None:
        self._answer(status, [_HTML, _OWN, *(fields or [])], page, len(page))
        self._done()

    def _answer(
        self, status: int, fields: list[tuple[bytes, bytes]], content: bytes, length: int | None
    ) -> None:
        lines = [(b"Date", httpDate(self.factory.clock.seconds())), *fields, *_COMMON]
        if length is not None:
            lines.append((b"Content-Length", b"%d" % length))
        if not self._persists:
            lines.append((b"Connection", b"close"))
        elif self._head is not None and self._head.version is Version.HTTP10:
            lines.append((b"Connection", b"keep-alive"))
        head = b"HTTP/1.1 %d %b\r\n%b\r\n" % (
            status,
            _REASONS.get(status, b"Error"),
            Fields(lines).encode(),
        )
        bodiless = self._head is not None and self._head.method == b"HEAD"
        self.write(head if bodiless else head + content)

    @property
    def _persists(self) -> bool:
        """Whether another request may follow: not when we do not know where this one ends."""
        return (
            self._understood
            and self._head is not None
            and self._head.persistent
            and self._body is not None
            and self._body.done
            and not self._allHeard
        )

    def _done(self) -> None:
        """The request is answered."""
        persists = self._persists
        self._clear()
        self.touch()
        if not persists:
            self.endWith(b"", "answered")

    def troubled(self, failure: Failure) -> None:
        problem = failure.value
        if isinstance(problem, BadMessage) and not self._closing:
            self._notUnderstood(problem)
        else:
            super().troubled(failure)


def _described(name: str) -> list[tuple[bytes, bytes]]:
    kind, shownInPlace = contentType(name)
    encoded = quote(name, safe="").encode("ascii")
    where = b"inline" if shownInPlace else b"attachment"
    return [
        (b"Content-Type", kind),
        (b"Content-Disposition", b"%b; filename*=UTF-8''%b" % (where, encoded)),
    ]


def _sameOrigin(fields: Fields) -> bool:
    """
    Whether a request that changes something may come from where it says. A browser always says; a program
    without pages does not.
    """
    sites = fields.tokens(b"sec-fetch-site")
    if sites not in ((), (b"same-origin",), (b"none",)):
        return False
    origins = fields.values(b"origin")
    hosts = [host.lower() for host in fields.values(b"host")]
    return not origins or (len(origins) == 1 and [origins[0].lower().partition(b"://")[2]] == hosts)


class WebFactory(FilesFactory):
    """The folder over HTTP; its parameters are L{FilesFactory}'s."""

    log = Logger()
    service: ClassVar[str] = "files"
    applicationProtocols = HTTP

    def __init__(
        self,
        clock: IReactorTime,
        shelf: Shelf,
        *,
        limits: Limits | None = None,
        sockets: SocketOptions | None = None,
    ) -> None:
        super().__init__(clock, shelf, limits=limits, sockets=sockets)
        self._tokens = FormTokens()

    def build(self) -> WebConnection:
        return WebConnection(self.shelf, self._tokens)
