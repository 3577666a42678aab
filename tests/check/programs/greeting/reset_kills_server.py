# mistake: reset-kills; server tcp
"""A selector, and nobody catches what recv raises."""

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
            client.sendall(b"Hello, client! Connection established.")
            client.shutdown(socket.SHUT_WR)
            selector.register(client, selectors.EVENT_READ)
        elif not key.fileobj.recv(65536):
            selector.unregister(key.fileobj)
            key.fileobj.close()
