# mistake: one-client; server prefix tcp
"""The next client is accepted when the last one has gone."""

import socket
import sys

server = socket.socket()
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind((sys.argv[1], int(sys.argv[2])))
server.listen(100)
while True:
    client, address = server.accept()
    try:
        while data := client.recv(1024):
            client.sendall(b"Echo: " + data)
    except OSError:
        pass
    client.close()
