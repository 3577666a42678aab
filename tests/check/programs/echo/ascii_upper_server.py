# mistake: wrong-result; server upper tcp
"""bytes.upper() knows a to z only."""

import socketserver
import sys


class Upper(socketserver.BaseRequestHandler):
    def handle(self):
        try:
            while data := self.request.recv(4096):
                self.request.sendall(data.upper())
        except OSError:
            pass


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
    request_queue_size = 100


Server((sys.argv[1], int(sys.argv[2])), Upper).serve_forever()
