# mistake: fixed-buffer; server upper udp
"""recvfrom(1024): the rest of a longer datagram is thrown away."""

import socket
import sys

server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind((sys.argv[1], int(sys.argv[2])))
while True:
    data, address = server.recvfrom(1024)
    server.sendto(
        data.decode("utf-8", "surrogateescape").upper().encode("utf-8", "surrogateescape"), address
    )
