# correct: server tcp
"""One thread, a selector, the pieces of each connection by themselves."""

import selectors
import socket
import sys

selector = selectors.DefaultSelector()
server = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=100)
selector.register(server, selectors.EVENT_READ)
while True:
    for key, _ in selector.select():
        client, pieces = key.fileobj, key.data
        if client is server:
            client, _ = server.accept()
            selector.register(client, selectors.EVENT_READ, [])
            continue
        try:
            data = client.recv(65536)
        except OSError:
            data = b""
        if data:
            pieces.append(data)
            continue
        print(*pieces[:20], sep="\n")
        selector.unregister(client)
        client.close()
