"""
The calculator's programs as the course writes them: plain sockets, native C{struct}, one C{recv} for each
message, no framing, no time limits. One client and one server for each profile, over TCP and over UDP.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

__all__ = ["PROGRAMS", "Program"]


@dataclass(frozen=True)
class Program:
    """
    How one group wrote it.

    @ivar ask: the request, of C{a}, C{op} and C{b}.
    @ivar size: the C{recv} for a reply.
    @ivar read: the result in C{data}.
    @ivar requestSize: the C{recv} for a request.
    @ivar take: sets C{a}, C{op} and C{b} from C{data}.
    @ivar answer: the reply, of C{result}.
    @ivar number: what operands are.
    """

    ask: str
    size: int
    read: str
    requestSize: int
    take: str
    answer: str
    number: str = "int"

    def client(self, datagrams: bool) -> str:
        """The program; its arguments are the port and the expressions."""
        exchange = (
            f's.sendto({self.ask}, ("127.0.0.1", port)); data = s.recvfrom({self.size})[0]'
            if datagrams
            else f"s.sendall({self.ask}); data = s.recv({self.size})"
        )
        return _program(f"""
            import json, socket, struct, sys
            port = int(sys.argv[1])
            s = socket.socket(socket.AF_INET, socket.{"SOCK_DGRAM" if datagrams else "SOCK_STREAM"})
            {"" if datagrams else 's.connect(("127.0.0.1", port))'}
            for expression in sys.argv[2:]:
                a, op, b = expression.split()
                a, op, b = {self.number}(a), op.encode(), {self.number}(b)
                {exchange}
                print({self.read})
            s.close()
            """)

    def server(self, datagrams: bool) -> str:
        """The program; it says where it listens, and serves one client after the other."""
        kind = "SOCK_DGRAM" if datagrams else "SOCK_STREAM"
        compute = '{b"+": a + b, b"-": a - b, b"*": a * b}[op]'
        start = f"""
            import json, socket, struct, sys
            s = socket.socket(socket.AF_INET, socket.{kind})
            s.bind(("127.0.0.1", 0))
            {"" if datagrams else "s.listen(1)"}
            print("listens on %d" % s.getsockname()[1], flush=True)
            """
        if datagrams:
            return _program(start) + _program(f"""
                while True:
                    data, address = s.recvfrom({self.requestSize})
                    {self.take}
                    result = {compute}
                    s.sendto({self.answer}, address)
                """)
        return _program(start) + _program(f"""
            while True:
                c, address = s.accept()
                while True:
                    data = c.recv({self.requestSize})
                    if not data:
                        break
                    {self.take}
                    result = {compute}
                    c.sendall({self.answer})
                c.close()
            """)


def _program(text: str) -> str:
    return textwrap.dedent(text)


_ASK_IIC = 'struct.pack("ii1s", a, b, op)'
_TAKE_IIC = 'a, b, op = struct.unpack("ii1s", data)'
_ASK_ICI = 'struct.pack("i1si", a, op, b)'
_TAKE_ICI = 'a, op, b = struct.unpack("i1si", data)'
_RESULT = 'struct.unpack("ii1s", data)[0]'
_REPLY = 'struct.pack("ii1s", result, 0, b"R")'
_TEXT, _INT = "data.decode()", 'struct.unpack("i", data)[0]'
_TO_TEXT, _TO_INT = "str(result).encode()", 'struct.pack("i", result)'

PROGRAMS: dict[str, Program] = {
    "struct9": Program(_ASK_IIC, 9, _RESULT, 9, _TAKE_IIC, _REPLY),
    "int4": Program(_ASK_IIC, 4, _INT, 9, _TAKE_IIC, _TO_INT),
    "text": Program(_ASK_IIC, 10, _TEXT, 9, _TAKE_IIC, _TO_TEXT),
    "ici": Program(_ASK_ICI, 4, _INT, 12, _TAKE_ICI, _TO_INT),
    "ici-text": Program(_ASK_ICI, 10, _TEXT, 12, _TAKE_ICI, _TO_TEXT),
    "fcf": Program(
        'struct.pack("f1sf", a, op, b)',
        10,
        _TEXT,
        12,
        'a, op, b = struct.unpack("f1sf", data)',
        _TO_TEXT,
        "float",
    ),
    "ffc": Program(
        'struct.pack("ff1s", a, b, op)',
        9,
        'struct.unpack("ff1s", data)[0]',
        9,
        'a, b, op = struct.unpack("ff1s", data)',
        'struct.pack("ff1s", result, 0, b"R")',
        "float",
    ),
    "net": Program(
        'struct.pack("!cii", op, a, b)',
        4,
        'struct.unpack("f", data)[0]',
        9,
        'op, a, b = struct.unpack("!cii", data)',
        'struct.pack("f", result)',
    ),
    "framed": Program(
        'struct.pack("iii1s", 9, a, b, op)',
        9,
        _RESULT,
        13,
        'n, a, b, op = struct.unpack("iii1s", data)',
        _REPLY,
    ),
    "json": Program(
        'json.dumps({"oper1": a, "oper2": b, "op": op.decode()}).encode()',
        1024,
        'json.loads(data)["result"]',
        1024,
        'd = json.loads(data); a, b, op = d["oper1"], d["oper2"], d["op"].encode()',
        'json.dumps({"result": result}).encode()',
    ),
}
