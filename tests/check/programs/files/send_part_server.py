# mistake: send-part; server course tcp; arguments: {host} {port} {folder}
"""One send for a file, on a socket that does not wait."""

import os
import socket
import sys
import threading


def content(name):
    path = os.path.join(folder, name)
    if "/" in name or "\0" in name or os.path.islink(path) or not os.path.isfile(path):
        return None
    with open(path, "rb") as file:
        return file.read()


def serve(client):
    client.settimeout(5)
    try:
        name = client.recv(1024).decode(errors="replace").strip()
        data = content(name)
        if data is None:
            client.sendall(b"NOT_FOUND")
        else:
            client.sendall(b"OK" + str(len(data)).encode())
            client.send(data)
    except OSError:
        pass
    client.close()


host, port, folder = sys.argv[1:]
server = socket.create_server((host, int(port)), backlog=100)
while True:
    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
