# mistake: decode-split; server line tcp
"""Decodes what comes, and then looks for lines in it."""

import queue
import socket
import sys
import threading


def broadcast(text, sender=None):
    for member, waiting in list(members.items()):
        if member is not sender and waiting.qsize() < 900:
            waiting.put(text)


def send(client, waiting):
    try:
        while text := waiting.get():
            client.sendall(text.encode() + b"\n")
        client.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass


def lines(client):
    buffer = ""
    while data := client.recv(1024):
        buffer += data.decode(errors="replace")
        while "\n" in buffer:
            line, _, buffer = buffer.partition("\n")
            yield line.strip()
        if len(buffer) > 5000:
            return


def serve(client):
    waiting = queue.Queue()
    threading.Thread(target=send, args=(client, waiting), daemon=True).start()
    waiting.put("Enter your username: ")
    name = ""
    try:
        reading = lines(client)
        name = next(reading, "")
        if not name:
            return
        members[client] = waiting
        broadcast(f"[SERVER] {name} joined the chat!")
        for line in reading:
            if line == "/quit":
                break
            broadcast(f"[{name}] {line}", client)
    except OSError:
        pass
    finally:
        if members.pop(client, None):
            broadcast(f"[SERVER] {name} left the chat")
        waiting.put("")


members = {}
server = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=100)
while True:
    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
