"""
Memory of a connection that does nothing, for every stream server of the catalogue.

    python benchmarks/idle.py [NAME ...] [--connections N]

Each server in turn, as a process of its own: so many connections are opened and say nothing, and what the
process has grown by (its resident memory) is divided by them. They come from several addresses of the
loopback interface, for one has no more than 28,000 ports. A listener for each variant of a service is a
row; TLS is left out.
"""

from __future__ import annotations

import argparse
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

from labnet.catalogue import CATALOGUE, Entry, Kind
from labnet.net.sockets import raiseDescriptorLimit

BIN = Path(sys.executable).parent
#: Connections from one address.
PER_ADDRESS = 2_500
#: What speaks first and closes has no idle connections.
CLOSES = ("greeting", "qotd", "daytime", "time", "chargen")
PATIENCE = 60.0


def places(entry: Entry) -> dict[str, str]:
    """The stream listeners of a server, by what they are called here, each at a port of its own."""
    found = {}
    for endpoint in entry.endpoints:
        variant, _, _ = endpoint.rpartition("=tcp:")
        if variant or endpoint.startswith("tcp:"):
            name = f"{entry.name} {variant}".strip()
            if variant not in CLOSES and entry.name not in CLOSES:
                found[name] = f"{variant}=tcp:0" if variant else "tcp:0"
    return found


def resident(process: int) -> int:
    """Its resident memory, in bytes."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) * 1024


def settled(process: int) -> int:
    """Its resident memory, once it has stopped changing."""
    before = -1
    while (now := resident(process)) != before:
        before = now
        time.sleep(0.5)
    return now


def measured(entry: Entry, listen: str, connections: int) -> float:
    """Bytes for each idle connection."""
    limits = ["--max-connections", str(2 * connections), "--max-per-peer", "0", "--idle-timeout", "0"]
    command = [str(BIN / "twistd"), "-n", "--pidfile=", entry.plugin, "--listen", listen, *limits]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    opened: list[socket.socket] = []
    try:
        port = next(
            int(match[1])
            for line in server.stdout
            if (match := re.search(r"listens on tcp:.*:(\d+)$", line))
        )
        before = settled(server.pid)
        for number in range(connections):
            source = (f"127.0.0.{2 + number // PER_ADDRESS}", 0)
            opened.append(socket.create_connection(("127.0.0.1", port), PATIENCE, source))
        descriptors = Path(f"/proc/{server.pid}/fd")
        deadline = time.monotonic() + PATIENCE
        while len(list(descriptors.iterdir())) < connections:
            if time.monotonic() > deadline:
                raise SystemExit(f"{entry.name}: does not take {connections} connections")
            time.sleep(0.1)
        return (settled(server.pid) - before) / connections
    finally:
        for one in opened:
            one.close()
        server.terminate()
        server.communicate()


def main() -> None:
    """Measure, and print a row for each."""
    servers = [entry for entry in CATALOGUE if entry.kind is Kind.SERVER and not entry.foreground]
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="which servers; all of them unless given")
    parser.add_argument("--connections", type=int, default=10_000)
    arguments = parser.parse_args()
    unknown = set(arguments.names) - {entry.name for entry in servers}
    if unknown:
        parser.error(f"no such server: {', '.join(sorted(unknown))}")
    if raiseDescriptorLimit() < arguments.connections + 100:
        parser.error(f"this process may not open {arguments.connections} files: ulimit -n")
    print(f"{'server':<24}{'bytes for each of ' + format(arguments.connections, ',') + ' idle':>36}")
    for entry in servers:
        if not arguments.names or entry.name in arguments.names:
            for name, listen in places(entry).items():
                print(f"{name:<24}{measured(entry, listen, arguments.connections):>36,.0f}", flush=True)


if __name__ == "__main__":
    main()
