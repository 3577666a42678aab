# correct: client struct9 tcp; arguments: {host} {port} struct9 12 + 34
# correct: client framed tcp; arguments: {host} {port} framed 12 + 34
# correct: client net tcp; arguments: {host} {port} net 7 / 2
# correct: client text tcp; arguments: {host} {port} text 7 / 2
# correct: client json tcp; arguments: {host} {port} json 12 * 34
"""Reads exactly one answer, however it comes, and says in a sentence what went wrong."""

import json
import socket
import struct
import sys


def receive(server, size):
    data = b""
    while len(data) < size:
        piece = server.recv(size - len(data))
        if not piece:
            raise ConnectionError("the server has gone before the answer was complete")
        data += piece
    return data


def readText(server):
    data = server.recv(100)
    if not data:
        raise ConnectionError("the server has gone without an answer")
    return data.decode("ascii")


def readObject(server):
    data = b""
    while not data.endswith(b"}"):
        data += receive(server, 1)
    return json.loads(data)


def ask(server, profile, a, op, b):
    if profile == "json":
        server.sendall(json.dumps({"oper1": a, "oper2": b, "op": op}).encode())
        return readObject(server).get("result", "an error")
    if profile == "text":
        server.sendall(struct.pack("<ii1s", a, b, op.encode()))
        return readText(server)
    if profile == "net":
        server.sendall(struct.pack("!1sii", op.encode(), a, b))
        (result,) = struct.unpack("<f", receive(server, 4))
        return "an error" if result != result else result
    prefix = struct.pack("<i", 9) if profile == "framed" else b""
    server.sendall(prefix + struct.pack("<ii1s", a, b, op.encode()))
    result, _, mark = struct.unpack("<ii1s", receive(server, 9))
    return result if mark == b"R" else "an error"


host, port, profile, a, op, b = sys.argv[1:]
try:
    with socket.create_connection((host, int(port)), 10) as server:
        print(a, op, b, "is", ask(server, profile, int(a), op, int(b)))
except (OSError, ValueError) as error:
    sys.exit(f"no answer: {error}")
