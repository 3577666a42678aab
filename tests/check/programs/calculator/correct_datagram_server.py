# correct: server struct9 udp; arguments: {host} {port} <ii1s
# correct: server framed udp; arguments: {host} {port} <iii1s
"""Answers each datagram to whom it came from, and drops what is no request."""

import socket
import struct
import sys

layout = struct.Struct(sys.argv[3])
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind((sys.argv[1], int(sys.argv[2])))
while True:
    try:
        datagram, address = server.recvfrom(65536)
    except OSError:
        continue
    if len(datagram) != layout.size:
        continue
    *_, a, b, op = layout.unpack(datagram)
    try:
        result = {b"+": a + b, b"-": a - b, b"*": a * b, b"/": int(a / b) if b else None}[op]
        reply = struct.pack("<ii1s", result, 0, b"R")
    except (KeyError, struct.error):
        reply = struct.pack("<ii1s", 0, 0, b"E")
    server.sendto(reply, address)
