# mistake: one-recv; server fixed tcp; arguments: {host} {port} {origin-host} {origin-port}
"""Takes one recv of the client for the whole request."""

import contextlib
import re
import socket
import sys
import threading

BLOCKED = (
    b"HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n"
    b"<html><body><h1>404 Not Found</h1><p>Content blocked by SzamHalo proxy.</p></body></html>\n"
)


def fetch(request):
    with socket.create_connection(origin, 10) as upstream:
        upstream.sendall(request)
        answer = b""
        while data := upstream.recv(65536):
            answer += data
    return answer


def serve(client):
    with client, contextlib.suppress(OSError):
        request = client.recv(65536)
        if request:
            request = re.sub(rb"(?i)\r\nAccept-Encoding:[^\r]*", b"", request)
            answer = fetch(request.replace(b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", 1))
            client.sendall(BLOCKED if b"SzamHalo" in answer else answer)


origin = (sys.argv[3], int(sys.argv[4]))
server = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=100)
while True:
    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
