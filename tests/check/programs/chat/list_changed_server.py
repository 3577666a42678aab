# mistake: list-changed; server plain tcp
"""One thread with select; who cannot be reached is removed within the loop over all."""

import select
import socket
import sys


def broadcast(text, sender=None):
    for member in members:
        if member is not sender:
            try:
                member.sendall(text.encode())
            except OSError:
                leave(member)


def leave(member):
    if member in members:
        members.remove(member)
    name = names.pop(member, "")
    member.close()
    if name:
        broadcast(f"[SERVER] {name} left the chat")


server = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=100)
members, names = [], {}
while True:
    for ready in select.select([server, *names], [], [])[0]:
        if ready is server:
            client, _ = server.accept()
            client.sendall(b"Enter your username: ")
            names[client] = ""
        elif ready in names:
            try:
                data = ready.recv(1024)
            except OSError:
                data = b""
            text = data.decode(errors="replace").strip()
            if not data or text == "/quit":
                leave(ready)
            elif names[ready]:
                broadcast(f"[{names[ready]}] {text}", ready)
            elif text:
                names[ready] = text
                members.append(ready)
                broadcast(f"[SERVER] {text} joined the chat!")
