"""
Lists of ports, as people write them and as the reports do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

__all__ = ["HIGHEST", "BadPorts", "formatPorts", "parsePorts"]

HIGHEST = 65_535

_ITEM = re.compile(r"(\d{1,5})|(\d{0,5})(-)(\d{0,5})", re.ASCII)


class BadPorts(ValueError):
    """A list of ports that is none; its text is one line for people."""


def parsePorts(text: str) -> tuple[int, ...]:
    """
    Read a list such as C{22,80,8000-8100}. A range may lack an end: C{-1024} begins with 1, C{60000-}
    ends with 65535, and C{-} alone is every port.

    @return: the ports in ascending order, each once.
    @raise BadPorts: it is not of that form; a port is 0 or above 65535; a range runs backwards.
    """
    ports: set[int] = set()
    for item in text.split(","):
        match = _ITEM.fullmatch(item.strip())
        if match is None:
            raise BadPorts(f"{item.strip()[:20]!r} is neither a port nor a range of ports")
        single, first, dash, last = match.groups()
        if dash:
            low, high = _port(first or "1"), _port(last or str(HIGHEST))
            if low > high:
                raise BadPorts(f"the range {item.strip()} runs backwards")
            ports.update(range(low, high + 1))
        else:
            ports.add(_port(single))
    return tuple(sorted(ports))


def formatPorts(ports: Iterable[int]) -> str:
    """Ports in ascending order as the shortest such list; empty when there is none."""
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in _ranges(ports))


def _ranges(ports: Iterable[int]) -> Iterator[tuple[int, int]]:
    first = last = 0
    for port in ports:
        if port != last + 1 or not first:
            if first:
                yield first, last
            first = port
        last = port
    if first:
        yield first, last


def _port(text: str) -> int:
    port = int(text)
    if not 1 <= port <= HIGHEST:
        raise BadPorts(f"port {port}: ports go from 1 to {HIGHEST}")
    return port
