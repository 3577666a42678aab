# mistake: shared-state; server framed tcp
"""One buffer for all clients."""

import selectors
import socket
import struct
import sys

buffer = bytearray()
selector = selectors.DefaultSelector()
server = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=100)
selector.register(server, selectors.EVENT_READ)
while True:
    for key, _ in selector.select():
        client = key.fileobj
        if client is server:
            client, _ = server.accept()
            selector.register(client, selectors.EVENT_READ)
            continue
        try:
            data = client.recv(65536)
            buffer += data
            while len(buffer) >= 4 and len(buffer) >= 4 + (length := struct.unpack_from("!I", buffer)[0]):
                client.sendall(buffer[: 4 + length])
                del buffer[: 4 + length]
        except OSError:
            data = b""
        if not data:
            selector.unregister(client)
            client.close()
