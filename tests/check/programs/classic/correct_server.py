# correct: server daytime tcp; arguments: {host} {port} daytime
# correct: server time tcp; arguments: {host} {port} time
# correct: server qotd tcp; arguments: {host} {port} qotd
# correct: server chargen tcp; arguments: {host} {port} chargen
# correct: server discard tcp; arguments: {host} {port} discard
"""A thread for each client."""

import contextlib
import socket
import struct
import sys
import threading
import time

PRINTABLE = bytes(range(32, 127)) * 2


def lines(client):
    first = 0
    while True:
        block = b""
        for _ in range(95):
            block += PRINTABLE[first : first + 72] + b"\r\n"
            first = (first + 1) % 95
        client.sendall(block)
        time.sleep(0.01)


def serve(client):
    with client, contextlib.suppress(OSError):
        if service == "chargen":
            lines(client)
        if service == "daytime":
            client.sendall(time.strftime("%A, %B %d, %Y %H:%M:%S-UTC\r\n", time.gmtime()).encode())
        if service == "time":
            client.sendall(struct.pack("!I", (int(time.time()) + 2_208_988_800) % 2**32))
        if service == "qotd":
            client.sendall(b"To err is human.\r\n")
        # Whatever comes is read, so that the end is no reset.
        client.settimeout(None if service == "discard" else 2)
        if service != "discard":
            client.shutdown(socket.SHUT_WR)
        while client.recv(65536):
            pass


host, port, service = sys.argv[1:]
server = socket.create_server((host, int(port)), backlog=100)
while True:
    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
