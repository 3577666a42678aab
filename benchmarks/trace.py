"""
What a trace costs: round trips of the calculator with and without one.

    python benchmarks/trace.py [--rounds N] [--seconds S]

64 clients, nine bytes each way. The first row has no layer and no place for one. The second is the server
as it is without options. In the third a trace keeps everything within its bounds, as the dashboard's does,
and nobody looks. The last two write, with what the bytes mean; the log takes 1,000 lines a second, and most
events are left out there.
"""

from __future__ import annotations

import argparse
import socket
import struct
import sys

from measuring import stopOnSignals
from roundtrips import compare

REQUEST = struct.pack("ii1s", 12, 34, b"+")

SERVER = """
import dataclasses, os, sys
from twisted.internet import reactor
from twisted.logger import globalLogBeginner, textFileLogObserver
from labnet.calculator.tap import Options, makeService
from labnet.net.service import listeners
from labnet.net.trace import Trace

how, where = sys.argv[1:]
globalLogBeginner.beginLoggingTo([textFileLogObserver(open(os.devnull, "w"))], redirectStandardIO=False)
more = {"file": ["--trace-file", os.devnull], "log": ["--trace"]}.get(how, [])
options = Options()
options.parseOptions(["--listen", where, "--datagram-rate", "0", "--datagram-total", "0", *more])
if how == "none":
    (one,) = options.listening
    bare = dataclasses.replace(one.where, layers=None) if where.startswith("udp") else one.where.endpoint
    options.listening = (dataclasses.replace(one, where=bare),)
if how == "kept":
    options.layers.trace = Trace()
service = makeService(options)
service.startService()
(listener,) = listeners(service)
print("listens on", listener.address, flush=True)
reactor.run()
"""

ROWS = {
    "no layers": "none",
    "trace off": "off",
    "trace kept": "kept",
    "`--trace-file`": "file",
    "`--trace`": "log",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    options = parser.parse_args()
    stopOnSignals()
    for kind, where in ((socket.SOCK_STREAM, "tcp:0"), (socket.SOCK_DGRAM, "udp:0")):
        servers = {name: [sys.executable, "-c", SERVER, how, where] for name, how in ROWS.items()}
        print(compare(kind, servers, REQUEST, options.rounds, options.seconds), end="\n\n")


if __name__ == "__main__":
    main()
