"""
How much of what was sent a program on this machine has not read yet, as the kernel has it.

Who sends a message in pieces wants each of them to be read by itself. What is still unread when the next
one comes makes one piece with it; so the examiner sends the next piece when the program has taken the last
one, and needs no pause. Linux tells it for each socket (C{sock_diag(7)}); elsewhere, and for programs on
other machines, nobody does.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from dataclasses import dataclass
from ipaddress import ip_address

__all__ = ["Progress", "listens", "progress"]

_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_REQUEST = 1
_ERROR = 2
_HEAD = struct.Struct("=IHHII")
_REQUEST_HEAD = struct.Struct("=BBBBI")
_NO_COOKIE = struct.pack("=III", 0, 0xFFFFFFFF, 0xFFFFFFFF)
#: Asks for C{struct tcp_info} as well: attribute 2.
_INFO = 2
#: In the answer, behind the head, four bytes and the addresses: the length of the receive queue. Where the
#: attributes begin. Where in C{tcp_info} the bytes are that were received (Linux 4.1).
_QUEUE_AT, _ATTRIBUTES_AT, _RECEIVED_AT = 72, 88, 128
#: Behind the head and the family: the state; and the one of a socket that listens.
_STATE_AT, _LISTEN = 17, 10


@dataclass(frozen=True, slots=True)
class Progress:
    """
    How far a program is with what it is sent.

    @ivar received: bytes that have arrived at its system, from the beginning of the connection.
    @ivar waiting: bytes of these that the program has not read yet.
    """

    received: int
    waiting: int


def progress(mine: tuple[str, int], theirs: tuple[str, int]) -> Progress | None:
    """
    How far the program at the other end of a TCP connection is.

    @param mine: address and port of this end; C{theirs} those of the other.
    @return: L{None} if the kernel does not tell: another system, another machine, no such socket any more.
    """
    answer = _asked(socket.IPPROTO_TCP, theirs, mine)
    if not answer:
        return None
    received = _received(answer)
    return None if received is None else Progress(received, struct.unpack_from("=I", answer, _QUEUE_AT)[0])


def _asked(protocol: int, source: tuple[str, int], destination: tuple[str, int]) -> bytes | None:
    """
    What the kernel says of one socket.

    @return: nothing if there is no such socket, L{None} if the kernel does not tell.
    """
    try:
        question = _question(protocol, source, destination)
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG) as asking:
            asking.settimeout(0.1)
            asking.send(question)
            answer = asking.recv(4_096)
    except (OSError, AttributeError, ValueError):
        return None
    if len(answer) >= _ATTRIBUTES_AT and _HEAD.unpack_from(answer)[1] == _SOCK_DIAG_BY_FAMILY:
        return answer
    missing = len(answer) >= _HEAD.size + 4 and _HEAD.unpack_from(answer)[1] == _ERROR
    return b"" if missing and struct.unpack_from("=i", answer, _HEAD.size)[0] == -errno.ENOENT else None


def _received(answer: bytes) -> int | None:
    """The field of C{tcp_info}, somewhere among the attributes."""
    at = _ATTRIBUTES_AT
    while at + 4 <= len(answer):
        size, kind = struct.unpack_from("=HH", answer, at)
        if kind == _INFO and size >= 4 + _RECEIVED_AT + 8:
            return int(struct.unpack_from("=Q", answer, at + 4 + _RECEIVED_AT)[0])
        at += max(4, (size + 3) & ~3)
    return None


def _question(protocol: int, source: tuple[str, int], destination: tuple[str, int]) -> bytes:
    one, other = ip_address(source[0].partition("%")[0]), ip_address(destination[0].partition("%")[0])
    family = socket.AF_INET if one.version == 4 else socket.AF_INET6
    ports = struct.pack("!HH", source[1], destination[1])
    body = (
        _REQUEST_HEAD.pack(family, protocol, 1 << (_INFO - 1), 0, 0xFFFFFFFF)
        + ports
        + one.packed.ljust(16, b"\0")
        + other.packed.ljust(16, b"\0")
        + _NO_COOKIE
    )
    return _HEAD.pack(_HEAD.size + len(body), _SOCK_DIAG_BY_FAMILY, _REQUEST, 1, 0) + body


def listens(host: str, port: int, transport: str) -> bool | None:
    """
    Whether somebody on this machine listens on a port, without connecting: a server that serves one client
    would take the look for it.

    @param host: an address of this machine, or a name of it.
    @param transport: C{"tcp"} or C{"udp"}.
    @return: L{None} if the system does not tell.
    """
    anyone = "::" if ":" in host else "0.0.0.0"
    if transport == "tcp":
        answer = _asked(socket.IPPROTO_TCP, (host, port), (anyone, 0))
    else:
        # Here the kernel has the two ends the other way round.
        answer = _asked(socket.IPPROTO_UDP, (anyone, 0), (host, port))
    if answer is not None:
        return bool(answer) and (transport == "udp" or answer[_STATE_AT] == _LISTEN)
    return _listed(port, transport)


def _listed(port: int, transport: str) -> bool | None:
    """The same from the tables in C{/proc}, which may be long."""
    wanted = f":{port:04X}"
    told = False
    for table in (transport, transport + "6"):
        try:
            with open(os.path.join("/proc/net", table), encoding="ascii") as file:
                next(file, None)
                told = True
                for line in file:
                    fields = line.split()
                    if fields[1].endswith(wanted) and (transport == "udp" or fields[3] == "0A"):
                        return True
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.EACCES):
                raise
    return False if told else None
