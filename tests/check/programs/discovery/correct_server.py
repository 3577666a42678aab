# correct: server a udp
# correct: server b udp
"""Answers both questions of the course, and nothing else."""

import socket
import struct
import sys

ANSWERS = {b"Hello server": b"localhost:9000", b"GET": struct.pack("<15sxi", b"localhost", 9000)}
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind((sys.argv[1], int(sys.argv[2])))
while True:
    try:
        data, address = server.recvfrom(65536)
        if data in ANSWERS:
            server.sendto(ANSWERS[data], address)
    except OSError:
        continue
