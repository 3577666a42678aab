# correct: server stream tcp; arguments: {host} {port} {origin-host} {origin-port}
"""Two threads for each client, one for each direction."""

import socket
import sys
import threading


def copy(one, other):
    try:
        while data := one.recv(65536):
            other.sendall(data)
        other.shutdown(socket.SHUT_WR)
    except OSError:
        for side in (one, other):
            try:
                side.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue


def serve(client):
    with client:
        try:
            behind = socket.create_connection((sys.argv[3], int(sys.argv[4])), 5)
        except OSError:
            return
        with behind:
            behind.settimeout(None)
            there = threading.Thread(target=copy, args=(client, behind), daemon=True)
            there.start()
            copy(behind, client)
            there.join()


server = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=100)
while True:
    threading.Thread(target=serve, args=server.accept()[:1], daemon=True).start()
