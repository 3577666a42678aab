# correct: server raw tcp
"""One thread; what could not be sent yet is kept, and its client is not read from meanwhile."""

import selectors
import socket
import sys

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
selector = selectors.DefaultSelector()
server = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=100)
selector.register(server, READ)
while True:
    for key, events in selector.select():
        client, waiting = key.fileobj, key.data
        if client is server:
            client, _ = server.accept()
            client.setblocking(False)
            selector.register(client, READ, bytearray())
            continue
        try:
            if events & READ:
                data = client.recv(65536)
                if not data:
                    raise ConnectionError("the end")
                waiting += data
            del waiting[: client.send(waiting)]
            selector.modify(client, WRITE if waiting else READ, waiting)
        except BlockingIOError:
            selector.modify(client, WRITE, waiting)
        except OSError:
            selector.unregister(client)
            client.close()
