# mistake: one-recv; server framed tcp
"""The length and the message are in what one recv brings, and nothing else is."""

import socket
import struct
import sys
import threading


def serve(client):
    with client:
        try:
            while data := client.recv(65536):
                (length,) = struct.unpack("!I", data[:4])
                client.sendall(struct.pack("!I", length) + data[4 : 4 + length])
        except (OSError, struct.error):
            pass


server = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=100)
while True:
    threading.Thread(target=serve, args=server.accept()[:1], daemon=True).start()
