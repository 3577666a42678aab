"""
A file of 100 MiB over HTTP: C{labnet-files} beside nginx with sendfile, read by the same program.

    python benchmarks/files.py [--rounds N] [--size MIB] [--reactor NAME]

Both serve the same file over loopback, in turns whose order changes, to a client that drops what it reads
in the kernel (C{MSG_TRUNC}), so that the time is the server's. Where there are two processors the client
has one, and the servers the other. Each is read once before it counts. The last line is the ratio of the
medians, our bytes a second to nginx's: 1 or more is as fast as nginx. On a machine that has something else
to do the time that each server had the processor is the better measure, and stands beside it.
"""

from __future__ import annotations

import argparse
import os
import re
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from measuring import LOAD, MIB, SERVERS, Server, freePort, installed, stopOnSignals, twistd

_CONFIGURATION = """
daemon off; master_process off; worker_processes 1; error_log stderr warn; pid {folder}/nginx.pid;
events {{ worker_connections 512; }}
http {{
  sendfile on; tcp_nopush on; access_log off; keepalive_requests 1000000; sendfile_max_chunk 0;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{ listen 127.0.0.1:{port}; root {folder}/files; }}
}}
"""


@contextmanager
def nginx(folder: Path, processor: int | None) -> Iterator[Source]:
    """nginx on a port that was free a moment ago."""
    port = freePort()
    configuration = folder / "nginx.conf"
    configuration.write_text(_CONFIGURATION.format(folder=folder, port=port))
    command = [installed("nginx"), "-p", str(folder), "-c", str(configuration)]
    with Server(command, processor, folder) as server:
        server.listening(port)
        yield Source("nginx", server, port)


@contextmanager
def labnet(folder: Path, processor: int | None, reactor: str) -> Iterator[Source]:
    """Ours on a port that the system chooses."""
    what = ["--folder", str(folder / "files"), "--largest", "0", "--listen", "http=tcp:0"]
    with Server(twistd(f"--reactor={reactor}", "labnet-files", *what), processor, folder) as server:
        yield Source("labnet", server, server.announced())


class Source:
    """
    One of them, and a connection to it.

    @ivar speeds: bytes a second of each round.
    @ivar used: the seconds of CPU that it had.
    """

    def __init__(self, name: str, server: Server, port: int) -> None:
        self.name = name
        self.speeds: list[float] = []
        self.used = 0.0
        self._server = server
        self._connection = socket.create_connection(("127.0.0.1", port))
        self._nowhere = bytearray(MIB)

    def measure(self, size: int) -> None:
        """Get the file once."""
        used, began = self._server.processor, time.perf_counter()
        left = self._ask()
        assert left <= size
        while left:
            amount = self._connection.recv_into(self._nowhere, min(left, MIB), socket.MSG_TRUNC)
            if not amount:
                sys.exit(f"{self.name} closed the connection in the middle")
            left -= amount
        self.speeds.append(size / (time.perf_counter() - began))
        self.used += self._server.processor - used

    def _ask(self) -> int:
        """Ask for the file; how many bytes of it are still to come after the head."""
        self._connection.sendall(b"GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self._connection.recv(65_536)
        head, _, rest = answer.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        assert head.startswith(b"HTTP/1.1 200 ")
        assert length is not None
        return int(length[1]) - len(rest)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--size", type=int, default=100)
    parser.add_argument("--reactor", default="epoll")
    options = parser.parse_args()
    theirs = SERVERS if SERVERS != LOAD else None
    if theirs is not None:
        os.sched_setaffinity(0, {LOAD})
    stopOnSignals()
    size = options.size * MIB
    with tempfile.TemporaryDirectory(prefix="labnet-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "files").mkdir()
        (folder / "files" / "big").write_bytes(os.urandom(MIB) * options.size)
        with nginx(folder, theirs) as peer, labnet(folder, theirs, options.reactor) as ours:
            for number in range(options.rounds + 1):
                for server in (peer, ours) if number % 2 else (ours, peer):
                    server.measure(size)
                    if not number:
                        server.speeds.clear()
                        server.used = 0.0
    for server in (peer, ours):
        milliseconds = server.used * 1000 / options.rounds
        print(f"{server.name:>8}: {median(server.speeds) / MIB:8,.0f} MiB/s, best", end="")
        print(f" {max(server.speeds) / MIB:8,.0f}; {milliseconds:.1f} ms of the processor for each file")
    print(f"processor time, nginx / labnet: {peer.used / ours.used:.2f}")
    print(f"labnet / nginx: {median(ours.speeds) / median(peer.speeds):.2f}")


if __name__ == "__main__":
    main()
