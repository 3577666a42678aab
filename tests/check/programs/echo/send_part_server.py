# mistake: send-part; server raw tcp
"""Sockets that do not block, and a send that takes what there is room for: the rest is lost."""

import selectors
import socket
import sys

selector = selectors.DefaultSelector()
server = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=100)
selector.register(server, selectors.EVENT_READ)
while True:
    for key, _ in selector.select():
        if key.fileobj is server:
            client, _ = server.accept()
            client.setblocking(False)
            selector.register(client, selectors.EVENT_READ)
            continue
        client = key.fileobj
        try:
            data = client.recv(65536)
            client.send(data)
        except BlockingIOError:
            continue
        except OSError:
            data = b""
        if not data:
            selector.unregister(client)
            client.close()
