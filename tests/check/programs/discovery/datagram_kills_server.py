# mistake: datagram-kills; server b udp
"""Unpacks three characters from whatever comes."""

import socket
import struct
import sys

server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind((sys.argv[1], int(sys.argv[2])))
while True:
    data, address = server.recvfrom(65536)
    (command,) = struct.unpack("3s", data[:3])
    if command == b"GET" and len(data) == 3:
        server.sendto(struct.pack("<15sxi", b"localhost", 9000), address)
