# mistake: uncaught; client framed tcp; arguments: {host} {port} {folder}
"""Looks at no error, and catches no exception."""

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
server = socket.create_connection((host, int(port)), 10)
request = b'{"request": "get", "name": "notes.txt", "offset": 0}'
server.sendall(struct.pack(">I", len(request)) + request)
head = json.loads(receive(struct.unpack(">I", receive(4))[0]))
data = receive(head["size"])
with open(os.path.join(folder, "notes.txt"), "wb") as file:
    file.write(data)
