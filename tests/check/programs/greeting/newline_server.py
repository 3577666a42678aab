# mistake: extra; server tcp
"""A newline at the end."""

import socketserver
import sys


class Greeter(socketserver.StreamRequestHandler):
    def handle(self):
        try:
            self.wfile.write(b"Hello, client! Connection established.\n")
            self.connection.shutdown(1)
            self.connection.settimeout(2)
            while self.connection.recv(65536):
                pass
        except OSError:
            pass


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
    request_queue_size = 100


Server((sys.argv[1], int(sys.argv[2])), Greeter).serve_forever()
