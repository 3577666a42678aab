# mistake: altered; server stream tcp; arguments: {host} {port} {origin-host} {origin-port}
"""Makes text of it on the way, to log it."""

import socket
import sys
import threading


def copy(one, other):
    try:
        while data := one.recv(65536):
            text = data.decode("utf-8", "ignore")
            other.sendall(text.encode("utf-8"))
        other.shutdown(socket.SHUT_WR)
    except OSError:
        one.close()
        other.close()


server = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=100)
while True:
    client, _ = server.accept()
    try:
        behind = socket.create_connection((sys.argv[3], int(sys.argv[4])))
    except OSError:
        client.close()
        continue
    threading.Thread(target=copy, args=(client, behind), daemon=True).start()
    threading.Thread(target=copy, args=(behind, client), daemon=True).start()
