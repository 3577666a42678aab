# mistake: extra; server tcp
"""Ends its answers with a newline."""

import re
import socket
import sys
import threading
import time

ANNOUNCEMENT = re.compile(rb"BE\|([^|]{1,255})\|(\d{1,9})\|(\d{1,4})\|", re.DOTALL)


def take(client, buffer):
    """Answers every request at the beginning; the rest. None if it is no request."""
    while buffer:
        match = ANNOUNCEMENT.match(buffer)
        if match is not None:
            size = int(match[3])
            if not 1 <= size <= 128:
                return None
            if len(buffer) < match.end() + size:
                return buffer
            checksum = buffer[match.end() : match.end() + size]
            kept[match[1]] = (time.time() + int(match[2]), checksum)
            client.sendall(b"OK\n")
            buffer = buffer[match.end() + size :]
        elif buffer.startswith(b"KI|"):
            until, checksum = kept.get(buffer[3:], (0, b""))
            if until <= time.time():
                checksum = b""
            client.sendall(b"%d|%b\n" % (len(checksum), checksum))
            buffer = b""
        else:
            return buffer if buffer[:1] == b"B" and buffer.count(b"|") < 4 else None
    return buffer


def serve(client):
    buffer = b""
    try:
        while data := client.recv(1024):
            buffer = take(client, buffer + data)
            if buffer is None:
                break
    except OSError:
        pass
    client.close()


kept = {}
server = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=100)
while True:
    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
