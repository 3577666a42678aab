# mistake: lockstep; server stream tcp; arguments: {host} {port} {origin-host} {origin-port}
"""A piece there, a piece back."""

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
        if select.select([client, behind], [], [])[0] == [behind]:
            client.sendall(behind.recv(65536))
        while data := client.recv(65536):
            behind.sendall(data)
            answer = behind.recv(65536)
            if not answer:
                break
            client.sendall(answer)


server = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=100)
while True:
    threading.Thread(target=serve, args=server.accept()[:1], daemon=True).start()
