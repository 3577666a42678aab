# mistake: input-kills; server course tcp; arguments: {host} {port} {folder}
"""A file that is not there ends the program."""

import os
import socket
import sys


def content(name):
    path = os.path.join(folder, name)
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
    except ConnectionError:
        pass
    client.close()


host, port, folder = sys.argv[1:]
server = socket.create_server((host, int(port)), backlog=100)
while True:
    serve(server.accept()[0])
