# mistake: no-timeout; client prefix udp; arguments: {host} {port} hello there
"""Waits for an answer for ever."""

import socket
import sys

server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.connect((sys.argv[1], int(sys.argv[2])))
server.send(" ".join(sys.argv[3:]).encode())
print(server.recv(65536).decode())
