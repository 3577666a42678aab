# mistake: text-mode; client framed tcp; arguments: {host} {port} {folder}
"""Saves a file as text."""

import json
import os
import socket
import struct
import sys


def receive(size):
    data = b""
    while len(data) < size:
        piece = server.recv(min(size - len(data), 65536))
        if not piece:
            raise ConnectionError("the server has gone")
        data += piece
    return data


host, port, folder = sys.argv[1:]
try:
    server = socket.create_connection((host, int(port)), 10)
    request = b'{"request": "get", "name": "notes.txt", "offset": 0}'
    server.sendall(struct.pack(">I", len(request)) + request)
    head = json.loads(receive(struct.unpack(">I", receive(4))[0]))
    if "error" in head:
        sys.exit(head["text"])
    data = receive(head["size"])
    with open(os.path.join(folder, "notes.txt"), "w") as file:
        file.write(data.decode(errors="replace"))
except (OSError, ValueError) as error:
    sys.exit(f"no file: {error}")
