"""
Round trips a second of the TCP echo, side by side with Twisted's own and with uvloop.

    python benchmarks/echo.py [--rounds N] [--seconds S]

Every server is pinned to one CPU and the load to the other; 64 connections, 64 bytes each way. The servers
take turns, so that whatever else the machine does meets all of them. Needs C{uvloop}, which is no part of
labnet: C{pip install uvloop}; without it that row is left out.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import select
import socket
import sys
import time
from contextlib import ExitStack
from statistics import median

from measuring import LOAD, Server, spread, stopOnSignals, table, twistd

CONNECTIONS = 64
MESSAGE = b"x" * 64

TWISTED = """
from twisted.internet import reactor
from twisted.internet.protocol import Factory
from twisted.protocols.wire import Echo
port = reactor.listenTCP(0, Factory.forProtocol(Echo), interface="127.0.0.1")
print("listens on tcp:127.0.0.1:%d" % port.getHost().port, flush=True)
reactor.run()
"""

UVLOOP = """
import asyncio, uvloop

class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data)

async def main():
    server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", 0)
    print("listens on tcp:127.0.0.1:%d" % server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()

uvloop.run(main())
"""

OURS = ["labnet-echo", "--listen", "raw=tcp:0"]
SERVERS = {
    "twisted.protocols.wire.Echo": [sys.executable, "-c", TWISTED],
    "uvloop Protocol": [sys.executable, "-c", UVLOOP],
    "labnet-echo": twistd(*OURS),
    "labnet-echo --reactor labnet": twistd("--reactor", "labnet", *OURS),
}


def load(port: int, seconds: float) -> float:
    """Round trips a second."""
    poller = select.epoll()
    sockets = {}
    for _ in range(CONNECTIONS):
        connection = socket.create_connection(("127.0.0.1", port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.send(MESSAGE)
        poller.register(connection, select.EPOLLIN)
        sockets[connection.fileno()] = connection
    done = 0
    began = time.perf_counter()
    until = began + seconds
    while time.perf_counter() < until:
        for descriptor, _ in poller.poll():
            connection = sockets[descriptor]
            # A message of this size comes in one piece on the loopback interface.
            if len(connection.recv(4096)) == len(MESSAGE):
                done += 1
            connection.send(MESSAGE)
    rate = done / (time.perf_counter() - began)
    for connection in sockets.values():
        connection.close()
    return rate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    options = parser.parse_args()
    servers = dict(SERVERS)
    if importlib.util.find_spec("uvloop") is None:
        del servers["uvloop Protocol"]
    rates: dict[str, list[float]] = {name: [] for name in servers}
    stopOnSignals()
    with ExitStack() as stack:
        running = {name: stack.enter_context(Server(command)) for name, command in servers.items()}
        ports = {name: server.announced() for name, server in running.items()}
        os.sched_setaffinity(0, {LOAD})
        for _ in range(options.rounds):
            for name, port in ports.items():
                rates[name].append(load(port, options.seconds))
    base = median(rates["twisted.protocols.wire.Echo"])
    columns = ["server", "round trips a second (median)", "lowest to highest", "ratio"]
    rows = [
        [name, f"{median(measured):,.0f}", spread(measured), f"{median(measured) / base:.2f}"]
        for name, measured in rates.items()
    ]
    print(table(columns, rows))


if __name__ == "__main__":
    main()
