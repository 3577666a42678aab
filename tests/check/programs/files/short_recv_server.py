# mistake: short-recv; server framed tcp; arguments: {host} {port} {folder}
"""recv(n) is taken for n bytes."""

import hashlib
import json
import os
import socket
import struct
import sys
import threading


def answer(client, members, data=b""):
    head = json.dumps(members).encode()
    client.sendall(struct.pack(">I", len(head)) + head + data)


def serve(client):
    try:
        while length := client.recv(4):
            (size,) = struct.unpack(">I", length)
            if size > 10_000:
                break
            request = json.loads(client.recv(size))
            name, offset = request["name"], request.get("offset", 0)
            path = os.path.join(folder, os.path.basename(name))
            if path != os.path.join(folder, name) or os.path.islink(path) or not os.path.isfile(path):
                answer(client, {"error": "not-found", "text": "no such file"})
                continue
            with open(path, "rb") as file:
                data = file.read()
            members = {"name": name, "offset": offset, "size": len(data)}
            members["sha256"] = hashlib.sha256(data).hexdigest()
            answer(client, members, data[offset:])
    except (OSError, ValueError, TypeError, KeyError, struct.error):
        pass
    client.close()


host, port, folder = sys.argv[1:]
server = socket.create_server((host, int(port)), backlog=100)
while True:
    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
