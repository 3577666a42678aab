# correct: client a udp; arguments: {host} {port} a
# correct: client b udp; arguments: {host} {port} b
# correct: client lines udp; arguments: {host} {port} chat
"""Asks three times, hears nobody but the server, and says in a sentence what went wrong."""

import socket
import struct
import sys


def question(name):
    return {"a": b"Hello server", "b": b"GET"}.get(name, b"LOOKUP " + name.encode())


def address(name, data):
    if name == "b":
        host, port = struct.unpack("<15sxi", data)
        return host.split(b"\0")[0].decode("ascii"), port
    host, port = data.decode("ascii").split(":")
    return host, int(port)


host, port, name = sys.argv[1:]
client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
client.settimeout(1)
client.connect((host, int(port)))
for _ in range(3):
    try:
        client.send(question(name))
        print(*address(name, client.recv(512)), sep=":")
        break
    except TimeoutError:
        continue
    except (OSError, ValueError, struct.error) as error:
        sys.exit(f"no address: {error}")
else:
    sys.exit("no answer")
