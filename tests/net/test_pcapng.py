"""
Conversations as a pcapng file: the format, and packets as a listener on the wire would have seen them.
"""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from labnet.net.mirrors import mirrored
from labnet.net.packets import Host, checksum, datagram
from labnet.net.pcapng import BadSelection, chosen, write
from labnet.net.redaction import Redaction
from labnet.net.trace import Bounds, Conversation, Happening, Trace, TransportName
from tests.captures import ACK, FIN, PSH, RST, SYN, Packet, blocks, read

H = Happening
CLIENT, SERVER = ("127.0.0.1", 50_000), ("127.0.0.1", 9_000)
Step = tuple[Happening, bytes] | tuple[Happening, str]


def recorded(
    *steps: Step,
    trace: Trace | None = None,
    service: str = "thing",
    transport: TransportName = "tcp",
    local: tuple[str, int] = SERVER,
    peer: tuple[str, int] = CLIENT,
    at: float = 1_700_000_000.0,
    secure: bool = False,
    outgoing: bool = False,
) -> Conversation:
    """A conversation in which something happens every second."""
    trace = trace or Trace(redaction=Redaction())
    conversation = trace.begin(service, "", transport, local, peer, at, secure, outgoing)
    for number, (what, said) in enumerate(steps, 1):
        if isinstance(said, bytes):
            trace.add(conversation, what, at + number, said)
        else:
            trace.add(conversation, what, at + number, note=said)
    return conversation


def packetsOf(*conversations: Conversation) -> list[Packet]:
    return read(b"".join(write(conversations)))


def told(packets: list[Packet]) -> list[tuple[str, int, bytes]]:
    """Who sends what: the direction, the flags, the bytes."""
    return [(">" if packet.outbound else "<", packet.flags, packet.data) for packet in packets]


HANDSHAKE = [("<", SYN, b""), (">", SYN | ACK, b""), ("<", ACK, b"")]


def test_byteForByte() -> None:
    """One datagram, written out by hand from the specifications."""
    sent = recorded(
        (H.RECEIVED, b"hi!"), transport="udp", local=("10.0.0.1", 9001), peer=("10.0.0.2", 5), at=3.0
    )
    section, interface, packet = blocks(b"".join(write([sent], application="x")))
    assert section.body.startswith(bytes.fromhex("4d3c2b1a 0100 0000 ffffffffffffffff 0100"))
    assert section.body.endswith(bytes.fromhex("0400 0100 78000000 0000 0000"))
    assert interface.body.startswith(bytes.fromhex("6500 0000 27000100 0200 0500") + b"thing\0\0\0")
    assert interface.body.endswith(bytes.fromhex("0900 0100 09000000 0000 0000"))
    ip = bytes.fromhex("4500 001f 0001 4000 4011 26cb 0a000002 0a000001")
    udp = bytes.fromhex("0005 2329 000b 3f3e") + b"hi!"
    comment = b"synthetic: thing #1: event 2, 3 bytes received"
    assert packet.body == b"".join(
        (
            bytes.fromhex("00000000 00000000 00286bee 1f000000 1f000000"),
            ip + udp + b"\0",
            bytes.fromhex("0100 2e00") + comment + b"\0\0",
            bytes.fromhex("0200 0400 01000000 0000 0000"),
        )
    )


def test_aConnection() -> None:
    """A handshake, pieces with their acknowledgements, and both ends."""
    packets = packetsOf(
        recorded(
            (H.RECEIVED, b"ask"),
            (H.WRITTEN, b"answer"),
            (H.PEER_ENDED, ""),
            (H.WE_ENDED, "the connection"),
            (H.CLOSED, "FIN from the peer"),
        )
    )
    assert told(packets) == [
        *HANDSHAKE,
        ("<", PSH | ACK, b"ask"),
        (">", ACK, b""),
        (">", PSH | ACK, b"answer"),
        ("<", ACK, b""),
        ("<", FIN | ACK, b""),
        (">", ACK, b""),
        (">", FIN | ACK, b""),
        ("<", ACK, b""),
    ]
    assert all(packet.comments[0].startswith("synthetic: thing #1: ") for packet in packets)
    assert [packet.time - packets[0].time for packet in packets[3:6]] == [10**9, 10**9, 2 * 10**9]
    assert all(
        packet.flow == ((SERVER, CLIENT) if packet.outbound else (CLIENT, SERVER)) for packet in packets
    )


@pytest.mark.parametrize(
    ("steps", "end"),
    [
        ([(H.CLOSED, "reset by the peer")], [("<", RST | ACK)]),
        ([(H.CLOSED, "reset by us: idle for 5 s")], [(">", RST | ACK)]),
        ([(H.WE_ENDED, "the connection, at once"), (H.CLOSED, "reset by us")], [(">", RST | ACK)]),
        ([(H.WE_ENDED, "the connection, at once"), (H.CLOSED, "timed out: idle for 5 s")],
         [(">", RST | ACK)]),
        ([(H.WE_ENDED, "the connection"), (H.CLOSED, "closed by us")], [(">", FIN | ACK), ("<", ACK)]),
        ([(H.CLOSED, "closed by us")], [(">", FIN | ACK), ("<", ACK)]),
        ([(H.WE_ENDED, "our half"), (H.CLOSED, "reset by the peer")],
         [(">", FIN | ACK), ("<", ACK), ("<", RST | ACK)]),
        ([(H.PEER_ENDED, ""), (H.CLOSED, "timed out: the peer does not answer")],
         [("<", FIN | ACK), (">", ACK)]),
        ([(H.CLOSED, "lost: the network is gone")], []),
        ([], []),
    ],
)  # fmt: skip
def test_theEndAsItWas(steps: list[Step], end: list[tuple[str, int]]) -> None:
    """Whoever ended it, and how; what is not known has no packet, and stands in a comment."""
    packets = packetsOf(recorded((H.WRITTEN, b"x"), *steps))
    assert [row[:2] for row in told(packets)[5:]] == end
    if steps:
        notes = [comment for packet in packets[4:] for comment in packet.comments]
        assert any(str(steps[-1][1]) in comment for comment in notes)


def test_whatIsWrittenAfterTheEndWasAskedFor() -> None:
    """A transport sends what its producer still has, and then its FIN."""
    packets = packetsOf(
        recorded((H.WE_ENDED, "the connection"), (H.WRITTEN, b"late"), (H.CLOSED, "closed by us"))
    )
    assert told(packets)[3:] == [
        (">", PSH | ACK, b"late"),
        ("<", ACK, b""),
        (">", FIN | ACK, b""),
        ("<", ACK, b""),
    ]


def test_weHaveConnected() -> None:
    packets = packetsOf(recorded((H.RECEIVED, b"hello"), outgoing=True))
    assert told(packets)[:3] == [(">", SYN, b""), ("<", SYN | ACK, b""), (">", ACK, b"")]


PIECES = st.lists(
    st.tuples(st.sampled_from([H.RECEIVED, H.WRITTEN]), st.binary(min_size=1, max_size=4_000)), max_size=12
)
ADDRESSES = st.sampled_from([("127.0.0.1", "127.0.0.1"), ("192.0.2.1", "192.0.2.9"), ("::1", "::1"),
                             ("fe80::1%eth0", "fe80::2"), ("::ffff:192.0.2.1", "192.0.2.9"),
                             ("2001:db8::1", "192.0.2.7")])  # fmt: skip
BOUNDS = st.builds(
    lambda piece, whole, events: Bounds(pieceBytes=piece, conversationBytes=whole, events=events),
    st.integers(1, 5_000),
    st.integers(1, 20_000),
    st.integers(2, 20),
)


@settings(max_examples=60, deadline=None)
@given(PIECES, ADDRESSES, BOUNDS)
def test_everyStreamIsConsistent(
    pieces: list[tuple[Happening, bytes]], addresses: tuple[str, str], bounds: Bounds
) -> None:
    """
    Whatever was kept: checksums are right, no sequence number is missing or comes twice, everything is
    acknowledged, and the bytes are those that were kept, at their places in the stream.
    """
    trace = Trace(bounds, Redaction())
    local, peer = (addresses[0], 9_000), (addresses[1], 50_000)
    steps: list[Step] = [*pieces, (H.CLOSED, "closed by us")]
    conversation = recorded(*steps, trace=trace, local=local, peer=peer)
    packets = packetsOf(conversation)
    whole = {True: b"", False: b""}
    for what, data in pieces:
        whole[what is H.WRITTEN] += data
    syns = {packet.outbound: packet for packet in packets if packet.flags & SYN}
    position = dict.fromkeys((True, False), 0)
    gaps = 0
    for packet in packets:
        assert packet.sound
        assert packet.time >= packets[0].time
        mine = packet.outbound
        if packet.flags & SYN:
            continue
        start = (packet.sequence - syns[mine].sequence - 1) % 2**32
        gaps += start != position[mine]
        assert start >= position[mine]
        assert packet.data == whole[mine][start : start + len(packet.data)]
        position[mine] = start + packet.takes
        acknowledged = (packet.acknowledgement - syns[not mine].sequence - 1) % 2**32
        assert acknowledged >= position[not mine]
        assert len(packet.data) + packet.missing <= (65_495 if "127" in local[0] else 65_475)
    assert position == {True: len(whole[True]) + 1, False: len(whole[False])}
    assert gaps <= (2 if conversation.forgotten else 0)
    if conversation.forgotten:
        assert any("not kept" in comment for comment in packets[0].comments)


def test_segmentsOfAtMostTheMSS() -> None:
    """On an Ethernet a piece is as many segments as it takes; the last one pushes."""
    packets = packetsOf(
        recorded((H.WRITTEN, b"x" * 3_000), local=("192.0.2.1", 80), peer=("192.0.2.2", 4_000))
    )
    assert [(len(packet.data), packet.flags) for packet in packets[3:]] == [
        (1460, ACK),
        (1460, ACK),
        (80, PSH | ACK),
        (0, ACK),
    ]
    assert packets[4].comments == ("synthetic: thing #1: event 2, 3000 bytes written, segment 2 of 3",)


def test_whatWasCut() -> None:
    """A piece of which the trace has kept the beginning is as long as it was, and says so."""
    trace = Trace(Bounds(pieceBytes=10), Redaction())
    packets = packetsOf(recorded((H.RECEIVED, b"0123456789abcdef"), (H.WRITTEN, b"ok"), trace=trace))
    cut = packets[3]
    assert (cut.data, cut.missing, cut.sound) == (b"0123456789", 6, True)
    assert cut.comments[1] == "cut: of 16 bytes the trace has kept 10"
    assert packets[4].acknowledgement == cut.sequence + 16 == packets[5].acknowledgement


def test_whatWasForgotten() -> None:
    """The handshake is there, then a gap in the numbers, and the first packet says what is missing."""
    trace = Trace(Bounds(events=2), Redaction())
    packets = packetsOf(
        recorded(
            (H.RECEIVED, b"one"), (H.WRITTEN, b"three"), (H.RECEIVED, b"x"), (H.WRITTEN, b"y"), trace=trace
        )
    )
    assert told(packets)[:4] == [*HANDSHAKE, ("<", PSH | ACK, b"x")]
    assert packets[0].comments[1] == (
        "3 events before these not kept: 3 bytes from the peer and 5 from us are missing"
    )
    assert packets[3].sequence == packets[2].sequence + 3


def test_aLargePieceIsAcknowledgedInBetween() -> None:
    """No more is under way than the window allows."""
    trace = Trace(Bounds(pieceBytes=1), Redaction())
    packets = packetsOf(recorded((H.WRITTEN, bytes(40 * 2**20)), trace=trace))
    sent = acknowledged = packets[1].sequence
    for packet in packets[3:]:
        if packet.outbound:
            sent = packet.sequence + packet.takes
        else:
            acknowledged = packet.acknowledgement
        assert (sent - acknowledged) % 2**32 < 2**21
    assert sent == acknowledged


def test_faultsAndNotesStandBesideTheNextPacket() -> None:
    """Those that nothing follows stand beside the last one."""
    packets = packetsOf(
        recorded((H.FAULT, "held 40 ms"), (H.WRITTEN, b"x"), (H.NOTE, "TLS begins"), secure=True)
    )
    assert packets[0].comments[1:] == ("this is what was said inside TLS",)
    assert packets[3].comments[1:] == ("event 2, fault after 1.000 s: held 40 ms",)
    assert packets[4].comments[1:] == ("event 4, note after 3.000 s: TLS begins",)


def test_whatThePiecesMean() -> None:
    """Dissected fields stand beside the packet that completed them; behind a cut nobody knows any more."""
    ask = bytes.fromhex("0c000000220000002b")
    steps: list[Step] = [
        (H.RECEIVED, ask[:5]),
        (H.RECEIVED, ask[5:]),
        (H.RECEIVED, ask[:3]),
        (H.PEER_ENDED, ""),
    ]
    packets = read(b"".join(write([_calculation(*steps)])))
    asks = [packet for packet in packets if packet.data]
    assert asks[0].comments[1:] == ("operand a = 12",)
    assert asks[1].comments[1:] == (
        "request 1: 12 + 34",
        "operand b = 34; operator = +",
        "notice: Request 1 came in 2 pieces: one message can take several reads.",
    )
    (end,) = [packet for packet in packets if packet.flags & FIN]
    assert any(comment.startswith("cut off: request 2") for comment in end.comments)
    assert any(comment.startswith("notice: ") for comment in end.comments)


def _calculation(*steps: Step, bounds: Bounds = Bounds()) -> Conversation:
    trace = Trace(bounds, Redaction())
    conversation = trace.begin("calculator", "struct9", "tcp", SERVER, CLIENT, 5.0)
    for what, said in steps:
        if isinstance(said, bytes):
            trace.add(conversation, what, 6.0, said)
        else:
            trace.add(conversation, what, 6.0, note=said)
    return conversation


def test_messagesInWhatWasCut() -> None:
    """Of a piece that was cut it is told what can be known; of what came before it was begun, nothing."""
    ask = bytes.fromhex("0c000000220000002b")
    packets = packetsOf(_calculation((H.RECEIVED, ask), (H.RECEIVED, ask), bounds=Bounds(pieceBytes=8)))
    comments = [packet.comments[1:] for packet in packets if packet.data]
    assert comments[0][0] == comments[1][0] == "cut: of 9 bytes the trace has kept 8"
    assert any("operand a = 12; operand b = 34" in comment for comment in comments[0])
    packets = packetsOf(_calculation(*[(H.RECEIVED, ask)] * 3, bounds=Bounds(events=2)))
    assert not any("operand" in comment for packet in packets for comment in packet.comments)


def test_datagrams() -> None:
    """Each is a packet, cut or not, in both directions."""
    packets = packetsOf(
        recorded(
            (H.RECEIVED, b"x" * 20),
            (H.NOTE, "5 bytes were not sent"),
            (H.WRITTEN, b""),
            (H.CLOSED, "silent for 60 s"),
            transport="udp",
            trace=Trace(Bounds(pieceBytes=8), Redaction()),
        )
    )
    assert [(packet.protocol, packet.data, packet.missing, packet.outbound) for packet in packets] == [
        ("udp", b"x" * 8, 12, False),
        ("udp", b"", 0, True),
    ]
    assert all(packet.sound for packet in packets)
    assert packets[1].comments[1:] == ("event 3, note after 2.000 s: 5 bytes were not sent",)


def test_aChecksumThatWouldSayThatThereIsNone() -> None:
    """Of UDP 0 is "no checksum": what comes to 0 is sent as its other zero (RFC 768)."""
    packet = datagram(Host(IPv4Address("10.0.0.1"), 1), Host(IPv4Address("10.0.0.2"), 2), b"\0\0", 0, 1)
    filled = packet.data[26:28]
    packet = datagram(Host(IPv4Address("10.0.0.1"), 1), Host(IPv4Address("10.0.0.2"), 2), filled, 0, 1)
    assert packet.data[26:28] == b"\xff\xff"


@pytest.mark.parametrize(
    ("local", "peer", "hosts"),
    [
        (("::ffff:192.0.2.1", 80), ("192.0.2.9", 5), {"192.0.2.1", "192.0.2.9"}),
        (("2001:db8::1", 80), ("192.0.2.9", 5), {"2001:db8::1", "::ffff:c000:209"}),
        (("fe80::1%eth0", 80), ("fe80::2", 5), {"fe80::1", "fe80::2"}),
        (("somewhere", 80), ("192.0.2.9", 5), {"127.0.0.1"}),
    ],
)
def test_addresses(local: tuple[str, int], peer: tuple[str, int], hosts: set[str]) -> None:
    """Both are of one family."""
    packets = packetsOf(recorded((H.RECEIVED, b"x"), local=local, peer=peer))
    assert {host for packet in packets for host, _ in packet.flow} == hosts
    assert all(packet.sound for packet in packets)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_theLargestPackets(host: str) -> None:
    """On the loopback interface, which has the largest."""
    packets = packetsOf(recorded((H.WRITTEN, bytes(150_000)), local=(host, 1), peer=(host, 2)))
    sizes = [len(packet.data) + packet.missing for packet in packets[3:6]]
    assert sizes[0] == sizes[1] == (65_495 if "." in host else 65_475)
    assert sum(sizes) == 150_000


def test_unixSocketsAreOnTheLoopbackInterface() -> None:
    trace = Trace(redaction=Redaction())
    both = [
        recorded((H.RECEIVED, b"x"), trace=trace, transport="unix", local=("/run/thing", 0), peer=("", 0))
        for _ in range(2)
    ]
    packets = packetsOf(*both)
    assert packets[0].comments[1:] == ("a UNIX socket, /run/thing: the addresses are made up",)
    assert {host for packet in packets for host, _ in packet.flow} == {"127.0.0.1"}
    assert len({packet.flow for packet in packets if not packet.outbound}) == 2


def test_allInTheOrderOfTime() -> None:
    """Packets of several conversations, also when the clock was set back in one."""
    trace = Trace(redaction=Redaction())
    first = recorded((H.RECEIVED, b"1"), (H.RECEIVED, b"3"), trace=trace, at=100.0)
    other = recorded((H.RECEIVED, b"2"), trace=trace, at=100.5, service="other", peer=("127.0.0.1", 50_001))
    trace.add(first, H.RECEIVED, 7.0, b"4")
    packets = packetsOf(other, first)
    assert [packet.data for packet in packets if packet.data] == [b"1", b"2", b"3", b"4"]
    assert [packet.time for packet in packets] == sorted(packet.time for packet in packets)
    assert {packet.interface for packet in packets} == {"thing", "other"}


def test_whatHappensWhileItIsRead() -> None:
    """The file is of the moment when it was asked for, and is made piece by piece."""
    trace = Trace(Bounds(events=300), Redaction())
    conversation = recorded(*[(H.RECEIVED, b"x" * 1_000)] * 200, trace=trace)
    pieces = write([conversation])
    first = next(pieces)
    for _ in range(300):
        trace.add(conversation, H.RECEIVED, 1_700_000_500.0, b"later")
    assert 60_000 < len(first) < 140_000
    packets = read(first + b"".join(pieces))
    assert sum(len(packet.data) for packet in packets) == 200_000
    assert all(b"later" not in packet.data for packet in packets)


def test_longComments() -> None:
    """Whatever stands in a note, the file stays one that can be read."""
    packets = packetsOf(recorded((H.FAULT, "\N{SNOWMAN}" * 50_000), (H.WRITTEN, b"x")))
    assert len(packets[3].comments[1]) == 1_000
    packets = packetsOf(recorded(*[(H.FAULT, "held")] * 150, (H.WRITTEN, b"x")))
    assert packets[3].comments[101:] == ("and 50 more",)


@settings(deadline=None)
@given(st.binary(max_size=64))
@example(b"")
@example(b"\0\0")
@example(b"\xff\xff")
@example(b"\xff")
def test_checksums(data: bytes) -> None:
    """As RFC 1071 does it, word by word."""
    total = 0
    padded = data + b"\0" * (len(data) % 2)
    for at in range(0, len(padded), 2):
        total += int.from_bytes(padded[at : at + 2], "big")
        total = (total & 0xFFFF) + (total >> 16)
    assert checksum(data) == total ^ 0xFFFF


def test_someOfThem() -> None:
    trace = Trace(redaction=Redaction())
    one = recorded(trace=trace, at=1.0)
    two = recorded(trace=trace, at=2.0, service="other", peer=("::1", 7))
    three = recorded(trace=trace, at=3.0, peer=("::ffff:127.0.0.1", 50_001))
    three.detail = "kind"
    every = [three, one, two]
    assert chosen(every) == [one, two, three]
    assert chosen(every, service="thing") == [one, three]
    assert chosen(every, service="thing/kind") == [three]
    assert chosen(every, peer="127.0.0.1") == [one, three]
    assert chosen(every, peer="127.0.0.1:50001") == [three]
    assert chosen(every, peer="[::1]:7") == chosen(every, peer="::1") == [two]
    assert chosen(every, last=2) == [two, three]
    assert chosen(every, service="thing", last=1) == [three]
    assert chosen(every, service="nobody") == []


@pytest.mark.parametrize(
    "peer", ["localhost", "127.0.0.1:x", "127.0.0.1:70000", "127.0.0.1:", "[::1", ":80"]
)
def test_noSuchPeer(peer: str) -> None:
    with pytest.raises(BadSelection, match="is not of the form"):
        chosen([], peer=peer)


def test_bothEndsAreOurs() -> None:
    """What a proxy says to a web server of the same lab is there once, as the server has heard it."""
    trace = Trace(redaction=Redaction())
    heard = recorded((H.RECEIVED, b"GET"), trace=trace, at=100.0)
    said = recorded(
        (H.WRITTEN, b"GET"), trace=trace, at=99.9, local=CLIENT, peer=SERVER, outgoing=True, service="proxy"
    )
    packets = packetsOf(said, heard)
    assert [packet.data for packet in packets if packet.data] == [b"GET"]
    assert {packet.interface for packet in packets} == {"thing"}
    assert packets[0].comments[1] == "the other end is proxy #2, and left out"
    assert {packet.interface for packet in packetsOf(said)} == {"proxy"}


@pytest.mark.parametrize(
    ("local", "peer", "at", "outgoing", "transport", "same"),
    [
        (CLIENT, SERVER, 104.0, True, "tcp", True),
        (CLIENT, ("::ffff:127.0.0.1", 9_000), 100.0, True, "tcp", True),
        (CLIENT, SERVER, 106.0, True, "tcp", False),
        (CLIENT, SERVER, 100.0, False, "tcp", False),
        (CLIENT, SERVER, 100.0, True, "udp", False),
        (CLIENT, ("127.0.0.2", 9_000), 100.0, True, "tcp", False),
        (("127.0.0.1", 50_001), SERVER, 100.0, True, "tcp", False),
    ],
)
def test_whatIsTheOtherEnd(
    local: tuple[str, int],
    peer: tuple[str, int],
    at: float,
    outgoing: bool,
    transport: TransportName,
    same: bool,
) -> None:
    trace = Trace(redaction=Redaction())
    heard = recorded(trace=trace, at=100.0)
    said = recorded(trace=trace, at=at, local=local, peer=peer, outgoing=outgoing, transport=transport)
    assert mirrored([heard, said]) == ({said: heard} if same else {})


def test_eachEndOnce() -> None:
    """A port that was used twice: the first with the first, the second with the second."""
    trace = Trace(redaction=Redaction())
    everywhere = ("0.0.0.0", 9_000)
    heard = [recorded(trace=trace, at=at, local=everywhere, transport="udp") for at in (100.0, 101.0)]
    said = [
        recorded(trace=trace, at=at, local=CLIENT, peer=SERVER, transport="udp", outgoing=True)
        for at in (100.0, 101.0, 101.5)
    ]
    assert mirrored([*said, *heard]) == {said[0]: heard[0], said[1]: heard[1]}
