# mistake: byte-order; server b udp
"""The port in network order, as one has heard that it should be."""

import socket
import struct
import sys

server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind((sys.argv[1], int(sys.argv[2])))
while True:
    data, address = server.recvfrom(65536)
    if data == b"GET":
        server.sendto(struct.pack("!15sxi", b"localhost", 9000), address)
