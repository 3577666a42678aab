# mistake: half-close; server stream tcp; arguments: {host} {port} {origin-host} {origin-port}
"""The end of one side is the end of both."""

import contextlib
import select
import socket
import sys
import threading


def serve(client):
    with (
        client,
        contextlib.suppress(OSError),
        socket.create_connection((sys.argv[3], int(sys.argv[4]))) as behind,
    ):
        while True:
            for one in select.select([client, behind], [], [])[0]:
                data = one.recv(65536)
                if not data:
                    return
                (behind if one is client else client).sendall(data)


server = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=100)
while True:
    threading.Thread(target=serve, args=server.accept()[:1], daemon=True).start()
