# mistake: one-recv; server requests tcp; arguments: {host} {port} {origin-host} {origin-port}
"""Whatever one recv brings leaves as one datagram."""

import contextlib
import socket
import sys
import threading


def serve(client):
    behind = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with client, behind, contextlib.suppress(OSError):
        behind.settimeout(2)
        behind.connect((sys.argv[3], int(sys.argv[4])))
        while data := client.recv(1024):
            behind.send(data)
            client.sendall(behind.recv(65536))


server = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=100)
while True:
    threading.Thread(target=serve, args=server.accept()[:1], daemon=True).start()
