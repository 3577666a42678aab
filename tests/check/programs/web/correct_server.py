# correct: server tcp
"""A thread for each connection; reads the whole head, answers, and waits for the client's end."""

import contextlib
import html
import socket
import sys
import threading


def readHead(client):
    head = b""
    while b"\r\n\r\n" not in head and len(head) <= 65536:
        data = client.recv(4096)
        if not data:
            return None
        head += data
    return head


def answer(head):
    words = head.split(b"\r\n")[0].split()
    if len(words) != 3:
        return b"HTTP/1.0 400 Bad Request\r\n\r\n"
    page = "<h1>Hello World</h1>"
    if words[1].split(b"?")[0] == b"/request":
        page = "<h1>Your request</h1><pre>" + html.escape(head.decode("latin-1")) + "</pre>"
    body = page.encode()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
    return head % len(body) + body


def serve(client):
    with client, contextlib.suppress(OSError):
        head = readHead(client)
        if head is not None:
            client.sendall(answer(head))
        client.shutdown(socket.SHUT_WR)
        client.settimeout(2)
        while client.recv(65536):
            pass


with socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=100) as server:
    while True:
        threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
