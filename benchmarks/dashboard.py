"""
What the dashboard costs the services it looks at: round trips of an echo on many connections.

    python benchmarks/dashboard.py [--rounds N] [--seconds S] [--clients N]

All connections talk all the time, 40 bytes each way. The first row has no dashboard, and so no trace; in
the second there is one, and nobody looks. In the others so many pages are open.
"""

from __future__ import annotations

import argparse
import os
import select
import socket
import sys
import tempfile
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from measuring import LOAD, Server, spread, stopOnSignals, table
from roundtrips import load

MESSAGE = b"x" * 40
TOKEN = "only-for-benchmarks"

SERVER = """
import os, sys
from twisted.application.service import MultiService
from twisted.internet import reactor
from twisted.internet.endpoints import serverFromString
from twisted.logger import globalLogBeginner, textFileLogObserver
from labnet.dashboard.server import Dashboard
from labnet.echo.tap import Options, makeService
from labnet.net.service import listeners
from labnet.net.trace import Trace

path, token = sys.argv[1:]
globalLogBeginner.beginLoggingTo([textFileLogObserver(open(os.devnull, "w"))], redirectStandardIO=False)
everything = MultiService()
options = Options()
options.parseOptions(["--listen", "raw=tcp:0"])
if path:
    trace = options.layers.trace = Trace()
    dashboard = Dashboard(reactor, trace, token)
    dashboard.others = everything
    dashboard.listen(serverFromString(reactor, "unix:" + path))
    dashboard.setServiceParent(everything)
makeService(options).setServiceParent(everything)
everything.startService()
for listener in listeners(everything):
    if listener.serviceName == "echo":
        print("listens on", listener.address, flush=True)
reactor.run()
"""

#: By row, how many pages are open; L{None}: there is no dashboard.
ROWS = {"no dashboard": None, "nobody looks": 0, "one page": 1, "four pages": 4}


class Pages:
    """
    Pages that are open, as far as the server can tell: they read what they are sent.

    @ivar received: bytes of all of them.
    """

    def __init__(self) -> None:
        self.received = 0
        self._poller = select.epoll()
        self._sockets: dict[int, socket.socket] = {}

    def open(self, path: str) -> None:
        """Open one more."""
        page = socket.socket(socket.AF_UNIX)
        page.connect(path)
        page.sendall(f"GET /events?token={TOKEN} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        self._sockets[page.fileno()] = page
        self._poller.register(page, select.EPOLLIN)

    def read(self) -> None:
        """Read for ever."""
        while True:
            for descriptor, _ in self._poller.poll():
                received = len(self._sockets[descriptor].recv(1 << 20))
                if not received:
                    self._poller.unregister(descriptor)
                self.received += received


def measure(rounds: int, seconds: float, clients: int) -> str:
    rates: dict[str, list[float]] = {name: [] for name in ROWS}
    costs: dict[str, list[float]] = {name: [] for name in ROWS}
    sent: dict[str, list[float]] = {name: [] for name in ROWS}
    pages = Pages()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        os.sched_setaffinity(0, range(os.cpu_count() or 1))
        running = {}
        for name, many in ROWS.items():
            path = "" if many is None else str(folder / f"{many}.socket")
            command: Sequence[str] = [sys.executable, "-c", SERVER, path, TOKEN]
            running[name] = stack.enter_context(Server(command))
        ports = {name: server.announced() for name, server in running.items()}
        os.sched_setaffinity(0, {LOAD})
        for many in ROWS.values():
            for _ in range(many or 0):
                pages.open(str(folder / f"{many}.socket"))
        threading.Thread(target=pages.read, daemon=True).start()
        for _ in range(rounds):
            for name, server in running.items():
                before, received = server.processor, pages.received
                done = load(socket.SOCK_STREAM, ports[name], MESSAGE, seconds, clients)
                rates[name].append(done / seconds)
                costs[name].append((server.processor - before) / max(done, 1) * 1e6)
                sent[name].append((pages.received - received) / seconds / max(ROWS[name] or 1, 1) / 1e3)
    base = median(costs["no dashboard"])
    columns = [
        f"{clients:,} connections",
        "round trips a second",
        "lowest to highest",
        "CPU µs each",
        "ratio",
        "kB/s to a page",
    ]
    rows = [
        [name, f"{median(r):,.0f}", spread(r), f"{median(costs[name]):.1f}",
         f"{median(costs[name]) / base:.2f}", f"{median(sent[name]):.0f}" if ROWS[name] else ""]
        for name, r in rates.items()
    ]  # fmt: skip
    return table(columns, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--clients", type=int, default=1_000)
    options = parser.parse_args()
    stopOnSignals()
    print(measure(options.rounds, options.seconds, options.clients))


if __name__ == "__main__":
    main()
