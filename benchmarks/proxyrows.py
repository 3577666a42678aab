"""
The rows of the proxy benchmark, what is to be reached in each, and how a row is shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median

from measuring import MIB, table
from proxyload import SIZES
from proxypeers import Peer


@dataclass(frozen=True)
class Row:
    """
    One kind of work.

    @ivar goals: for each peer, how many times as fast C{labnet} is to be.
    @ivar close: a new connection for each request.
    @ivar processors: CPUs that the proxies may use; with more than one nothing is pinned.
    @ivar note: what else is to be reached.
    """

    title: str
    page: str
    goals: Mapping[str, float]
    close: bool = False
    processors: int = 1
    note: str = ""

    @property
    def inMebibytes(self) -> bool:
        """Whether its figures are MiB a second; otherwise they are requests."""
        return SIZES[self.page] >= MIB


PAGES = {
    "1k": Row(
        "1 KiB pages, keep-alive",
        "1k.html",
        {"privoxy": 1.2, "squid": 2.5, "tinyproxy": 3, "proxy.py": 3.5, "e2guardian": 4,
         "twisted.web.proxy": 7, "mitmproxy": 35},
        note="The goal for CPU time is less than Privoxy's.",
    ),
    "varied": Row(
        "1 KiB pages, keep-alive, 3,000 different ones",
        "many/%d.html",
        {},
        note="No head of a response is like one that was seen shortly before.",
    ),
    "64k": Row("64 KiB pages, keep-alive", "64k.html", {"privoxy": 1.6, "squid": 3, "nginx": 0.8}),
    "new": Row(
        "1 KiB pages, a new connection each",
        "1k.html",
        {"privoxy": 1.6, "squid": 1.2, "nginx": 0.5},
        close=True,
    ),
    "1m": Row("1 MiB pages, keep-alive", "1m.html", {"privoxy": 2.5, "squid": 4, "nginx": 0.8}),
    "workers": Row(
        "1 KiB pages, keep-alive, nothing pinned, two workers", "1k.html", {"privoxy": 1.1}, processors=2
    ),
}  # fmt: skip

DOWNLOADS = {
    "download": Row(
        "One download of 100 MiB, of a type that is inspected",
        "100m.html",
        {"privoxy": 1.0},
        note="Privoxy and e2guardian inspect nothing that large. The goal for the peak is below 64 MiB.",
    ),
    "skipped": Row(
        "One download of 100 MiB, of a type that is not inspected",
        "100m.mp4",
        {"nginx": 0.9},
        note="The goal for the first byte is 5 ms more than the origin itself.",
    ),
}

#: All, in the order in which they are measured: the downloads first, so that their peaks are their own.
ROWS = (*DOWNLOADS, "1k", "varied", "64k", "new", "1m", "idle", "body", "workers")


def section(
    row: Row,
    peers: list[Peer],
    columns: list[str],
    cells: Mapping[str, list[str] | str],
    speeds: Mapping[str, list[float]],
) -> str:
    """
    A table under its title.

    @param cells: what stands in the columns for each proxy, or why nothing does.
    @param speeds: what the ratios are made of.
    """
    ours = [peer.name for peer in peers if peer.name.startswith("labnet") and peer.name in speeds]
    rows = []
    for peer in peers:
        found = cells[peer.name]
        line = [peer.name, peer.inspects or "passes on"]
        if isinstance(found, str):
            rows.append([*line, f"absent: {found}", *[""] * (len(columns) + len(ours))])
            continue
        goal = row.goals.get(peer.name)
        ratios = [median(speeds[our]) / median(speeds[peer.name]) for our in ours]
        marked = [f"**{ratio:.2f}**" if goal and ratio >= goal else f"{ratio:.2f}" for ratio in ratios]
        rows.append([*line, *found, *marked, f"{goal:g}" if goal else ""])
    header = ["proxy", "bodies", *columns, *(f"{our} / it" for our in ours), "goal"]
    note = f"{row.note}\n\n" if row.note else ""
    return f"### {row.title}\n\n{note}{table(header, rows)}\n"
