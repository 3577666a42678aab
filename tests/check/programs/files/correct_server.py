# correct: server course tcp; arguments: {host} {port} {folder} course
# correct: server framed tcp; arguments: {host} {port} {folder} framed
"""A thread for each client; only names of regular files within the folder."""

import contextlib
import hashlib
import json
import os
import socket
import stat
import struct
import sys
import threading


def content(name):
    """The bytes of a file, or None."""
    if not name or "/" in name or "\\" in name or "\0" in name or name.startswith("."):
        return None
    try:
        path = os.path.join(folder, name)
        if not stat.S_ISREG(os.lstat(path).st_mode):
            return None
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return None


def receive(file, size):
    data = file.read(size)
    if len(data) < size:
        raise ConnectionError("the client has gone")
    return data


def answer(client, members, data=b""):
    head = json.dumps(members).encode()
    client.sendall(struct.pack(">I", len(head)) + head + data)


def serveFramed(client):
    file = client.makefile("rb")
    while True:
        (size,) = struct.unpack(">I", receive(file, 4))
        if size > 256 * 1024:
            return answer(client, {"error": "bad-request", "text": "too long"})
        try:
            request = json.loads(receive(file, size))
            name, offset = request["name"], request.get("offset", 0)
            data = content(name)
            rest = data[offset:] if data is not None else b""
        except (ValueError, TypeError, KeyError):
            answer(client, {"error": "bad-request", "text": "not understood"})
            continue
        if data is None:
            answer(client, {"error": "not-found", "text": "there is no such file"})
        else:
            digest = hashlib.sha256(data).hexdigest()
            members = {"name": name, "offset": offset, "size": len(data), "sha256": digest, "mtime": 0}
            answer(client, members, rest)


def serveCourse(client):
    data = content(client.recv(1024).decode(errors="replace").strip())
    client.sendall(b"NOT_FOUND" if data is None else b"OK%d" % len(data) + data)


def serve(client):
    with client, contextlib.suppress(OSError):
        (serveFramed if protocol == "framed" else serveCourse)(client)


host, port, folder, protocol = sys.argv[1:]
with socket.create_server((host, int(port)), backlog=100) as server:
    while True:
        threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
