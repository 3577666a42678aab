# mistake: half-close; server struct9 tcp
"""The end of what the client sends is the end of the client."""

import socket
import struct
import sys
import threading


def answer(a, b, op):
    if op not in b"+-*/" or (op == b"/" and b == 0):
        return struct.pack("<ii1s", 0, 0, b"E")
    result = {b"+": a + b, b"-": a - b, b"*": a * b, b"/": a // (b or 1)}[op]
    if not -(2**31) <= result < 2**31:
        return struct.pack("<ii1s", 0, 0, b"E")
    return struct.pack("<ii1s", result, 0, b"R")


def serve(client):
    """Reads everything that is there before it works on it."""
    requests = b""
    client.settimeout(0.06)
    with client:
        while True:
            try:
                data = client.recv(1024)
                if not data:
                    return
                requests += data
            except TimeoutError:
                while len(requests) >= 9:
                    client.sendall(answer(*struct.unpack("<ii1s", requests[:9])))
                    requests = requests[9:]
            except OSError:
                return


server = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=100)
while True:
    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
