# correct: client plain tcp; arguments: {host} {port} plain
# correct: client line tcp; arguments: {host} {port} line
# correct: client framed tcp; arguments: {host} {port} framed
"""A thread that reads and prints, and the main one for the keyboard."""

import contextlib
import os
import socket
import struct
import sys
import threading
import time


def send(text):
    data = text.encode()
    if framing == "framed":
        data = struct.pack(">I", len(data)) + data
    server.sendall(data + b"\n" if framing == "line" else data)
    if framing == "plain":
        time.sleep(0.05)


def messages():
    if framing == "plain":
        while data := server.recv(4096):
            yield data
    elif framing == "line":
        yield from server.makefile("rb")
    else:
        file = server.makefile("rb")
        while len(head := file.read(4)) == 4:
            yield file.read(struct.unpack(">I", head)[0])


def listen():
    with contextlib.suppress(OSError):
        for message in messages():
            print(message.decode(errors="replace").rstrip("\n"), flush=True)
    print("the connection has ended", flush=True)
    os._exit(0)


host, port, framing = sys.argv[1:]
try:
    server = socket.create_connection((host, int(port)), 10)
    server.settimeout(None)
    threading.Thread(target=listen, daemon=True).start()
    for line in sys.stdin:
        if line.strip() == "/quit":
            break
        send(line.strip())
    server.shutdown(socket.SHUT_WR)
    time.sleep(1)
except OSError as error:
    sys.exit(f"no connection: {error}")
