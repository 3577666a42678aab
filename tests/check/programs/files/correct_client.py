# correct: client course tcp; arguments: {host} {port} {folder} course notes.txt
# correct: client framed tcp; arguments: {host} {port} {folder} framed notes.txt
"""Reads to the end, or as much as the head says; saves what is whole."""

import hashlib
import json
import os
import socket
import struct
import sys


def receive(file, size):
    data = file.read(size)
    if len(data) < size:
        raise ConnectionError("the server has gone before all was there")
    return data


def getCourse(server):
    """Only one size fits to the length of what comes: its own digits and the file."""
    server.sendall(name.encode())
    data = server.makefile("rb").read()
    if data == b"NOT_FOUND":
        raise FileNotFoundError("there is no such file")
    for digits in range(1, 20):
        size = len(data) - 2 - digits
        if data.startswith(b"OK%d" % size) and len(b"%d" % size) == digits:
            return data[2 + digits :]
    raise ConnectionError("the file is not whole")


def getFramed(server):
    request = json.dumps({"request": "get", "name": name, "offset": 0}).encode()
    server.sendall(struct.pack(">I", len(request)) + request)
    file = server.makefile("rb")
    members = json.loads(receive(file, struct.unpack(">I", receive(file, 4))[0]))
    if "error" in members:
        raise FileNotFoundError(members["text"])
    data = receive(file, members["size"])
    if hashlib.sha256(data).hexdigest() != members["sha256"]:
        raise ValueError("the file is damaged")
    return data


host, port, folder, protocol, name = sys.argv[1:]
try:
    with socket.create_connection((host, int(port)), 10) as server:
        data = (getFramed if protocol == "framed" else getCourse)(server)
    with open(os.path.join(folder, name), "wb") as file:
        file.write(data)
except (OSError, ValueError) as error:
    sys.exit(f"no file: {error}")
