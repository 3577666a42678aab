# mistake: input-kills; server fixed tcp; arguments: {host} {port} {origin-host} {origin-port}
"""Takes the request-line apart in the one loop that there is for all."""

import contextlib
import re
import selectors
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


def answer(client, request):
    with client, contextlib.suppress(OSError):
        got = fetch(request)
        client.sendall(BLOCKED if b"SzamHalo" in got else got)


def serve(client, request):
    try:
        data = client.recv(65536)
    except OSError:
        data = b""
    request += data
    head, end, body = bytes(request).partition(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\nContent-Length: *(\d+)", head)
    if not data or len(request) > 65536:
        selector.unregister(client)
        client.close()
    elif end and len(body) >= int(length[1] if length else 0):
        selector.unregister(client)
        method, target, _ = head.split(b"\r\n")[0].split(b" ")
        fields = re.sub(rb"(?i)\r\nAccept-Encoding:[^\r]*", b"", head).split(b"\r\n")[1:]
        whole = b"\r\n".join([method + b" " + target + b" HTTP/1.0", *fields, b"", body])
        threading.Thread(target=answer, args=(client, whole), daemon=True).start()


def accept(server, _):
    client, _ = server.accept()
    selector.register(client, selectors.EVENT_READ, (serve, bytearray()))


origin = (sys.argv[3], int(sys.argv[4]))
selector = selectors.DefaultSelector()
server = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=100)
selector.register(server, selectors.EVENT_READ, (accept, None))
while True:
    for key, _ in selector.select():
        act, state = key.data
        act(key.fileobj, state)
