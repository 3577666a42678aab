"""
C{labnet-proxy} beside its peers: speed, CPU time and memory, as tables in Markdown.

    python benchmarks/proxy.py [--peers NAMES] [--rows NAMES] [--rounds N] [--seconds S] > RESULTS.md

One origin (nginx), one load (wrk), 64 connections; every body is inspected where a proxy can. Each proxy
has one CPU, the first; origin and load have the other. The proxies run all the time and take turns in
rounds whose order changes, so that whatever else the machine does meets all of them; the tables have the
medians. Before anything is measured, each must pass on the right bytes, and those that inspect must not
pass the blocked page. What is not installed is shown as absent: C{benchmarks/install-peers} installs it.
"""

from __future__ import annotations

import argparse
import platform
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import TypeVar

from measuring import (
    LOAD,
    MIB,
    SERVERS,
    DidNotStart,
    Server,
    freePort,
    installed,
    spread,
    stopOnSignals,
    table,
)
from proxyload import (
    CONNECTIONS,
    SIZES,
    Download,
    Origin,
    Proxy,
    Rate,
    Wrong,
    checkCloses,
    download,
    hammer,
    idle,
)
from proxypeers import PEERS, Peer, Place, labnetPeers
from proxyrows import DOWNLOADS, PAGES, ROWS, Row, section

Measured = TypeVar("Measured")
_ORIGIN = Peer("the origin itself", lambda place: [])
_BODIES = ("10m.html", "1g.html")


@dataclass
class Field:
    """
    Those that are compared.

    @ivar running: those that run, by name.
    @ivar absent: why each of the others does not.
    """

    running: dict[str, Proxy] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)

    def rounds(self, number: int) -> Iterator[Proxy]:
        """All that run, in an order that changes from round to round."""
        proxies = list(self.running.values())
        at = number % max(1, len(proxies))
        yield from proxies[at:] + proxies[:at]


def progress(text: str) -> None:
    """Say how far it is, beside the tables."""
    print(text, file=sys.stderr, flush=True)


def temporaryFolder(stack: ExitStack) -> Path:
    """A folder that is gone at the end; servers that change their user can look into it."""
    folder = tempfile.TemporaryDirectory(prefix="labnet-", ignore_cleanup_errors=True)
    path = Path(stack.enter_context(folder))
    path.chmod(0o755)
    return path


def launch(peer: Peer, origin: Origin, processors: int, stack: ExitStack) -> Proxy:
    """
    Start a proxy, and see that it does what it should.

    @raise DidNotStart: it is not there.
    @raise Wrong: it does something else.
    """
    place = Place(temporaryFolder(stack), freePort(), origin.port, processors)
    command = peer.command(place)
    server = stack.enter_context(Server(command, SERVERS if processors == 1 else None, place.folder))
    server.listening(place.port)
    proxy = Proxy(peer, server, place.port, command[0], server.memory)
    origin.check(proxy)
    return proxy


def start(peers: list[Peer], origin: Origin, processors: int, stack: ExitStack) -> Field:
    """Start them all."""
    compared = Field()
    for peer in peers:
        try:
            compared.running[peer.name] = launch(peer, origin, processors, stack)
        except (DidNotStart, Wrong) as problem:
            compared.absent[peer.name] = str(problem)
            progress(f"{peer.name}: {problem}")
    return compared


def inTurns(
    compared: Field, rounds: int, check: Callable[[Proxy], None], measure: Callable[[Proxy], Measured]
) -> dict[str, list[Measured] | str]:
    """
    Measure all of them, round by round, after one that does not count.

    @return: what was measured of each, or why it could not be.
    """
    measured: dict[str, list[Measured] | str] = {}
    for number in range(-1, rounds):
        for proxy in compared.rounds(number):
            name = proxy.peer.name
            figures = measured.setdefault(name, [])
            if isinstance(figures, str):
                continue
            try:
                if number < 0:
                    check(proxy)
                    measure(proxy)
                else:
                    figures.append(measure(proxy))
            except (Wrong, OSError) as problem:
                measured[name] = str(problem) if proxy.server.running else "it has ended"
                progress(f"{name}: {measured[name]}")
        progress(f"  round {number + 1} of {rounds}")
    return measured | dict(compared.absent)


# What is measured, and its tables.


def pages(row: Row, compared: Field, origin: Origin, options: argparse.Namespace) -> str:
    """A row of many requests."""
    url, size = origin.url(row.page), SIZES[row.page]
    load = LOAD if row.processors == 1 else None

    def check(proxy: Proxy) -> None:
        origin.checkPage(proxy, row.page)
        if row.close:
            checkCloses(proxy, url)

    def measure(proxy: Proxy) -> Rate:
        return hammer(
            proxy,
            url,
            size=size,
            seconds=options.seconds,
            close=row.close,
            processor=load,
        )

    measured = inTurns(compared, options.rounds, check, measure)
    rates = {
        name: [rate.speed / MIB if row.inMebibytes else rate.requests for rate in figures]
        for name, figures in measured.items()
        if not isinstance(figures, str)
    }
    unit = "MiB/s" if row.inMebibytes else "requests/s"
    columns = [unit, "lowest to highest", "CPU s per 10,000"]
    cells = {
        name: figures
        if isinstance(figures, str)
        else [
            f"{median(rates[name]):,.0f}",
            spread(rates[name]),
            f"{median(rate.processor for rate in figures):.2f}",
        ]
        for name, figures in measured.items()
    }
    return section(row, options.peers, columns, cells, rates)


def downloads(row: Row, compared: Field, origin: Origin, options: argparse.Namespace) -> str:
    """A row of single downloads."""
    url, size = origin.url(row.page), SIZES[row.page]

    def check(proxy: Proxy) -> None:
        if proxy.peer is not _ORIGIN:
            origin.checkPage(proxy, row.page)

    def measure(proxy: Proxy) -> Download:
        return download(proxy, url, size)

    running = {**compared.running, _ORIGIN.name: Proxy(_ORIGIN, origin.server, origin.port, "")}
    measured = inTurns(Field(running, compared.absent), options.rounds, check, measure)
    speeds = {
        name: [one.speed / MIB for one in figures]
        for name, figures in measured.items()
        if not isinstance(figures, str)
    }
    columns = ["MiB/s", "lowest to highest", "first byte, ms", "peak memory, MiB"]
    cells = {
        name: figures
        if isinstance(figures, str)
        else [
            f"{median(speeds[name]):,.0f}",
            spread(speeds[name]),
            f"{median(one.first for one in figures) * 1000:.1f}",
            f"{max(one.peak for one in figures) / MIB:,.0f}",
        ]
        for name, figures in measured.items()
    }
    return section(row, [*options.peers, _ORIGIN], columns, cells, speeds)


def memory(compared: Field, origin: Origin, options: argparse.Namespace) -> str:
    """What each proxy needs: at the start, after all rows, and, started anew, for silence and for size."""
    columns = ["MiB at the start", "after all rows"]
    columns += ["idle clients kept", "KiB for each"] if "idle" in options.rows else []
    columns += ["peak with a body of 10 MiB", "of 1 GiB"] if "body" in options.rows else []
    rows = []
    for peer in options.peers:
        proxy = compared.running.get(peer.name)
        if proxy is None:
            rows.append([peer.name, f"absent: {compared.absent[peer.name]}", *[""] * (len(columns) - 1)])
            continue
        progress(f"  {peer.name}")
        cells = [f"{proxy.start / MIB:.0f}", f"{proxy.server.memory / MIB:.0f}"]
        if "idle" in options.rows:
            cells += anew(peer, origin, lambda fresh: _silence(fresh, origin, options.clients))
        if "body" in options.rows:
            cells += anew(peer, origin, lambda fresh: [_peak(fresh, origin, page) for page in _BODIES])
        rows.append([peer.name, *cells])
    return f"### Resident memory\n\n{_MEMORY_NOTE}\n\n{table(['proxy', *columns], rows)}\n"


#: Seconds in which nothing is asked of anybody, before memory is looked at.
_REST = 3

_MEMORY_NOTE = """The goals: below 60 MiB after all rows and some seconds of rest, below 8 KiB for an idle
client, and no more for a body of 1 GiB than for one of 10 MiB. Idle clients, which have asked for one page
and keep their connection, and those bodies come to a proxy that was started for them."""


def anew(peer: Peer, origin: Origin, measure: Callable[[Proxy], list[str]]) -> list[str]:
    """Measure a proxy that has done nothing yet: two cells."""
    with ExitStack() as stack:
        try:
            return measure(launch(peer, origin, 1, stack))
        except (DidNotStart, Wrong, OSError) as problem:
            return [str(problem), ""]


def _silence(proxy: Proxy, origin: Origin, clients: int) -> list[str]:
    origin.make("1k.html")
    found = idle(proxy, origin.url("1k.html"), clients)
    return [f"{found.held:,} of {found.asked:,}", f"{found.each / 1024:.1f}" if found.held else ""]


def _peak(proxy: Proxy, origin: Origin, page: str) -> str:
    origin.make(page)
    try:
        return f"{download(proxy, origin.url(page), SIZES[page]).peak / MIB:,.0f}"
    except Wrong as problem:
        return str(problem)


# The command


def _names(known: list[str]) -> Callable[[str], list[str]]:
    """Names with commas between them, in the order in which they are known."""

    def read(text: str) -> list[str]:
        names = text.split(",")
        unknown = sorted(set(names) - set(known))
        if unknown:
            raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: not one of {', '.join(known)}")
        return [name for name in known if name in names]

    return read


def parsed() -> argparse.Namespace:
    """The options."""
    ours = [peer.name for peer in labnetPeers(())]
    peers = [*ours, *(peer.name for peer in PEERS)]
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--peers", type=_names(peers), default=peers, help=f"of {','.join(peers)}")
    parser.add_argument("--rows", type=_names(list(ROWS)), default=list(ROWS), help=f"of {','.join(ROWS)}")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4, help="of load, for each proxy in each round")
    parser.add_argument("--clients", type=int, default=10_000, help="that are idle")
    parser.add_argument("--labnet", default="", metavar="OPTIONS", help="further options of labnet-proxy")
    options = parser.parse_args()
    everybody = labnetPeers(tuple(options.labnet.split())) + PEERS
    options.peers = [peer for peer in everybody if peer.name in options.peers]
    return options


def machine(options: argparse.Namespace) -> str:
    """Where and how it was measured."""
    about = Path("/proc/cpuinfo").read_text()
    model = re.search(r"model name\s*: (.*)", about)
    processor = model[1] if model is not None else platform.machine()
    ours = f"labnet {version('labnet')}, Python {platform.python_version()}, Twisted {version('twisted')}"
    return (
        f"{ours}; Linux {platform.release()}, {processor}; {CONNECTIONS} connections, "
        f"{options.rounds} rounds of {options.seconds} s each. Ratios in bold reach the goal.\n"
    )


def main() -> None:
    """Measure what the options say, and print it."""
    options = parsed()
    for program in ("nginx", "wrk", "taskset"):
        try:
            installed(program)
        except DidNotStart as problem:
            sys.exit(f"{program}: {problem}; see benchmarks/README.md")
    stopOnSignals()
    print(machine(options), flush=True)
    try:
        for processors in (1, 2):
            compare(processors, options)
    except KeyboardInterrupt:
        sys.exit("stopped")


def compare(processors: int, options: argparse.Namespace) -> None:
    """All rows whose proxies may use this many CPUs."""
    rows = [name for name in options.rows if (PAGES[name].processors if name in PAGES else 1) == processors]
    if not rows:
        return
    with ExitStack() as stack:
        folder = temporaryFolder(stack)
        origin = Origin(folder)
        stack.callback(origin.stop)
        compared = start(options.peers, origin, processors, stack)
        for name in rows:
            measure, known = (pages, PAGES) if name in PAGES else (downloads, DOWNLOADS)
            if name in known:
                row = known[name]
                progress(row.title)
                origin.make(row.page)
                print(measure(row, compared, origin, options), flush=True)
        if processors == 1:
            progress("Resident memory")
            time.sleep(_REST)
            print(memory(compared, origin, options), flush=True)
        described = [
            proxy.peer.described(proxy.program) for proxy in compared.running.values() if proxy.peer.version
        ]
        if processors == 1 and described:
            print(f"Compared: {', '.join(described)}.", flush=True)


if __name__ == "__main__":
    main()
