# mistake: one-client; server requests tcp; arguments: {host} {port} {origin-host} {origin-port}
"""One client after the other."""

import contextlib
import socket
import sys

server = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=100)
behind = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
behind.connect((sys.argv[3], int(sys.argv[4])))
behind.settimeout(1)
while True:
    client, _ = server.accept()
    buffer = b""
    with client, contextlib.suppress(OSError):
        while data := client.recv(4096):
            buffer += data
            while len(buffer) >= 9:
                reply = b"\0\0\0\0\0\0\0\0E"
                with contextlib.suppress(TimeoutError):
                    behind.send(buffer[:9])
                    reply = behind.recv(65536)
                client.sendall(reply)
                buffer = buffer[9:]
