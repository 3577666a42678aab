# mistake: decode-split; server upper tcp
"""Decodes what each recv brings."""

import socket
import sys
import threading


def serve(client):
    with client:
        try:
            while data := client.recv(4096):
                client.sendall(data.decode("utf-8").upper().encode("utf-8"))
        except (OSError, UnicodeError):
            pass


server = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=100)
while True:
    threading.Thread(target=serve, args=server.accept()[:1], daemon=True).start()
