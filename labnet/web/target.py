"""
What a client asks for, and where: URLs of HTTP.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from string import punctuation
from urllib.parse import quote, unquote_to_bytes, urljoin

from labnet.net.hosts import BadHost, plainHost

__all__ = ["URL", "BadURL", "parseURL"]

_PORTS = {"http": 80, "https": 443}
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_REST = re.compile(
    r"(?:(?P<user>[^/?#]*)@)?"
    r"(?P<host>\[[^][]*\]|[^][:/?#@]*)(?::(?P<port>\d*))?"
    r"(?P<target>[/?][^#]*)?(?:#.*)?"
)
_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f-\x9f]")


class BadURL(ValueError):
    """This is no URL of HTTP. The text is one line for people, and has nothing of a password in it."""


@dataclass(frozen=True, slots=True)
class URL:
    """
    What to ask for, and where. Its text has neither its fragment nor its credentials.

    @ivar scheme: C{http} or C{https}.
    @ivar host: a name, in the ASCII form of IDNA, or an address; one of IPv6 without its brackets.
    @ivar target: the path and the query, as they stand in a request.
    @ivar credentials: C{user:password} as they stand before the C{@}, decoded; L{None} without any.
    """

    scheme: str
    host: str
    port: int
    target: bytes
    credentials: bytes | None = field(default=None, repr=False)

    @property
    def secure(self) -> bool:
        """Whether it is asked over TLS."""
        return self.scheme == "https"

    @property
    def place(self) -> str:
        """C{HOST:PORT}."""
        return f"{self._bracketed}:{self.port}"

    @property
    def authority(self) -> bytes:
        """As it stands in a Host field: the port is left out where it is the scheme's own."""
        own = self.port == _PORTS[self.scheme]
        return (self._bracketed if own else self.place).encode("ascii")

    @property
    def _bracketed(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority.decode('ascii')}{self.target.decode('ascii')}"

    def sameOrigin(self, other: URL) -> bool:
        """Whether both are of one origin, and so may see the same secrets (RFC 6454)."""
        return (self.scheme, self.host, self.port) == (other.scheme, other.host, other.port)

    def joined(self, location: bytes) -> URL:
        """
        Where a Location field leads to from here (RFC 9110, 10.2.2). Credentials stay within their origin,
        and what a server says of credentials is passed over.

        @raise BadURL: nowhere that could be asked for.
        """
        text = location.decode("utf-8", "replace").strip().replace(" ", "%20")
        url = parseURL(urljoin(str(self), text))
        return replace(url, credentials=self.credentials if self.sameOrigin(url) else None)


def parseURL(text: str) -> URL:
    """
    Read a URL. Without a scheme it is C{http://}; what is not ASCII is encoded, in its host by IDNA and
    elsewhere by per cent.

    @raise BadURL: it is none.
    """
    if _UNPRINTABLE.search(text):
        raise BadURL("a URL has no spaces and no control characters")
    begin = _SCHEME.match(text)
    scheme = begin[1].lower() if begin is not None else "http"
    if scheme not in _PORTS:
        raise BadURL(f"the scheme {scheme} is neither http nor https")
    match = _REST.fullmatch(text, begin.end() if begin is not None else 0)
    if match is None:
        raise BadURL("this is not of the form http://HOST:PORT/PATH")
    target = match["target"] or "/"
    return URL(
        scheme,
        _host(match["host"]),
        _port(match["port"] or str(_PORTS[scheme])),
        quote(target if target[0] == "/" else "/" + target, safe=punctuation).encode("ascii"),
        None if match["user"] is None else unquote_to_bytes(match["user"]),
    )


def _host(text: str) -> str:
    if not text:
        raise BadURL("it has no host")
    try:
        return plainHost(text)
    except BadHost as error:
        raise BadURL(str(error)) from error


def _port(text: str) -> int:
    if len(text) > 5 or not 1 <= int(text) <= 65535:
        raise BadURL("its port is not between 1 and 65535")
    return int(text)
