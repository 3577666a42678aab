# mistake: datagram-kills; server struct9 udp
"""Unpacks every datagram, whatever its size."""

import socket
import struct
import sys

server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind((sys.argv[1], int(sys.argv[2])))
while True:
    datagram, address = server.recvfrom(1024)
    a, b, op = struct.unpack("<ii1s", datagram)
    result = {b"+": a + b, b"-": a - b, b"*": a * b, b"/": a // b if b else 0}.get(op, 0)
    fits = -(2**31) <= result < 2**31
    server.sendto(struct.pack("<ii1s", result if fits else 0, 0, b"R" if fits else b"E"), address)
