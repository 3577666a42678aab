# mistake: trusts-claim; server lines udp
"""Everybody may register everybody."""

import socket
import sys
import time

names = {}


def answer(words):
    now = time.monotonic()
    for held in names.values():
        held[:] = [one for one in held if one[2] > now]
    match words:
        case ["REGISTER", name, address, ttl]:
            port = int(address.split(":")[1])
            if not 0 < port < 65536 or int(ttl) < 1:
                raise ValueError("bad number")
            names.setdefault(name, []).append((address, int(ttl), now + int(ttl)))
            return f"OK {ttl}"
        case ["RENEW", name, address]:
            for number, (one, ttl, _) in enumerate(names.get(name, [])):
                if one == address:
                    names[name][number] = (one, ttl, now + ttl)
                    return f"OK {ttl}"
            return "NONE"
        case ["UNREGISTER", name, address]:
            names[name] = [one for one in names.get(name, []) if one[0] != address]
            return "OK 0"
        case ["LOOKUP", name]:
            held = names.get(name)
            if not held:
                return "NONE"
            held.append(held.pop(0))
            return held[-1][0]
        case ["LIST"]:
            return "\n".join(name for name in names if names[name]) or "NONE"
    raise ValueError("no such line")


server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind((sys.argv[1], int(sys.argv[2])))
while True:
    data, address = server.recvfrom(65536)
    words = data.decode("ascii", "replace").split()
    if not words or words[0] not in ("REGISTER", "RENEW", "UNREGISTER", "LOOKUP", "LIST"):
        continue
    try:
        reply = answer(words)
    except (ValueError, IndexError) as error:
        reply = f"ERROR {error}"
    server.sendto(reply.encode(), address)
