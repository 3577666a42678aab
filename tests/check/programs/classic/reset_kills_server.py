# mistake: reset-kills; server discard tcp
"""One client after another, and a reset ends the program."""

import socket
import sys

server = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=100)
while True:
    client, _ = server.accept()
    while client.recv(1024):
        pass
    client.close()
