"""
Moving a whole lab to other ports: descriptions in, descriptions out, nothing opened.
"""

from __future__ import annotations

import re

__all__ = ["PortOutOfRange", "portOf", "shifted", "shiftedReference"]

# A listener: "9000", "port=9000" after its kind, with a calculator's profile or a wrapper in front.
_LISTENER = re.compile(r"(?P<head>(?:[\w-]+=)?(?:haproxy:)?(?P<kind>tcp|ssl|udp):(?:port=)?)(?P<port>\d+)")
# A reference to a service of this machine: "udp:127.0.0.1:9001", or "localhost:9001" without a kind.
_REFERENCE = re.compile(
    r"(?P<head>(?:(?P<kind>tcp|udp|tls):)?(?:host=)?"
    r"(?:127(?:\.\d+){3}|localhost|\[::1\]|\\:\\:1):(?:port=)?)(?P<port>\d+)",
    re.IGNORECASE,
)


class PortOutOfRange(ValueError):
    """A port that the offset moves out of 1 to 65535; the text is one line."""


def portOf(description: str) -> tuple[str, int] | None:
    """
    Where a listener's description listens, as C{"tcp"} or C{"udp"} and the port, or L{None} when it has no
    fixed port: a UNIX socket, a descriptor of systemd's, port 0.
    """
    match = _LISTENER.match(description)
    if match is None or not int(match["port"]):
        return None
    return ("udp" if match["kind"] == "udp" else "tcp"), int(match["port"])


def shifted(description: str, offset: int) -> str:
    """
    The description of a listener, moved by C{offset} ports; what has no fixed port stays as it is.

    @raise PortOutOfRange: there is no such port.
    """
    return _move(_LISTENER.match(description), description, offset) if portOf(description) else description


def shiftedReference(
    description: str, offset: int, within: frozenset[tuple[str, int]] | None = None
) -> str:
    """
    The description of a service to connect to, moved by C{offset} ports when it is on this machine.

    @param within: the transports and ports that move (see L{portOf}); a reference to any other stays as
        it is. L{None} for all of them.
    @raise PortOutOfRange: there is no such port.
    """
    match = _REFERENCE.match(description)
    if match is None:
        return description
    kind = "udp" if (match["kind"] or "").lower() == "udp" else "tcp"
    if within is not None and (kind, int(match["port"])) not in within:
        return description
    return _move(match, description, offset)


def _move(match: re.Match[str] | None, description: str, offset: int) -> str:
    assert match is not None
    port = int(match["port"]) + offset
    if not 0 < port <= 65535:
        raise PortOutOfRange(f"{description!r} moved by {offset} is port {port}, outside 1 to 65535")
    return f"{match['head']}{port}{description[match.end() :]}"
