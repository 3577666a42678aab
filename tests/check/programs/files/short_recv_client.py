# mistake: short-recv; client framed tcp; arguments: {host} {port} {folder}
"""recv(n) is taken for n bytes."""

import json
import os
import socket
import struct
import sys


def receive(size):
    return server.recv(size)


host, port, folder = sys.argv[1:]
try:
    server = socket.create_connection((host, int(port)), 10)
    request = b'{"request": "get", "name": "notes.txt", "offset": 0}'
    server.sendall(struct.pack(">I", len(request)) + request)
    head = json.loads(receive(struct.unpack(">I", receive(4))[0]))
    if "error" in head:
        sys.exit(head["text"])
    data = receive(head["size"])
    with open(os.path.join(folder, "notes.txt"), "wb") as file:
        file.write(data)
except (OSError, ValueError, struct.error) as error:
    sys.exit(f"no file: {error}")
