# mistake: shared-state; server plain tcp
"""Members by their names, of which one may come twice."""

import contextlib
import socket
import sys
import threading


def broadcast(text, sender=None):
    for member in list(members.values()):
        if member is not sender:
            with contextlib.suppress(OSError):
                member.sendall(text.encode())


def serve(client):
    name = ""
    try:
        client.sendall(b"Enter your username: ")
        name = client.recv(1024).decode(errors="replace").strip()
        if not name:
            return
        members[name] = client
        broadcast(f"[SERVER] {name} joined the chat!")
        while data := client.recv(1024):
            text = data.decode(errors="replace").strip()
            if text == "/quit":
                break
            broadcast(f"[{name}] {text}", client)
    except OSError:
        pass
    finally:
        if members.get(name) is client:
            del members[name]
            broadcast(f"[SERVER] {name} left the chat")
        client.close()


members = {}
server = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=100)
while True:
    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
