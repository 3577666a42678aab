# mistake: format; server daytime tcp
"""A line that ends as lines do here."""

import contextlib
import socket
import sys
import threading
import time


def serve(client):
    with contextlib.suppress(OSError):
        client.sendall(time.strftime("%A, %B %d, %Y %H:%M:%S-UTC\n", time.gmtime()).encode())
    client.close()


server = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=100)
while True:
    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
