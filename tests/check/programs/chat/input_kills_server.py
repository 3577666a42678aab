# mistake: input-kills; server plain tcp
"""One thread, and bytes that are no UTF-8 end it."""

import select
import socket
import sys


def broadcast(text, sender=None):
    for member in list(members):
        if member is not sender:
            try:
                member.sendall(text.encode())
            except OSError:
                leave(member)


def leave(member):
    if member in list(members):
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
            text = data.decode().strip()
            if not data or text == "/quit":
                leave(ready)
            elif names[ready]:
                broadcast(f"[{names[ready]}] {text}", ready)
            elif text:
                names[ready] = text
                members.append(ready)
                broadcast(f"[SERVER] {text} joined the chat!")
