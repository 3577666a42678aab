# mistake: wrong-address; server prefix udp
"""Reads what has come, and answers all of it to the last one who asked."""

import select
import socket
import sys

server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind((sys.argv[1], int(sys.argv[2])))
address = None
while True:
    data, sender = server.recvfrom(65536)
    address = address or sender
    server.sendto(b"Echo: " + data, address)
    if not select.select([server], [], [], 0)[0]:
        address = None
