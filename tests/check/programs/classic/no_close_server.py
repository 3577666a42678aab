# mistake: no-close; server daytime tcp
"""Leaves it to the client to close."""

import socket
import sys
import threading
import time


def serve(client):
    try:
        client.sendall(time.strftime("%A, %B %d, %Y %H:%M:%S-UTC\r\n", time.gmtime()).encode())
        clients.append(client)
        return
    except OSError:
        pass
    client.close()


clients = []
server = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=100)
while True:
    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
