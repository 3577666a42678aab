# correct: server prefix tcp; arguments: {host} {port} prefix
# correct: server upper tcp; arguments: {host} {port} upper
# correct: server ack tcp; arguments: {host} {port} ack
# correct: server framed tcp; arguments: {host} {port} framed
"""A thread for each client, and all that belongs to a client in its thread."""

import codecs
import contextlib
import socket
import struct
import sys
import threading

MOST = 2**20


def prefix(client):
    while data := client.recv(4096):
        client.sendall(b"Echo: " + data)


def upper(client):
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    while data := client.recv(4096):
        client.sendall(decoder.decode(data).upper().encode("utf-8", "surrogateescape"))


def ack(client):
    if client.recv(4096):
        client.sendall(b"Message received!")
    client.shutdown(socket.SHUT_WR)
    client.settimeout(2)
    while client.recv(65536):
        pass


def receive(client, size):
    data = bytearray()
    while len(data) < size:
        piece = client.recv(size - len(data))
        if not piece:
            raise ConnectionError("the client has gone")
        data += piece
    return bytes(data)


def framed(client):
    while True:
        length = receive(client, 4)
        (size,) = struct.unpack("!I", length)
        if size > MOST:
            break
        client.sendall(length + receive(client, size))


def serve(client, style):
    with client, contextlib.suppress(OSError):
        style(client)


style = {"prefix": prefix, "upper": upper, "ack": ack, "framed": framed}[sys.argv[3]]
server = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=100)
while True:
    threading.Thread(target=serve, args=(server.accept()[0], style), daemon=True).start()
