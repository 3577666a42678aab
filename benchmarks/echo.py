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
import socket
import sys

from measuring import stopOnSignals, twistd
from roundtrips import compare

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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    options = parser.parse_args()
    stopOnSignals()
    for kind, known in SERVERS.items():
        servers = dict(known)
        if importlib.util.find_spec("uvloop") is None:
            servers.pop("uvloop Protocol", None)
        print(compare(kind, servers, MESSAGE, options.rounds, options.seconds), end="\n\n")


if __name__ == "__main__":
    main()
