# mistake: error-as-result; client course tcp; arguments: {host} {port} {folder}
"""Whatever comes is the file, without OK and the digits of the size."""

import os
import socket
import sys

host, port, folder = sys.argv[1:]
try:
    with socket.create_connection((host, int(port)), 10) as server:
        server.sendall(b"notes.txt")
        data = server.makefile("rb").read()
except OSError as error:
    sys.exit(f"no file: {error}")
digits = 1
while len(data) > 2 + digits and len(str(len(data) - 2 - digits)) > digits:
    digits += 1
with open(os.path.join(folder, "notes.txt"), "wb") as file:
    file.write(data[2 + digits :])
