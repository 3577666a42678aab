# mistake: fixed-buffer; server tcp
"""Room for 64 KiB, and then it is full."""

import contextlib
import socket
import sys
import threading


def serve(client):
    with client, contextlib.suppress(OSError):
        buffer, size = bytearray(65536), 0
        while size < len(buffer) and (count := client.recv_into(memoryview(buffer)[size:])):
            size += count
        print(size, "bytes")


server = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=100)
while True:
    threading.Thread(target=serve, args=server.accept()[:1], daemon=True).start()
