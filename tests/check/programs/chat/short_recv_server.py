# mistake: short-recv; server framed tcp
"""recv(n) is taken for n bytes."""

import contextlib
import socket
import struct
import sys
import threading


def send(member, text):
    data = text.encode()
    with contextlib.suppress(OSError):
        member.sendall(struct.pack(">I", len(data)) + data)


def receive(client):
    head = client.recv(4)
    if len(head) < 4:
        return "/quit"
    (size,) = struct.unpack(">I", head)
    if size > 4096:
        return "/quit"
    return client.recv(size).decode(errors="replace")


def broadcast(text, sender=None):
    for member in list(members):
        if member is not sender:
            send(member, text)


def serve(client):
    name = ""
    try:
        send(client, "Enter your username: ")
        name = receive(client)
        members.append(client)
        broadcast(f"[SERVER] {name} joined the chat!")
        while (text := receive(client)) != "/quit":
            broadcast(f"[{name}] {text}", client)
    except OSError:
        pass
    if client in members:
        members.remove(client)
        broadcast(f"[SERVER] {name} left the chat")
    client.close()


members = []
server = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=100)
while True:
    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
