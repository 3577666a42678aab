"""
The chat with very many members, with unlucky ones, and with ghosts.
"""

from __future__ import annotations

import os
import re
import selectors
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.chatroom import Chat, Guest
from tests.integration.processes import ENVIRONMENT, PATIENCE, eventually, need


@pytest.fixture
def chat(tmp_path: Path) -> Iterator[Chat]:
    with Chat(tmp_path) as chat:
        yield chat


def test_anUnluckyCrowd(chat: Chat) -> None:
    """
    A member that never reads, one that sends a byte now and then, one that floods, and one that resets
    its connection: the others have every message, once and in order.
    """
    ears = [Guest(chat.ports["line"], f"ear {number}") for number in range(5)]
    deaf = Guest(chat.ports["line"], "deaf")
    flood = Guest(chat.ports["line"], "flood")
    nameless = socket.create_connection(("127.0.0.1", chat.ports["line"]))
    flood.socket.setblocking(False)
    try:
        while True:
            flood.socket.send(b"flood\n" * 10_000)
    except BlockingIOError:
        pass
    gone = Guest(chat.ports["line"], "gone")
    gone.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    gone.close()
    ears[0].until("[SERVER] gone left the chat")
    for number in range(50):
        ears[0].say(f"message {number}")
        nameless.sendall(b"x")
    for ear in ears[1:]:
        lines = ear.until("[ear 0] message 49")
        assert [line for line in lines if line.startswith("[ear 0]")] == [
            f"[ear 0] message {number}" for number in range(50)
        ]
        assert 90 <= len([line for line in lines if line == "[flood] flood"]) < 1_000
    for guest in (*ears, deaf, flood):
        guest.close()
    nameless.close()


def rss(process: int) -> int:
    """Bytes of memory that a process uses now."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def readUntil(streams: dict[socket.socket, bytearray], size: int) -> None:
    """Read all of them at the same time, until each has so many bytes."""
    with selectors.DefaultSelector() as selector:
        for peer in streams:
            selector.register(peer, selectors.EVENT_READ)
        while selector.get_map():
            ready = selector.select(PATIENCE)
            assert ready, f"nothing more came; {len(selector.get_map())} members still wait"
            for key, _ in ready:
                peer = key.fileobj
                assert isinstance(peer, socket.socket)
                piece = peer.recv(1 << 20)
                assert piece, "a member was dropped"
                streams[peer] += piece
                if len(streams[peer]) >= size:
                    selector.unregister(peer)


def test_aThousandBusyMembers(tmp_path: Path) -> None:
    """All of them talk: each has what all others said, in one order; memory and descriptors come back."""
    count, turns, options = 1_000, 2, ("--join-rate", "0", "--history", "0")
    with Chat(tmp_path, *options) as chat:
        process, port = chat.process.pid, chat.ports["line"]
        Guest(port, "warm").close()
        descriptors = len(os.listdir(f"/proc/{process}/fd"))
        members: list[socket.socket] = []
        for number in range(count):
            member = socket.create_connection(("127.0.0.1", port), PATIENCE)
            member.sendall(b"guest %04d\n" % number)
            members.append(member)
        # The last one is told only of itself; then all joins of the others are on their way.
        ear = Guest(port, "ear")
        streams = {member: bytearray() for member in members}
        before = rss(process)
        for turn in range(turns):
            for number, member in enumerate(members):
                member.sendall(b"turn %d of %04d\n" % (turn, number))
        last = b""
        while last.count(b"] turn ") < count * turns:
            last += ear.socket.recv(1 << 20)
        lines = re.findall(rb"^.*\] turn .*\n", last, re.MULTILINE)
        assert len(set(lines)) == count * turns
        own = len(lines[0]) * turns
        readUntil(streams, len(last) - own)
        for number, member in enumerate(members):
            others = b"".join(line for line in lines if not line.startswith(b"[guest %04d]" % number))
            assert streams[member].endswith(others)
        assert rss(process) - before < 32 << 20
        for member in members:
            member.close()
        eventually(
            lambda: len(os.listdir(f"/proc/{process}/fd")) <= descriptors + 1, "the descriptors come back"
        )
        ear.say("/who")
        ear.until("[SERVER] 1 here: ear")
        ear.close()


# Runs in a network of its own, where nobody else is hurt when packets are thrown away.
LONELY = """
import subprocess, sys
from pathlib import Path
from tests.integration.chatroom import Chat, Guest
from tests.integration.processes import Twistd
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
with Chat(Path(sys.argv[1]), "--ghost-timeout", "2") as chat:
    ghost, ear = Guest(chat.ports["line"], "ghost"), Guest(chat.ports["line"], "ear")
    port = str(ghost.socket.getsockname()[1])
    for end in ("--sport", "--dport"):
        subprocess.run(["iptables", "-A", "INPUT", "-p", "tcp", end, port, "-j", "DROP"], check=True)
    if sys.argv[2] == "talk":
        ear.say("are you there?")
    ear.until("[SERVER] ghost left the chat")
    again = Guest(chat.ports["line"], "ghost")
    ear.until("[SERVER] ghost joined the chat!")
    again.close()
    ear.close()
print("freed")
"""


@pytest.mark.parametrize("meanwhile", ["talk", "silence"])
def test_aGhostsNameIsFree(tmp_path: Path, meanwhile: str) -> None:
    """
    A machine vanishes: no FIN, no RST, its packets are dropped. Whether something is said to it or not, it
    is found out, it leaves, and somebody else may have its name.
    """
    need("iptables")
    alone = [need("unshare"), "--map-root-user", "--net"]
    if subprocess.run([*alone, "iptables", "-L"], capture_output=True, check=False).returncode:
        pytest.skip("this system allows no network of one's own")
    result = subprocess.run(
        [*alone, sys.executable, "-c", LONELY, str(tmp_path), meanwhile],
        env=ENVIRONMENT | {"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert result.stdout == "freed\n", result.stderr
