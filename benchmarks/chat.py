"""
The chat under load.

    python benchmarks/chat.py speed [--members N] [--rounds N] [--seconds S]
    python benchmarks/chat.py idle [--members N]
    python benchmarks/chat.py busy [--members N] [--seconds S]

C{speed}: messages delivered a second, side by side with a room made of Twisted's C{LineReceiver} and, where
it is installed, with C{ngircd}. Everybody is in one room; ten of them talk, and as soon as one message has
come back to a listener the next one is sent. What is counted is what all members have received.

C{idle}: what each of 10,000 members costs in memory who say nothing, how long they take to come in, and
how long one message takes to the last of them. C{busy}: 1,000 members who each say something every second,
and how late the slowest message comes.

The servers are pinned to one CPU, and take turns. 10,000 members need 10,000 descriptors on each side.
"""

from __future__ import annotations

import argparse
import os
import resource
import select
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from measuring import MIB, DidNotStart, Server, freePort, installed, stopOnSignals, table, twistd

TALKERS = 10
TEXT = b"x" * 64
# As much as is there, and no byte of it is copied.
DROPPED = bytearray(MIB)

LINE_RECEIVER = """
from twisted.internet import reactor
from twisted.internet.protocol import Factory
from twisted.protocols.basic import LineOnlyReceiver

class Member(LineOnlyReceiver):
    delimiter = b"\\n"
    name = None
    members = set()

    def connectionMade(self):
        self.sendLine(b"Enter your username: ")

    def lineReceived(self, line):
        if self.name is None:
            self.name = line
            self.members.add(self)
            return
        for member in self.members:
            if member is not self:
                member.sendLine(b"[" + self.name + b"] " + line)

    def connectionLost(self, reason):
        self.members.discard(self)

port = reactor.listenTCP(0, Factory.forProtocol(Member), interface="127.0.0.1", backlog=1000)
print("listens on tcp:127.0.0.1:%d" % port.getHost().port, flush=True)
reactor.run()
"""

NGIRCD = """
[Global]
Name = irc.example.net
Info = benchmark
Listen = 127.0.0.1
Ports = {port}
ServerUID = {user}
ServerGID = {user}
[Limits]
MaxConnections = 0
MaxConnectionsIP = 0
MaxJoins = 0
MaxPenaltyTime = 0
PingTimeout = 3600
[Options]
DNS = no
Ident = no
PAM = no
"""

OURS = [
    "labnet-chat", "--listen", "line=tcp:0:backlog=4096", "--message-rate", "0",
    "--join-rate", "0", "--history", "0",
    "--max-members", "20000", "--max-connections", "20000", "--max-backlog", str(64 * MIB),
]  # fmt: skip


def ours(*options: str) -> list[str]:
    return twistd(*options, *OURS)


def chatLogin(name: bytes) -> bytes:
    return name + b"\n"


def chatSay(text: bytes) -> bytes:
    return text + b"\n"


def ircLogin(name: bytes) -> bytes:
    return b"NICK " + name + b"\r\nUSER " + name + b" 0 * :x\r\nJOIN #room\r\n"


def ircSay(text: bytes) -> bytes:
    return b"PRIVMSG #room :" + text + b"\r\n"


class Room(Server):
    """A running chat server, on the first CPU."""

    def __init__(self, command: list[str], port: int = 0, irc: bool = False) -> None:
        super().__init__(command)
        self.irc = irc
        self.login: Callable[[bytes], bytes] = ircLogin if irc else chatLogin
        self.say: Callable[[bytes], bytes] = ircSay if irc else chatSay
        if port:
            self.listening(port)
        self.port = port or self.announced()


class Crowd:
    """Members that drop what they hear, in the kernel; the first, who keeps it, only listens."""

    def __init__(self, server: Room, size: int) -> None:
        self.server = server
        self.poller = select.epoll()
        self.sockets: dict[int, socket.socket] = {}
        self.members: list[socket.socket] = []
        self.received = 0
        self.heard = b""
        for number in range(size):
            member = self._connect()
            if server.irc:
                # Its queue of those that want to come in is short: one after the other.
                member.setblocking(True)
                member.send(server.login(b"m%d" % number))
                answer = b""
                while b" 366 " not in answer:
                    answer += member.recv(65_536)
                member.setblocking(False)
        if not server.irc:
            # All names at once, so that what everybody is told of everybody leaves in few pieces.
            for number, member in enumerate(self.members):
                member.send(server.login(b"m%d" % number))
        self.quiet()

    def _connect(self) -> socket.socket:
        for _ in range(1_000):
            try:
                member = socket.create_connection(("127.0.0.1", self.server.port))
                break
            except OSError:
                time.sleep(0.01)
        else:
            raise SystemExit("nobody listens")
        member.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        member.setblocking(False)
        self.poller.register(member, select.EPOLLIN)
        self.sockets[member.fileno()] = member
        self.members.append(member)
        return member

    def read(self, wait: float) -> bool:
        """Take what is there; whether anything was."""
        ready = self.poller.poll(wait)
        for descriptor, _ in ready:
            member = self.sockets[descriptor]
            if member is self.members[0]:
                piece = member.recv(MIB)
                self.heard += piece
                size = len(piece)
            else:
                size = member.recv_into(DROPPED, 0, socket.MSG_TRUNC)
            if not size:
                raise SystemExit("the server has closed a connection")
            self.received += size
        return bool(ready)

    def quiet(self) -> None:
        """Read until there is nothing for a while."""
        while self.read(2):
            pass
        self.heard = b""

    def close(self) -> None:
        for member in self.members:
            member.close()
        self.poller.close()


def speed(server: Room, size: int, seconds: float) -> tuple[float, float]:
    """Messages delivered a second, and for each second that the server had the CPU."""
    crowd = Crowd(server, size)
    talkers = crowd.members[1 : TALKERS + 1]
    message = server.say(TEXT)
    for talker in talkers:
        talker.send(message)
    messages = bytesOfThem = 0
    at = 0
    crowd.received, cpu, began = 0, server.processor, time.perf_counter()
    while time.perf_counter() - began < seconds:
        crowd.read(0.1)
        whole = crowd.heard.count(b"\n")
        if whole:
            cut = crowd.heard.rindex(b"\n") + 1
            messages, bytesOfThem, crowd.heard = messages + whole, bytesOfThem + cut, crowd.heard[cut:]
            for _ in range(whole):
                talkers[at].send(message)
                at = (at + 1) % TALKERS
    took, used = time.perf_counter() - began, server.processor - cpu
    delivered = crowd.received / (bytesOfThem / messages)
    crowd.close()
    return delivered / took, delivered / used


def compareSpeed(options: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as folder:
        starts: dict[str, Callable[[], Room]] = {
            "LineReceiver": lambda: Room([sys.executable, "-c", LINE_RECEIVER]),
            "labnet-chat": lambda: Room(ours()),
            "labnet-chat --reactor labnet": lambda: Room(ours("--reactor", "labnet")),
        }
        port = freePort()
        file = Path(folder, "ngircd.conf")
        file.write_text(NGIRCD.format(port=port, user="irc" if os.geteuid() == 0 else os.geteuid()))
        try:
            command = [installed("ngircd"), "-n", "-f", str(file)]
        except DidNotStart as problem:
            print(f"ngircd: {problem}", file=sys.stderr)
        else:
            starts["ngircd"] = lambda: Room(command, port, irc=True)
        rates: dict[str, list[tuple[float, float]]] = {name: [] for name in starts}
        for _ in range(options.rounds):
            for name, start in starts.items():
                with start() as server:
                    rates[name].append(speed(server, options.members, options.seconds))
    base = median(rate for rate, _ in rates["LineReceiver"])
    rows = []
    for name, measured in rates.items():
        rate, cpu = (median(column) for column in zip(*measured, strict=True))
        rows.append([name, f"{rate:,.0f}", f"{cpu:,.0f}", f"{rate / base:.2f}"])
    columns = [f"server, {options.members} members", "delivered a second", "for a second of CPU", "ratio"]
    print(table(columns, rows))


def idle(options: argparse.Namespace) -> None:
    with Room(ours()) as server:
        Crowd(server, 1).close()
        before, began = server.memory, time.perf_counter()
        crowd = Crowd(server, options.members)
        came = time.perf_counter() - began
        each = (server.memory - before) / options.members
        crowd.received, began = 0, time.perf_counter()
        crowd.members[1].send(server.say(TEXT))
        wanted = (options.members - 1) * (len(TEXT) + len(b"[m1] \n"))
        while crowd.received < wanted:
            crowd.read(5)
        took = time.perf_counter() - began
        print(f"{options.members} members came in within {came:.1f} s; each costs {each / 1024:.1f} KiB")
        print(f"one message has reached all of them after {took * 1000:.0f} ms")
        crowd.close()


def busy(options: argparse.Namespace) -> None:
    with Room(ours()) as server:
        crowd = Crowd(server, options.members)
        before, latest, sent, began = server.memory, 0.0, 0, time.perf_counter()
        waiting: dict[bytes, float] = {}
        while sent < options.members * options.seconds or waiting:
            now = time.perf_counter()
            while sent < min(options.members * options.seconds, (now - began) * options.members):
                text = b"%08d" % sent
                crowd.members[1 + sent % (options.members - 1)].send(server.say(text))
                waiting[text] = now
                sent += 1
            crowd.read(0.005)
            *lines, crowd.heard = crowd.heard.split(b"\n")
            for line in lines:
                latest = max(latest, time.perf_counter() - waiting.pop(line[-8:]))
        took = time.perf_counter() - began
        print(f"{sent} messages of {options.members} members in {took:.1f} s, to everybody else each:")
        rate = sent * (options.members - 1) / took
        print(f"{rate:,.0f} delivered a second, the slowest after {latest:.2f} s")
        print(f"memory grew by {(server.memory - before) / MIB:.1f} MiB")
        crowd.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    commands = parser.add_subparsers(dest="what", required=True)
    for name, members, run in (("speed", 500, compareSpeed), ("idle", 10_000, idle), ("busy", 1_000, busy)):
        command = commands.add_parser(name)
        command.add_argument("--members", type=int, default=members)
        command.add_argument("--rounds", type=int, default=3)
        command.add_argument("--seconds", type=float, default=5.0)
        command.set_defaults(run=run)
    options = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    stopOnSignals()
    options.run(options)


if __name__ == "__main__":
    main()
