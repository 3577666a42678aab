# mistake: no-expiry; server lines udp
"""The seconds are read, confirmed and forgotten."""

import socket
import sys

names = {}


def answer(words, source):
    match words:
        case ["REGISTER", name, address, ttl] if ttl.isdigit() and int(ttl):
            host, _, port = address.partition(":")
            if host != source or not port.isdigit() or not 0 < int(port) < 65536:
                return "ERROR bad address"
            names.setdefault(name, []).append((address, ttl))
            return f"OK {ttl}"
        case ["RENEW", name, address]:
            return next((f"OK {ttl}" for one, ttl in names.get(name, []) if one == address), "NONE")
        case ["UNREGISTER", name, address]:
            names[name] = [one for one in names.get(name, []) if one[0] != address]
            return "OK 0"
        case ["LOOKUP", name] if names.get(name):
            names[name].append(names[name].pop(0))
            return names[name][-1][0]
        case ["LOOKUP", name]:
            return "NONE"
        case ["LIST"]:
            return "\n".join(name for name in names if names[name]) or "NONE"
    return "ERROR"


server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind((sys.argv[1], int(sys.argv[2])))
while True:
    data, address = server.recvfrom(65536)
    words = data.decode("ascii", "replace").split()
    if words and words[0] in ("REGISTER", "RENEW", "UNREGISTER", "LOOKUP", "LIST"):
        server.sendto(answer(words, address[0]).encode(), address)
