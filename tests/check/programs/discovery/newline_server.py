# mistake: extra; server a udp
"""A newline behind the address, because print puts one there, too."""

import socket
import sys

server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind((sys.argv[1], int(sys.argv[2])))
while True:
    data, address = server.recvfrom(65536)
    if data == b"Hello server":
        server.sendto(b"localhost:9000\n", address)
