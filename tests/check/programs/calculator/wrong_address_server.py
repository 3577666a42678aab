# mistake: wrong-address; server struct9 udp
"""Collects what is there, and answers all of it to the last one who asked."""

import select
import socket
import struct
import sys

server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind((sys.argv[1], int(sys.argv[2])))
requests = []
while True:
    ready, _, _ = select.select([server], [], [], 0.02)
    if ready:
        datagram, address = server.recvfrom(65536)
        if len(datagram) == 9:
            requests.append(datagram)
        continue
    for datagram in requests:
        a, b, op = struct.unpack("<ii1s", datagram)
        result = {b"+": a + b, b"-": a - b, b"*": a * b, b"/": a // b if b else 0}.get(op, 0)
        fits = -(2**31) <= result < 2**31
        server.sendto(struct.pack("<ii1s", result if fits else 0, 0, b"R" if fits else b"E"), address)
    requests.clear()
