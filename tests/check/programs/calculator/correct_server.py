# correct: server struct9 tcp; arguments: {host} {port} struct9
# correct: server int4 tcp; arguments: {host} {port} int4
# correct: server text tcp; arguments: {host} {port} text
# correct: server ici tcp; arguments: {host} {port} ici
# correct: server ici-text tcp; arguments: {host} {port} ici-text
# correct: server fcf tcp; arguments: {host} {port} fcf
# correct: server ffc tcp; arguments: {host} {port} ffc
# correct: server net tcp; arguments: {host} {port} net
# correct: server framed tcp; arguments: {host} {port} framed
# correct: server json tcp; arguments: {host} {port} json
"""A thread and a buffer for each connection; errors are answered."""

import contextlib
import json
import math
import socket
import struct
import sys
import threading

REQUESTS = {
    "struct9": "<ii1s", "int4": "<ii1s", "text": "<ii1s", "ici": "<i1s3xi", "ici-text": "<i1s3xi",
    "fcf": "<f1s3xf", "ffc": "<ff1s", "net": "!1sii", "framed": "<iii1s",
}  # fmt: skip


def compute(a, op, b):
    """The result, or None."""
    try:
        if op == "/":
            return a / b if profile in ("text", "ici-text", "ffc", "net") else a // b
        return {"+": a + b, "-": a - b, "*": a * b}[op]
    except (ZeroDivisionError, KeyError):
        return None


def answer(result):
    """The reply to a result, or to None."""
    try:
        if profile in ("struct9", "framed"):
            return (
                struct.pack("<ii1s", 0, 0, b"E")
                if result is None
                else struct.pack("<ii1s", result, 0, b"R")
            )
        if profile in ("int4", "ici"):
            return struct.pack("<i", result or 0)
        if profile == "ffc":
            return (
                struct.pack("<ff1s", math.nan, 0, b"E")
                if result is None
                else struct.pack("<ff1s", result, 0, b"R")
            )
        if profile == "net":
            return struct.pack("<f", math.nan if result is None else result)
    except (struct.error, OverflowError):
        return answer(None)
    if profile == "json":
        return json.dumps({"error": "bad"} if result is None else {"result": result}).encode()
    if result is None:
        return b"error"
    return str(result).encode()


def objects(buffer):
    """
    The objects at the beginning of the buffer, and the rest of it; None when there is too much of that.
    """
    found = []
    decoder = json.JSONDecoder()
    while buffer.strip():
        text = buffer.decode("utf-8", "replace").lstrip()
        if not text.startswith("{"):
            return [*found, None], b""
        try:
            fields, end = decoder.raw_decode(text)
        except ValueError:
            if text.rstrip().endswith("}"):
                return [*found, None], b""
            break
        found.append(fields)
        buffer = text[end:].encode()
    return found, buffer


def serveObjects(client):
    buffer = b""
    while data := client.recv(4096):
        found, buffer = objects(buffer + data)
        for fields in found:
            try:
                result = compute(int(fields["oper1"]), fields["op"], int(fields["oper2"]))
            except (TypeError, KeyError, ValueError):
                result = None
            client.sendall(answer(result))
        if len(buffer) > 4096:
            client.sendall(answer(None))
            return


def serveStructs(client):
    layout = struct.Struct(REQUESTS[profile])
    buffer = b""
    while data := client.recv(4096):
        buffer += data
        if profile == "framed" and len(buffer) >= 4 and struct.unpack("<i", buffer[:4]) != (9,):
            client.sendall(answer(None))
            return
        while len(buffer) >= layout.size:
            fields = layout.unpack(buffer[: layout.size])
            buffer = buffer[layout.size :]
            op, *operands = sorted(fields[-3:], key=lambda field: not isinstance(field, bytes))
            client.sendall(answer(compute(operands[0], op.decode("latin-1"), operands[1])))


def serve(client):
    with client, contextlib.suppress(OSError):
        (serveObjects if profile == "json" else serveStructs)(client)


host, port, profile = sys.argv[1:]
with socket.create_server((host, int(port)), backlog=100) as server:
    while True:
        threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
