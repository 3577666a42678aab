"""
Netcopy and the checksum server as real processes, against plain-socket programs as students write them.
"""

from __future__ import annotations

import hashlib
import socket
import struct
import sys
from pathlib import Path

from tests.integration.processes import PATIENCE, Running, Twistd, labnet, student

#: The course's client: the file, the checksum, C{OK}, and then the end of the stream.
CLIENT = """
import hashlib, socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
s.connect(("127.0.0.1", int(sys.argv[1])))
m = hashlib.md5()
with open(sys.argv[4], "rb") as f:
    while True:
        data = f.read(1024)
        if not data:
            break
        m.update(data)
        s.sendall(data)
c = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
c.connect(("127.0.0.1", int(sys.argv[2])))
digest = sys.argv[5] if len(sys.argv) > 5 else m.hexdigest()
c.sendall(("BE|" + sys.argv[3] + "|60|" + str(len(digest)) + "|" + digest).encode())
print(c.recv(2).decode())
c.close()
s.close()
"""

#: The course's server: the file, and then the checksum.
SERVER = """
import hashlib, socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
s.bind(("127.0.0.1", 0))
s.listen(1)
print("port", s.getsockname()[1])
conn, address = s.accept()
m = hashlib.md5()
while True:
    data = conn.recv(1024)
    if not data:
        break
    m.update(data)
conn.close()
c = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
c.connect(("127.0.0.1", int(sys.argv[1])))
c.sendall(("KI|" + sys.argv[2]).encode())
length, checksum = c.recv(1024).decode().split("|")
c.close()
print("CSUM OK" if int(length) and checksum == m.hexdigest() else "CSUM CORRUPTED")
"""

#: The course's checksum server: one recv is one message.
CHECKSUMS = """
import select, socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
s.bind(("127.0.0.1", 0))
s.listen(5)
print("port", s.getsockname()[1])
kept, inputs = {}, [s]
while True:
    for ready in select.select(inputs, [], [])[0]:
        if ready is s:
            inputs.append(s.accept()[0])
            continue
        data = ready.recv(1024)
        if not data:
            inputs.remove(ready)
            ready.close()
            continue
        parts = data.decode().split("|")
        if parts[0] == "BE":
            kept[parts[1]] = (time.time() + int(parts[2]), parts[3], parts[4])
            ready.sendall(b"OK")
        elif parts[1] in kept and kept[parts[1]][0] > time.time():
            ready.sendall((kept[parts[1]][1] + "|" + kept[parts[1]][2]).encode())
        else:
            ready.sendall(b"0|")
"""


def checksums(directory: Path) -> Twistd:
    return Twistd(directory, "labnet-checksum", "--listen", "tcp:0")


def copying(directory: Path, checksumPort: int | str, *options: str) -> Twistd:
    where = f"tcp:127.0.0.1:{checksumPort}"
    return Twistd(directory, "labnet-netcopy", "--listen", "tcp:0", "--checksums", where, *options)


def fileOf(directory: Path, size: int) -> Path:
    path = directory / "original"
    path.write_bytes(b"\0\xff|KI|" * (size // 6))
    return path


def test_aStudentsClientSendsAFile(tmp_path: Path) -> None:
    original, copies = fileOf(tmp_path, 3_000_000), tmp_path / "copies"
    copies.mkdir()
    with (
        checksums(tmp_path) as table,
        copying(tmp_path, table.port("checksum"), "--id", "f", "-d", "copies") as server,
    ):
        ports = (str(server.port("netcopy")), str(table.port("checksum")))
        assert student(CLIENT, *ports, "f", str(original)).stdout == "OK\n"
        server.waitFor("CSUM OK: 3000000 bytes, .* saved as f-1$")
        assert student(CLIENT, *ports, "f", str(original), "0" * 32).stdout == "OK\n"
        server.waitFor(r"CSUM CORRUPTED: .* saved as f-1\.corrupted; another checksum was announced")
    assert sorted(path.name for path in copies.iterdir()) == ["f-1", "f-1.corrupted"]
    assert copies.joinpath("f-1").read_bytes() == original.read_bytes()


def test_oursSendsToOurs(tmp_path: Path) -> None:
    original = fileOf(tmp_path, 30_000_000)
    digest = hashlib.md5(original.read_bytes(), usedforsecurity=False).hexdigest()
    with checksums(tmp_path) as table, copying(tmp_path, table.port("checksum")) as server:
        sent = labnet(
            "netcopy", str(original),
            "--connect", f"tcp:127.0.0.1:{server.port('netcopy')}",
            "--checksums", f"tcp:127.0.0.1:{table.port('checksum')}",
        )  # fmt: skip
        assert (sent.returncode, sent.stdout) == (0, f"sent 30000000 bytes, md5 {digest}\n"), sent.stderr
        server.waitFor(f"CSUM OK: 30000000 bytes, md5 {digest}$")


def test_oursSendsToStudents(tmp_path: Path) -> None:
    """Both servers are students', and so the checksum server is asked by a student and by us."""
    original = fileOf(tmp_path, 600_000)
    with Running([sys.executable, "-c", CHECKSUMS]) as table:
        port = table.waitFor(r"port (\d+)")[1]
        with Running([sys.executable, "-c", SERVER, port, "7"]) as server:
            sent = labnet(
                "netcopy", "--id", "7",
                "--connect", "tcp:127.0.0.1:" + server.waitFor(r"port (\d+)")[1],
                "--checksums", f"tcp:127.0.0.1:{port}",
                str(original),
            )  # fmt: skip
            assert sent.returncode == 0, sent.stderr
            server.waitFor("^CSUM OK$")
        with copying(tmp_path, port, "--id", "8") as ours:
            student(CLIENT, str(ours.port("netcopy")), port, "8", str(original))
            ours.waitFor("CSUM OK: 600000 bytes")


def test_aStudentsServerAsksOurTable(tmp_path: Path) -> None:
    original = fileOf(tmp_path, 600)
    with checksums(tmp_path) as table:
        port = str(table.port("checksum"))
        with Running([sys.executable, "-c", SERVER, port, "x"]) as server:
            copy = server.waitFor(r"port (\d+)")[1]
            assert student(CLIENT, copy, port, "x", str(original)).stdout == "OK\n"
            server.waitFor("^CSUM OK$")
        with Running([sys.executable, "-c", SERVER, port, "y"]) as server:
            copy = server.waitFor(r"port (\d+)")[1]
            student(CLIENT, copy, port, "x", str(original))
            server.waitFor("^CSUM CORRUPTED$")


def test_noChecksumAndNoChecksumServer(tmp_path: Path) -> None:
    with checksums(tmp_path) as table:
        gone = table.port("checksum")
        with copying(tmp_path, gone, "--patience", "0.3") as server:
            socket.create_connection(("127.0.0.1", server.port("netcopy")), timeout=PATIENCE).close()
            server.waitFor("CSUM CORRUPTED: 0 bytes, .*; no checksum is known")
            table.stop()
            socket.create_connection(("127.0.0.1", server.port("netcopy")), timeout=PATIENCE).close()
            server.waitFor("CSUM CORRUPTED: 0 bytes, .*; the checksum server: connection refused")


def test_aResetLeavesNothingBehind(tmp_path: Path) -> None:
    copies = tmp_path / "copies"
    copies.mkdir()
    with checksums(tmp_path) as table, copying(tmp_path, table.port("checksum"), "-d", "copies") as server:
        with socket.create_connection(("127.0.0.1", server.port("netcopy")), timeout=PATIENCE) as sender:
            sender.sendall(b"half")
            sender.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        server.waitFor(r"netcopy #\d+ .*; lost")
        assert "CSUM" not in server.text
    assert list(copies.iterdir()) == []


def test_aChecksumServerThatIsNotThereIsNamed(tmp_path: Path) -> None:
    original = fileOf(tmp_path, 6)
    with checksums(tmp_path) as table, socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        where = f"tcp:127.0.0.1:{table.port('checksum')}"
        nowhere = f"tcp:127.0.0.1:{taken.getsockname()[1]}"
        sent = labnet("netcopy", str(original), "--connect", where, "--checksums", nowhere)
    assert sent.returncode == 3
    assert "the checksum server: connection refused" in sent.stderr
