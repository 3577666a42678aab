"""
Round trips of small messages over TCP and UDP, of several servers side by side.

Every server is pinned to one CPU and the load to the other. The servers take turns, so that whatever else
the machine does meets all of them.
"""

from __future__ import annotations

import os
import select
import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from statistics import median

from measuring import LOAD, Server, spread, table

CLIENTS = 64
TITLES = {socket.SOCK_STREAM: "TCP", socket.SOCK_DGRAM: "UDP"}


def load(kind: socket.SocketKind, port: int, message: bytes, seconds: float, clients: int = CLIENTS) -> int:
    """How many round trips there were."""
    poller = select.epoll()
    sockets = {}
    for _ in range(clients):
        client = socket.socket(socket.AF_INET, kind)
        client.connect(("127.0.0.1", port))
        if kind is socket.SOCK_STREAM:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.send(message)
        poller.register(client, select.EPOLLIN)
        sockets[client.fileno()] = client
    done = 0
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        # A datagram may be lost; then that client is silent, and all of them may be in the end.
        for descriptor, _ in poller.poll(seconds):
            client = sockets[descriptor]
            # A message of this size comes in one piece on the loopback interface.
            if len(client.recv(4096)) == len(message):
                done += 1
            client.send(message)
    for client in sockets.values():
        client.close()
    return done


def compare(
    kind: socket.SocketKind,
    servers: Mapping[str, Sequence[str]],
    message: bytes,
    rounds: int,
    seconds: float,
) -> str:
    """
    The table of one kind of socket.

    @param servers: the commands; each says where it listens, in the words of ours. The first is what the
        others are compared with.
    @param message: each client has one under way, and gets an answer that is as long.
    """
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
                done = load(kind, ports[name], message, seconds)
                rates[name].append(done / seconds)
                costs[name].append((server.processor - before) / max(done, 1) * 1e6)
    base = median(next(iter(rates.values())))
    columns = [TITLES[kind], "round trips a second", "lowest to highest", "ratio", "CPU µs each"]
    rows = [
        [name, f"{median(r):,.0f}", spread(r), f"{median(r) / base:.2f}", f"{median(costs[name]):.1f}"]
        for name, r in rates.items()
    ]
    return table(columns, rows)
