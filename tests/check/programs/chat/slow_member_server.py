# mistake: slow-member; server line tcp
"""sendall to each member in turn, one of whom does not read."""

import contextlib
import socket
import sys
import threading


def broadcast(text, sender=None):
    for member in list(members):
        if member is not sender:
            with contextlib.suppress(OSError):
                member.sendall(text.encode() + b"\n")


def lines(client):
    buffer = b""
    while data := client.recv(1024):
        buffer += data
        while b"\n" in buffer:
            line, _, buffer = buffer.partition(b"\n")
            yield line.decode(errors="replace").strip()
        if len(buffer) > 5000:
            return


def serve(client):
    name = ""
    try:
        client.sendall(b"Enter your username: \n")
        reading = lines(client)
        name = next(reading, "")
        if not name:
            return
        members.add(client)
        broadcast(f"[SERVER] {name} joined the chat!")
        for line in reading:
            if line == "/quit":
                break
            broadcast(f"[{name}] {line}", client)
    except OSError:
        pass
    finally:
        if client in members:
            members.discard(client)
            broadcast(f"[SERVER] {name} left the chat")
        client.close()


members = set()
server = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=100)
while True:
    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
