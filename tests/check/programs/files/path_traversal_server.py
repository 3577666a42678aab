# mistake: path-traversal; server course tcp; arguments: {host} {port} {folder}
"""Opens whatever the name leads to."""

import os
import socket
import sys
import threading


def content(name):
    path = os.path.join(folder, name)
    if "\0" in name or not os.path.isfile(path):
        return None
    with open(path, "rb") as file:
        return file.read()


def serve(client):
    try:
        name = client.recv(1024).decode(errors="replace").strip()
        data = content(name)
        if data is None:
            client.sendall(b"NOT_FOUND")
        else:
            client.sendall(b"OK" + str(len(data)).encode())
            client.sendall(data)
    except OSError:
        pass
    client.close()


host, port, folder = sys.argv[1:]
server = socket.create_server((host, int(port)), backlog=100)
while True:
    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
