# correct: client daytime tcp; arguments: {host} {port} daytime
# correct: client time tcp; arguments: {host} {port} time
"""Prints what the server says."""

import socket
import struct
import sys
import time

host, port, service = sys.argv[1:]
try:
    with socket.create_connection((host, int(port)), 10) as server:
        data = server.makefile("rb").read()
    if service == "time":
        (seconds,) = struct.unpack("!I", data)
        print(time.asctime(time.gmtime(seconds - 2_208_988_800)))
    else:
        print(data.decode(errors="replace").strip())
except (OSError, struct.error) as error:
    sys.exit(f"no answer: {error}")
