# mistake: input-kills; server a udp
"""Decodes whatever comes."""

import socket
import sys

server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind((sys.argv[1], int(sys.argv[2])))
while True:
    data, address = server.recvfrom(1024)
    if data.decode() == "Hello server":
        server.sendto(b"localhost:9000", address)
