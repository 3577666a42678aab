"""
Round trips a second of the echo over TCP and UDP, side by side with others.

    python benchmarks/echo.py [--rounds N] [--seconds S]

Every server is pinned to one CPU and the load to the other; 64 clients, 64 bytes each way, each client with
one message under way. The servers take turns, so that whatever else the machine does meets all of them.
Needs C{uvloop}, which is no part of labnet: C{pip install uvloop}; without it that row is left out.

Over UDP the limits on what one address may send, and what ends loops, are switched off: the load is what
they are against. The last row has the counting, with limits that are never reached.
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

CLIENTS = 64
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

LOOP = """
import socket
loop = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
loop.bind(("127.0.0.1", 0))
print("listens on udp:127.0.0.1:%d" % loop.getsockname()[1], flush=True)
while True:
    datagram, address = loop.recvfrom(65536)
    loop.sendto(datagram, address)
"""

DATAGRAMS = """
from twisted.internet import reactor
from twisted.internet.protocol import DatagramProtocol

class Echo(DatagramProtocol):
    def datagramReceived(self, datagram, address):
        self.transport.write(datagram, address)

port = reactor.listenUDP(0, Echo(), "127.0.0.1", 65536)
print("listens on udp:127.0.0.1:%d" % port.getHost().port, flush=True)
reactor.run()
"""

STREAM = ["labnet-echo", "--listen", "raw=tcp:0"]
PACKETS = ["labnet-echo", "--listen", "raw=udp:0", "--repeats", "0", "--unbroken", "0"]
UNCOUNTED = [*PACKETS, "--datagram-rate", "0", "--datagram-total", "0"]
COUNTED = [*PACKETS, "--datagram-rate", "10000000", "--datagram-total", "10000000"]
#: For each kind of socket its servers; the first is what the others are compared with.
SERVERS = {
    socket.SOCK_STREAM: {
        "twisted.protocols.wire.Echo": [sys.executable, "-c", TWISTED],
        "uvloop Protocol": [sys.executable, "-c", UVLOOP],
        "labnet-echo": twistd(*STREAM),
        "labnet-echo --reactor labnet": twistd("--reactor", "labnet", *STREAM),
    },
    socket.SOCK_DGRAM: {
        "a bare recvfrom and sendto": [sys.executable, "-c", LOOP],
        "twisted DatagramProtocol": [sys.executable, "-c", DATAGRAMS],
        "labnet-echo": twistd(*UNCOUNTED),
        "labnet-echo --reactor labnet": twistd("--reactor", "labnet", *UNCOUNTED),
        "labnet-echo, counted": twistd("--reactor", "labnet", *COUNTED),
    },
}
TITLES = {socket.SOCK_STREAM: "TCP", socket.SOCK_DGRAM: "UDP"}


def load(kind: socket.SocketKind, port: int, seconds: float) -> int:
    """How many round trips there were."""
    poller = select.epoll()
    sockets = {}
    for _ in range(CLIENTS):
        client = socket.socket(socket.AF_INET, kind)
        client.connect(("127.0.0.1", port))
        if kind is socket.SOCK_STREAM:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.send(MESSAGE)
        poller.register(client, select.EPOLLIN)
        sockets[client.fileno()] = client
    done = 0
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        # A datagram may be lost; then that client is silent, and all of them may be in the end.
        for descriptor, _ in poller.poll(seconds):
            client = sockets[descriptor]
            # A message of this size comes in one piece on the loopback interface.
            if len(client.recv(4096)) == len(MESSAGE):
                done += 1
            client.send(MESSAGE)
    for client in sockets.values():
        client.close()
    return done


def compare(kind: socket.SocketKind, rounds: int, seconds: float) -> str:
    """The table of one kind of socket."""
    servers = dict(SERVERS[kind])
    if importlib.util.find_spec("uvloop") is None:
        servers.pop("uvloop Protocol", None)
    rates: dict[str, list[float]] = {name: [] for name in servers}
    costs: dict[str, list[float]] = {name: [] for name in servers}
    with ExitStack() as stack:
        os.sched_setaffinity(0, range(os.cpu_count() or 1))
        running = {name: stack.enter_context(Server(command)) for name, command in servers.items()}
        ports = {name: server.announced() for name, server in running.items()}
        os.sched_setaffinity(0, {LOAD})
        for _ in range(rounds):
            for name, server in running.items():
                before = server.processor
                done = load(kind, ports[name], seconds)
                rates[name].append(done / seconds)
                costs[name].append((server.processor - before) / max(done, 1) * 1e6)
    base = median(next(iter(rates.values())))
    columns = [TITLES[kind], "round trips a second", "lowest to highest", "ratio", "CPU µs each"]
    rows = [
        [name, f"{median(r):,.0f}", spread(r), f"{median(r) / base:.2f}", f"{median(costs[name]):.1f}"]
        for name, r in rates.items()
    ]
    return table(columns, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    options = parser.parse_args()
    stopOnSignals()
    for kind in SERVERS:
        print(compare(kind, options.rounds, options.seconds), end="\n\n")


if __name__ == "__main__":
    main()
