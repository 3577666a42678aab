"""
What a scan has found, for people and for machines.

Nothing in a report is in the words of the scanned host, except what L{labnet.net.logs.shown} has made
harmless: a banner can neither break a line nor forge one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from labnet.net.logs import shown
from labnet.scan.ports import formatPorts
from labnet.scan.target import Address
from labnet.scan.verdict import ScannedHost, State, Verdict
from labnet.scan.wire import Identity

__all__ = ["COLUMNS", "Identities", "asJSON", "heading", "rows", "summary"]

#: Who answers where, as far as that was asked.
Identities = Mapping[tuple[Address, int], Identity]

COLUMNS = ("PORT", "STATE", "REASON", "SERVICE", "WHO ANSWERS")

#: So many filtered ports get a row each; more are summed up, as closed ones are.
_MOST_ROWS = 25


def heading(host: ScannedHost) -> str:
    """The line above a host's table."""
    address = str(host.address)
    return address if address == host.target else f"{host.target} ({address})"


def rows(
    host: ScannedHost, serviceOf: Callable[[int], str], identities: Identities
) -> list[tuple[str, ...]]:
    """The rows of a host's table: the open ports, and the filtered ones where they are few."""
    shownPorts = dict.fromkeys(host.open, Verdict.CONNECTED)
    shownPorts.update(dict.fromkeys(host.having(Verdict.RESET), Verdict.RESET))
    filtered = host.grouped(State.FILTERED)
    if sum(map(len, filtered.values())) <= _MOST_ROWS:
        shownPorts.update({port: verdict for verdict, ports in filtered.items() for port in ports})
    return [
        (
            str(port),
            verdict.state.value,
            verdict.reason,
            serviceOf(port),
            _who(identities.get((host.address, port))),
        )
        for port, verdict in sorted(shownPorts.items())
    ]


def summary(host: ScannedHost) -> str:
    """One line: how many ports there are of each state and reason."""
    counts = [
        f"{len(ports)} {state.value} ({verdict.reason})"
        for state in State
        for verdict, ports in host.grouped(state).items()
    ]
    return ", ".join(counts)


def asJSON(
    hosts: Sequence[ScannedHost],
    serviceOf: Callable[[int], str],
    identities: Identities,
    *,
    seconds: float,
    attempts: int,
) -> dict[str, Any]:
    """
    The same as an object for C{json}; C{docs/protocols/scan.md} lists its keys.

    @param seconds: how long it took.
    @param attempts: how many connections were attempted.
    """
    return {
        "hosts": [_hostAsJSON(host, serviceOf, identities) for host in hosts],
        "seconds": round(seconds, 3),
        "attempts": attempts,
    }


def _hostAsJSON(
    host: ScannedHost, serviceOf: Callable[[int], str], identities: Identities
) -> dict[str, Any]:
    reset = set(host.having(Verdict.RESET))
    return {
        "target": host.target,
        "address": str(host.address),
        "open": [
            {
                "port": port,
                "reason": (Verdict.RESET if port in reset else Verdict.CONNECTED).reason,
                "service": serviceOf(port),
            }
            | _whoAsJSON(identities.get((host.address, port)))
            for port in host.open
        ],
        # Most of them come in long ranges, so they are written as one writes ports.
        "closed": _rangesAsJSON(host, State.CLOSED),
        "filtered": _rangesAsJSON(host, State.FILTERED),
    }


def _rangesAsJSON(host: ScannedHost, state: State) -> dict[str, str]:
    return {verdict.reason: formatPorts(ports) for verdict, ports in host.grouped(state).items()}


def _who(identity: Identity | None) -> str:
    if identity is None:
        return ""
    more = [identity.detail, *map(shown, identity.said)]
    return ": ".join(part for part in (identity.service, " ".join(more).strip()) if part)


def _whoAsJSON(identity: Identity | None) -> dict[str, Any]:
    if identity is None:
        return {}
    said = [shown(text) for text in identity.said]
    return {"answers": {"service": identity.service, "detail": identity.detail, "said": said}}
