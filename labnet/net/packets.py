"""
IPv4, IPv6, TCP and UDP headers around given bytes, as they would have stood on a wire.

RFC 791 and RFC 8200 (IP), RFC 9293 (TCP), RFC 768 (UDP), RFC 1071 (the checksum).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntFlag
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple

__all__ = [
    "LONGEST_DATAGRAM",
    "Flags",
    "Host",
    "Packet",
    "Segment",
    "checksum",
    "datagram",
    "longestSegment",
    "plainAddress",
]

#: Bytes of data in one datagram at most, over IPv4.
LONGEST_DATAGRAM = 65_507

_TCP, _UDP = 6, 17
_TTL = 64
_IPV4 = struct.Struct("!BBHHHBBH4s4s")
_IPV6 = struct.Struct("!IHBB16s16s")
_PORTS = struct.Struct("!HHIIBBHHH")
_DATAGRAM = struct.Struct("!HHHH")
_DO_NOT_FRAGMENT = 0x4000

#: What both sides announce: 65,535 bytes of 256, so that nothing recorded fills it.
_WINDOW, _SHIFT = 65_535, 8

Address = IPv4Address | IPv6Address


class Flags(IntFlag):
    """The flags of a TCP segment that are used here."""

    FIN = 0x01
    SYN = 0x02
    RST = 0x04
    PSH = 0x08
    ACK = 0x10


class Host(NamedTuple):
    """One end: its address and its port."""

    address: Address
    port: int


class Packet(NamedTuple):
    """
    An IP packet.

    @ivar data: as much of it as there is.
    @ivar length: how long it was, in bytes.
    """

    data: bytes
    length: int


@dataclass(frozen=True, slots=True)
class Segment:
    """
    What goes into one TCP segment.

    @ivar sequence: the number of its first byte, of its SYN or of its FIN; modulo 2**32.
    @ivar acknowledgement: the number of the byte that is expected next; modulo 2**32.
    @ivar data: its bytes, or as many of the first of them as there are.
    @ivar missing: how many there were besides.
    """

    sequence: int
    acknowledgement: int
    flags: Flags
    data: bytes = b""
    missing: int = 0

    def packet(self, source: Host, destination: Host, identification: int) -> Packet:
        """
        As an IP packet. When bytes are missing its TCP checksum is 0, for nobody knows it.

        @param identification: of IPv4, modulo 2**16.
        """
        options = _handshake(source.address) if self.flags & Flags.SYN else b""
        head = _PORTS.pack(
            source.port,
            destination.port,
            self.sequence % 2**32,
            self.acknowledgement % 2**32,
            (_PORTS.size + len(options)) // 4 << 4,
            self.flags,
            _WINDOW,
            0,
            0,
        )
        content = head + options + self.data
        if not self.missing:
            check = checksum(_pseudo(source, destination, _TCP, len(content)) + content)
            content = content[:16] + check.to_bytes(2, "big") + content[18:]
        return _packet(source, destination, _TCP, content, self.missing, identification)


def datagram(source: Host, destination: Host, data: bytes, missing: int, identification: int) -> Packet:
    """
    A UDP datagram as an IP packet, whole even where it would have been fragmented.

    @param missing: how many bytes there were behind C{data}; then the checksum is 0, which is "none".
        Together they are L{LONGEST_DATAGRAM} at most.
    """
    length = _DATAGRAM.size + len(data) + missing
    content = _DATAGRAM.pack(source.port, destination.port, length, 0) + data
    if not missing:
        check = checksum(_pseudo(source, destination, _UDP, length) + content) or 0xFFFF
        content = content[:6] + check.to_bytes(2, "big") + data
    return _packet(source, destination, _UDP, content, missing, identification)


def plainAddress(text: str) -> Address | None:
    """
    The address that a text is; IPv4 in IPv6 is IPv4, and a scope is left out.

    @return: L{None} for what is no address.
    """
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def longestSegment(address: Address) -> int:
    """
    Bytes of data in one segment at most (the MSS): as on Linux's loopback interface, or on an Ethernet.
    """
    if isinstance(address, IPv4Address):
        return 65_495 if address.is_loopback else 1_460
    return 65_475 if address.is_loopback else 1_440


def checksum(data: bytes) -> int:
    """The Internet checksum of C{data} (RFC 1071): 0 where it stands in its place already."""
    number = int.from_bytes(data, "big") << (8 if len(data) % 2 else 0)
    # To carry the carries round is to divide by 0xFFFF, but for the two zeros of that arithmetic.
    rest = number % 0xFFFF
    return 0xFFFF - (rest or (0xFFFF if number else 0))


def _handshake(source: Address) -> bytes:
    """The options of a SYN: the MSS, and by how many bits the window is shifted."""
    return struct.pack("!BBHBBBB", 2, 4, longestSegment(source), 1, 3, 3, _SHIFT)


def _pseudo(source: Host, destination: Host, protocol: int, length: int) -> bytes:
    """What a checksum covers besides the segment (RFC 9293, 3.1; RFC 8200, 8.1)."""
    ends = source.address.packed + destination.address.packed
    if isinstance(source.address, IPv4Address):
        return ends + struct.pack("!HH", protocol, length)
    return ends + struct.pack("!II", length, protocol)


def _packet(
    source: Host, destination: Host, protocol: int, content: bytes, missing: int, identification: int
) -> Packet:
    length = len(content) + missing
    if isinstance(source.address, IPv4Address):
        length += _IPV4.size
        fields = [0x45, 0, length, identification % 2**16, _DO_NOT_FRAGMENT, _TTL, protocol, 0]
        ends = (source.address.packed, destination.address.packed)
        fields[-1] = checksum(_IPV4.pack(*fields, *ends))
        head = _IPV4.pack(*fields, *ends)
    else:
        head = _IPV6.pack(
            6 << 28, length, protocol, _TTL, source.address.packed, destination.address.packed
        )
        length += _IPV6.size
    return Packet(head + content, length)
