# mistake: wrong-address; server prefix udp
"""Remembers its client, and answers that one, whoever asks."""

import socket
import sys

server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind((sys.argv[1], int(sys.argv[2])))
client = None
while True:
    data, address = server.recvfrom(65536)
    if client is None:
        client = address
    server.sendto(b"Echo: " + data, client)
