"""
A file server without borders between its messages, and a client that hopes for them.
"""

from __future__ import annotations

import socket
import tempfile
from pathlib import Path

from labnet.demo.demonstration import Demonstration, Report
from labnet.demo.stage import Place, Stage
from labnet.files.access import Access
from labnet.files.connection import Shelf
from labnet.files.digests import Digests
from labnet.files.server import CourseFactory
from labnet.files.store import Store
from labnet.net.limits import Limits

__all__ = ["DEMONSTRATION"]

FAULTS = "out: merge=4k/4ms"
#: Seconds between the three parts: more than C{labnet-files} takes unless told otherwise, for here all of
#: it is one process, in which a client may be late.
PAUSE = 0.1
FILE = b"The first line of the notes.\nThe second.\n"


def naive(server: socket.socket) -> bytes:
    server.sendall(b"notes.txt")
    if server.recv(2) != b"OK":
        raise FileNotFoundError("notes.txt")
    size = int(server.recv(1024))
    data = b""
    while len(data) < size and (piece := server.recv(1024)):
        data += piece
    return data


def serve(client: socket.socket) -> None:
    client.recv(1024)
    client.sendall(b"OK")
    client.sendall(str(len(FILE)).encode())
    client.sendall(FILE)


def cured(server: socket.socket) -> bytes:
    server.sendall(b"notes.txt")
    answer = b""
    while piece := server.recv(1024):
        answer += piece
    rest = answer.removeprefix(b"OK")
    # The size, and as many bytes: only one number fits.
    (size,) = [n for n in range(len(rest)) if n + len(str(n)) == len(rest)]
    return rest[-size:]


async def run(stage: Stage, tries: int) -> Report:
    with tempfile.TemporaryDirectory(prefix="labnet-demo-") as folder:
        Path(folder, "notes.txt").write_bytes(FILE)
        access = Access(stage.reactor, {}, stage.inThread)
        store = Store(folder)
        shelf = Shelf(store, access, Digests(stage.inThread), stage.inThread)
        course = CourseFactory(stage.reactor, shelf, pause=PAUSE, limits=Limits(grace=0.1))
        port = stage.program(serve)
        broken = await stage.between(port, FAULTS)
        ours = await stage.serving(course, FAULTS)
        return Report(
            (
                await stage.tried("the client, nothing in between", tries, Place(port), naive, FILE),
                await stage.tried("the client, a network that merges", tries, broken, naive, FILE),
                await stage.tried(
                    "a client that reads to the end, the same network",
                    tries,
                    broken,
                    cured,
                    FILE,
                    cure=True,
                ),
                await stage.tried(
                    "the first client, labnet-files, the same network", tries, ours, naive, FILE, cure=True
                ),
            ),
            str(stage.faults(FAULTS)),
        )


DEMONSTRATION = Demonstration(
    "file-race",
    "The file race: OK, the size and the file, with nothing in between.",
    "The server sends OK, the size in digits, and the file, in three sends. The client receives 2 bytes, "
    "then takes whatever the next recv gives it for the size. If the file is there by then, the size has a "
    "file behind it. It is a race, and who is a little slower loses it.",
    "A protocol has to say where each part ends: the size in four bytes, or a line feed behind it. With "
    "this one a client can read to the end and see what fits. labnet-files waits between the three "
    "(--pause): for the first client it is still a race, and one that it wins.",
    (serve, naive),
    (cured,),
    run,
)
