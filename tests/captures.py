"""
A small reader of pcapng files, for tests: written from the specification, and strict.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16


@dataclass(frozen=True)
class Block:
    kind: int
    body: bytes


@dataclass(frozen=True)
class Packet:
    """
    A packet as it stands in the file, and what is in it.

    @ivar time: in nanoseconds since the epoch.
    @ivar sound: whether its checksums are right.
    @ivar missing: bytes at its end that are not in the file.
    """

    time: int
    interface: str
    outbound: bool
    comments: tuple[str, ...]
    protocol: str
    source: tuple[str, int]
    destination: tuple[str, int]
    data: bytes
    missing: int
    sound: bool
    sequence: int = 0
    acknowledgement: int = 0
    flags: int = 0

    @property
    def flow(self) -> tuple[tuple[str, int], tuple[str, int]]:
        return self.source, self.destination

    @property
    def takes(self) -> int:
        """Sequence numbers that it uses up."""
        return len(self.data) + self.missing + bool(self.flags & (SYN | FIN))


def blocks(file: bytes) -> Iterator[Block]:
    while file:
        kind, length = struct.unpack_from("<II", file)
        assert length % 4 == 0
        assert 12 <= length <= len(file)
        assert struct.unpack_from("<I", file, length - 4) == (length,)
        yield Block(kind, file[8 : length - 4])
        file = file[length:]


def options(data: bytes) -> list[tuple[int, bytes]]:
    found = []
    while True:
        code, length = struct.unpack_from("<HH", data)
        if code == 0:
            assert (length, len(data)) == (0, 4)
            return found
        padded = length + -length % 4
        assert data[4 + length : 4 + padded] == bytes(padded - length)
        found.append((code, data[4 : 4 + length]))
        data = data[4 + padded :]


def read(file: bytes) -> list[Packet]:
    """The packets of a file with one section."""
    first, *others = blocks(file)
    assert first.kind == 0x0A0D0D0A
    assert struct.unpack_from("<IHHq", first.body) == (0x1A2B3C4D, 1, 0, -1)
    options(first.body[16:])
    interfaces: list[str] = []
    packets = []
    for block in others:
        if block.kind == 1:
            assert struct.unpack_from("<HH", block.body) == (101, 0)
            named = dict(options(block.body[8:]))
            assert named[9] == b"\x09"
            interfaces.append(named[2].decode("utf-8"))
        else:
            assert block.kind == 6
            packets.append(_packet(block.body, interfaces))
    return packets


def _packet(body: bytes, interfaces: list[str]) -> Packet:
    interface, high, low, captured, length = struct.unpack_from("<IIIII", body)
    data = body[20 : 20 + captured]
    assert len(data) == captured <= length
    found = options(body[20 + captured + -captured % 4 :])
    comments = tuple(value.decode("utf-8") for code, value in found if code == 1)
    (flags,) = (struct.unpack("<I", value)[0] for code, value in found if code == 2)
    assert flags in (1, 2)
    return _internet(data, length, high << 32 | low, interfaces[interface], flags == 2, comments)


def _internet(
    data: bytes, length: int, time: int, interface: str, outbound: bool, comments: tuple[str, ...]
) -> Packet:
    missing = length - len(data)
    if data[0] >> 4 == 4:
        assert struct.unpack_from("!H", data, 2) == (length,)
        head, content, protocol = data[:20], data[20:], data[9]
        source, destination = head[12:16], head[16:20]
        pseudo = source + destination + struct.pack("!HH", protocol, length - 20)
        sound = _sum(head) == 0xFFFF
    else:
        assert data[0] >> 4 == 6
        assert struct.unpack_from("!H", data, 4) == (length - 40,)
        content, protocol = data[40:], data[6]
        source, destination = data[8:24], data[24:40]
        pseudo = source + destination + struct.pack("!II", length - 40, protocol)
        sound = True
    at = 16 if protocol == 6 else 6
    if missing:
        sound = sound and content[at : at + 2] == b"\0\0"
    else:
        sound = sound and _sum(pseudo + content) == 0xFFFF
    ports = struct.unpack_from("!HH", content)
    hosts = [
        (str(ip_address(packed)), port) for packed, port in zip((source, destination), ports, strict=True)
    ]
    common = (time, interface, outbound, comments)
    if protocol == 17:
        assert struct.unpack_from("!H", content, 4) == (len(content) + missing,)
        return Packet(*common, "udp", hosts[0], hosts[1], content[8:], missing, sound)
    assert protocol == 6
    sequence, acknowledgement, offset, flags = struct.unpack_from("!IIBB", content, 4)
    payload = content[(offset >> 4) * 4 :]
    return Packet(
        *common, "tcp", hosts[0], hosts[1], payload, missing, sound, sequence, acknowledgement, flags
    )


def _sum(data: bytes) -> int:
    """The sum in ones' complement, word by word as RFC 1071 has it; all ones for what is right."""
    total = 0
    for (word,) in struct.iter_unpack("!H", data + b"\0" * (len(data) % 2)):
        total += word
        total = (total & 0xFFFF) + (total >> 16)
    return total
