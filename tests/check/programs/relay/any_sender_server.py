# mistake: any-sender; server requests tcp; arguments: {host} {port} {origin-host} {origin-port}
"""The first datagram that comes back is the reply."""

import contextlib
import socket
import sys
import threading


def serve(client):
    behind = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with client, behind, contextlib.suppress(OSError):
        behind.settimeout(1)
        buffer = b""
        while data := client.recv(4096):
            buffer += data
            while len(buffer) >= 9:
                request, buffer = buffer[:9], buffer[9:]
                reply = b"\0\0\0\0\0\0\0\0E"
                for _ in range(3):
                    with contextlib.suppress(TimeoutError):
                        behind.sendto(request, (sys.argv[3], int(sys.argv[4])))
                        reply, _ = behind.recvfrom(65536)
                        break
                client.sendall(reply)


server = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=100)
while True:
    threading.Thread(target=serve, args=server.accept()[:1], daemon=True).start()
