# mistake: extra; server discard tcp
"""Sends back what it should forget."""

import socket
import sys
import threading


def serve(client):
    try:
        while data := client.recv(1024):
            client.sendall(data)
    except OSError:
        pass
    client.close()


server = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=100)
while True:
    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
