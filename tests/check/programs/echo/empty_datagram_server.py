# mistake: empty-message; server raw udp
"""A loop as for a stream: no data, no more."""

import socket
import sys

server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind((sys.argv[1], int(sys.argv[2])))
while True:
    data, address = server.recvfrom(65536)
    if not data:
        break
    server.sendto(data, address)
