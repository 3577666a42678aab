# mistake: answers-all; server a udp
"""Whoever says hello, and whatever else he says, is answered."""

import socket
import sys

server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind((sys.argv[1], int(sys.argv[2])))
while True:
    data, address = server.recvfrom(65536)
    if data.lower().startswith(b"hello"):
        server.sendto(b"localhost:9000", address)
