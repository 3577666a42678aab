# mistake: one-recv; server line tcp
"""One recv is one line."""

import contextlib
import socket
import sys
import threading


def broadcast(text, sender=None):
    for member in list(members):
        if member is not sender:
            with contextlib.suppress(OSError):
                member.sendall(text.encode() + b"\n")


def serve(client):
    name = ""
    try:
        client.sendall(b"Enter your username: \n")
        name = client.recv(1024).decode(errors="replace").strip()
        if not name:
            return
        members.append(client)
        broadcast(f"[SERVER] {name} joined the chat!")
        while data := client.recv(1024):
            text = data.decode(errors="replace").strip()
            if text == "/quit":
                break
            broadcast(f"[{name}] {text}", client)
    except OSError:
        pass
    finally:
        if client in members:
            members.remove(client)
            broadcast(f"[SERVER] {name} left the chat")
        client.close()


members = []
server = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=100)
while True:
    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
