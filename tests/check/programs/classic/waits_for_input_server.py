# mistake: silent; server daytime tcp
"""Waits for a request."""

import socket
import sys
import threading
import time


def serve(client):
    try:
        client.recv(1024)
        client.sendall(time.strftime("%A, %B %d, %Y %H:%M:%S-UTC\r\n", time.gmtime()).encode())
    except OSError:
        pass
    client.close()


server = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=100)
while True:
    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
