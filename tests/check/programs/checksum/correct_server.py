# correct: server tcp
"""A thread and a buffer for each connection; a KI ends with a silence, a BE with its checksum."""

import contextlib
import re
import socket
import sys
import threading
import time

ANNOUNCEMENT = re.compile(rb"BE\|([^|]{1,255})\|(\d{1,9})\|(\d{1,4})\|", re.DOTALL)
LOOKUP = re.compile(rb"KI\|([^|]{1,255}?)(?=(?:BE|KI)\||[\r\n]|$)", re.DOTALL)


def announcements(client, buffer):
    """Answer what is whole without a silence; the rest. None if it is nothing."""
    while buffer:
        buffer = buffer.lstrip(b"\r\n")
        match = ANNOUNCEMENT.match(buffer)
        if match is None:
            begun = buffer[:1] in b"BK" and buffer.count(b"|") < 4 and len(buffer) < 300
            return buffer if begun else None
        length = int(match[3])
        if not 1 <= length <= 128:
            return None
        checksum = buffer[match.end() : match.end() + length]
        if len(checksum) < length:
            return buffer
        kept[match[1]] = (time.monotonic() + int(match[2]), checksum)
        client.sendall(b"OK")
        buffer = buffer[match.end() + length :]
    return buffer


def lookup(client, buffer):
    """It is quiet: a KI that waits has come to its end."""
    match = LOOKUP.match(buffer)
    if match is None:
        return buffer
    until, checksum = kept.get(match[1], (0, b""))
    if until <= time.monotonic():
        checksum = b""
    client.sendall(b"%d|%b" % (len(checksum), checksum))
    return buffer[match.end() :]


def serve(client):
    buffer = b""
    with client, contextlib.suppress(OSError):
        while True:
            client.settimeout(0.02 if buffer.startswith(b"KI") else None)
            try:
                data = client.recv(4096)
            except TimeoutError:
                buffer = lookup(client, buffer)
                continue
            buffer = announcements(client, buffer + data)
            if buffer is None:
                return
            if not data:
                lookup(client, buffer)
                return


kept = {}
server = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=100)
while True:
    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
