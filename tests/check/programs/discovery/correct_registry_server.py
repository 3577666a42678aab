# correct: server lines udp
"""The names in a dictionary, with the time until which each address holds."""

import re
import socket
import sys
import time

FORMS = {
    "REGISTER": r"REGISTER ([\w.-]+) ([\w.-]+):(\d+) (\d+)",
    "RENEW": r"RENEW ([\w.-]+) (\S+)",
    "UNREGISTER": r"UNREGISTER ([\w.-]+) (\S+)",
    "LOOKUP": r"LOOKUP ([\w.-]+)",
    "LIST": r"LIST *",
}
names = {}  # name: {address: (ttl, until)}


def answer(line, source):
    word = line.split(" ")[0]
    if word not in FORMS:
        return None
    match = re.fullmatch(FORMS[word], line, re.ASCII)
    if match is None:
        return "ERROR that is no " + word
    now = time.monotonic()
    for held in names.values():
        for address in [one for one, (_, until) in held.items() if until <= now]:
            del held[address]
    if word == "LIST":
        return "\n".join(name for name, held in names.items() if held) or "NONE"
    held = names.setdefault(match[1], {})
    if word == "LOOKUP":
        if not held:
            return "NONE"
        address = next(iter(held))
        held[address] = held.pop(address)  # The next one is another's turn.
        return address
    if word == "REGISTER":
        _, host, port, ttl = match.groups()
        if host != source or not 0 < int(port) < 65536 or not int(ttl):
            return "ERROR not so"
        held[f"{host}:{port}"] = (int(ttl), now + int(ttl))
        return f"OK {ttl}"
    address = match[2]
    if word == "UNREGISTER":
        held.pop(address, None)
        return "OK 0"
    if address not in held:
        return "NONE"
    ttl, _ = held[address]
    held[address] = (ttl, now + ttl)
    return f"OK {ttl}"


server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind((sys.argv[1], int(sys.argv[2])))
while True:
    try:
        data, address = server.recvfrom(65536)
        reply = answer(data.decode("ascii").rstrip("\r\n"), address[0])
        if reply is not None:
            server.sendto(reply.encode(), address)
    except (OSError, UnicodeError):
        continue
