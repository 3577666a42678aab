# mistake: wrong-result; server time tcp
"""Seconds since 1970."""

import contextlib
import socket
import struct
import sys
import threading
import time


def serve(client):
    with contextlib.suppress(OSError):
        client.sendall(struct.pack("!I", int(time.time())))
    client.close()


server = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=100)
while True:
    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
