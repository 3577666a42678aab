# mistake: one-recv; server tcp
"""One recv brings it all, does it not?"""

import contextlib
import socket
import sys
import threading


def serve(client):
    with client, contextlib.suppress(OSError):
        print(client.recv(65536))


server = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=100)
while True:
    threading.Thread(target=serve, args=server.accept()[:1], daemon=True).start()
