"""
Netcat with more than fits into memory, and with a slow side.
"""

from __future__ import annotations

import os
import re
import select
import socket
import subprocess
import threading
from pathlib import Path
from typing import IO

import pytest

from tests.integration.conversations import (
    CONNECTORS,
    LISTENERS,
    Programs,
    digest,
    found,
)
from tests.integration.processes import PATIENCE

MIB = 1 << 20
CHUNK = bytes(range(256)) * 256
#: Seconds without progress after which somebody waits for somebody else.
STALLED = 0.5


@pytest.mark.parametrize("weListen", [False, True], ids=["weConnect", "weListen"])
@pytest.mark.parametrize("other", ["nc", "socat", "ncat"])
def test_largeFilesBothWaysAtOnce(
    programs: Programs, large: Path, tmp_path: Path, other: str, weListen: bool
) -> None:
    """
    Files in, files out; both sides send at the same time, and end when they have sent all. C{ncat} leaves
    when its peer has ended its half, so it only sends, or only receives.
    """
    oneWay = other == "ncat"
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    with (
        large.open("rb") as source,
        large.open("rb") as again,
        ours.open("wb") as toUs,
        theirs.open("wb") as to,
    ):
        listener = LISTENERS["ours" if weListen else other]
        if weListen:
            first = programs.start(*found(listener), stdin=source, stdout=toUs)
            port = first.port
            nothing = subprocess.DEVNULL if oneWay else again
            second = programs.start(*found(CONNECTORS[other], port), stdin=nothing, stdout=to)
        else:
            first = programs.start(*found(listener), stdin=again, stdout=to)
            port = first.port
            second = programs.nc(str(port), *(["-d"] if oneWay else []), stdin=source, stdout=toUs)
        assert (first.ends(), second.ends()) == (0, 0), first.err + second.err
    assert digest(ours) == (digest(large) if not (oneWay and weListen) else digest(Path(os.devnull)))
    assert digest(theirs) == (digest(large) if not (oneWay and not weListen) else digest(Path(os.devnull)))


def residentMemory(pid: int) -> int:
    """The most memory that a process has had, in bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    match = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert match is not None
    return int(match[1]) * 1024


def test_aSlowStandardOutputHoldsTheNetworkBack(programs: Programs) -> None:
    """200 MiB through a pipe whose reader stops: the sender has to wait, and netcat does not grow."""
    size = 200 * MIB
    read, write = os.pipe()
    listener = socket.create_server(("127.0.0.1", 0))
    with os.fdopen(read, "rb", buffering=0) as reader, listener:
        with os.fdopen(write, "wb") as writer:
            port = str(listener.getsockname()[1])
            program = programs.nc(port, stdin=subprocess.DEVNULL, stdout=writer)
        peer, _ = listener.accept()
        with peer:
            program.err.clear()
            before = residentMemory(program.process.pid)
            sent = fillUp(peer)
            assert sent < size // 4, "it swallowed everything"
            rest = threading.Thread(target=sendZeros, args=(peer, size - sent), daemon=True)
            rest.start()
            received = 0
            while data := reader.read(MIB):
                received += len(data)
                if received == size:
                    grown = residentMemory(program.process.pid) - before
            rest.join(PATIENCE)
    assert received == size
    assert grown < 16 * MIB
    assert program.ends() == 0


def test_aSlowNetworkHoldsStandardInputBack(programs: Programs) -> None:
    """The same the other way: whoever writes into the pipe has to wait, and nothing is lost."""
    size = 200 * MIB
    with socket.create_server(("127.0.0.1", 0)) as listener:
        read, write = os.pipe()
        with os.fdopen(read, "rb") as reader:
            program = programs.nc(str(listener.getsockname()[1]), stdin=reader)
        peer, _ = listener.accept()
        with peer, os.fdopen(write, "wb", buffering=0) as pipe:
            before = residentMemory(program.process.pid)
            os.set_blocking(pipe.fileno(), False)
            sent = 0
            # Full, and it stays so for a while: it is held back.
            while select.select([], [pipe], [], STALLED)[1]:
                sent += pipe.write(bytes(65536)) or 0
                assert sent < size // 4, "it swallowed everything"
            os.set_blocking(pipe.fileno(), True)
            rest = threading.Thread(target=writeZeros, args=(pipe, size - sent), daemon=True)
            rest.start()
            received = 0
            while data := peer.recv(MIB):
                received += len(data)
                if received == size:
                    grown = residentMemory(program.process.pid) - before
            rest.join(PATIENCE)
    assert received == size
    assert grown < 16 * MIB
    assert program.ends() == 0


def fillUp(peer: socket.socket) -> int:
    """Send until nobody has taken anything for a while."""
    peer.settimeout(STALLED)
    sent = 0
    try:
        while True:
            sent += peer.send(CHUNK)
    except TimeoutError:
        peer.settimeout(None)
        return sent


def sendZeros(peer: socket.socket, count: int) -> None:
    while count:
        count -= peer.send(bytes(min(count, MIB)))
    peer.shutdown(socket.SHUT_WR)


def writeZeros(pipe: IO[bytes], count: int) -> None:
    while count:
        count -= pipe.write(bytes(min(count, MIB)))
    pipe.close()
