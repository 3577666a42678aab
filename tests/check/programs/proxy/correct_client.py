# correct: client forward tcp
"""Reads the head, then the body as the head says, and writes the bytes of it."""

import socket
import sys


class Answer(Exception):
    """What is wrong with it."""


def readHead(stream):
    status = stream.readline()
    if not status.startswith(b"HTTP/"):
        raise Answer("this is not HTTP")
    fields = {}
    while (line := stream.readline()) not in (b"\r\n", b"\n"):
        if not line:
            raise Answer("the head is cut")
        name, _, value = line.partition(b":")
        fields[name.strip().lower()] = value.strip().lower()
    return status.split()[1], fields


def exactly(stream, size):
    data = stream.read(size)
    if len(data) < size:
        raise Answer(f"the page is cut: {len(data)} of {size} bytes came")
    return data


def readBody(stream, fields):
    if fields.get(b"transfer-encoding") == b"chunked":
        body = b""
        while size := int(stream.readline().split(b";")[0] or b"x", 16):
            body += exactly(stream, size)
            stream.readline()
        return body
    if b"content-length" in fields:
        return exactly(stream, int(fields[b"content-length"]))
    return stream.read()


host, port, *version = sys.argv[1:]
request = f"GET http://example.org/ HTTP/{version[0] if version else '1.1'}\r\nHost: example.org\r\n\r\n"
try:
    with socket.create_connection((host, int(port)), 10) as server, server.makefile("rb") as stream:
        server.sendall(request.encode())
        status, fields = readHead(stream)
        sys.stdout.buffer.write(readBody(stream, fields))
        if status >= b"400":
            sys.exit(f"the server answered {status.decode()}")
except (OSError, ValueError, IndexError, Answer) as error:
    sys.exit(f"no page: {error}")
