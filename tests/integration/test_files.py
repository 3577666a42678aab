"""
The folder against the course's programs, both ways, against our client, curl and a browser.
"""

from __future__ import annotations

import base64
import hashlib
import os
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.browser import Browser
from tests.integration.certificates import certificateIn
from tests.integration.fileserver import LISTEN, client, leftovers, passwordFile, port
from tests.integration.processes import (
    BIN,
    ENVIRONMENT,
    PATIENCE,
    Running,
    Twistd,
    labnet,
    need,
    student,
)

#: As the course writes it: two bytes, then whatever one read gives for the size, then the rest.
CLIENT = textwrap.dedent("""
    import hashlib, socket, sys
    port, name, times = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    for _ in range(times):
        s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        s.connect(("127.0.0.1", port))
        s.sendall(name.encode())
        status = s.recv(2)
        if status == b"OK":
            size = int(s.recv(1024).decode())
            data = b""
            while len(data) < size:
                piece = s.recv(1024)
                if not piece:
                    break
                data += piece
            print("OK", size, hashlib.sha256(data).hexdigest())
        else:
            print((status + s.recv(1024)).decode())
        s.close()
""")

#: As the course writes it: three sends with nothing in between, then the end.
SERVER = textwrap.dedent("""
    import os, socket, sys
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    s.bind(("127.0.0.1", 0))
    s.listen(5)
    print("listens on %d" % s.getsockname()[1], flush=True)
    while True:
        c, address = s.accept()
        name = c.recv(1024).decode()
        if os.path.exists(name):
            c.sendall(b"OK")
            c.sendall(str(os.path.getsize(name)).encode())
            with open(name, "rb") as f:
                while True:
                    data = f.read(1024)
                    if not data:
                        break
                    c.sendall(data)
        else:
            c.sendall(b"NOT_FOUND")
        c.close()
""")

FILES = {
    "small.txt": b"hello\n",
    "digits": b"1234567890" * 7,
    "zeros": b"0" * 99,
    "one": b"7",
    "empty": b"",
    "nine": b"9" * 9,
    "ten": b"9" * 10,
    "random.bin": os.urandom(100_000),
}


def described(data: bytes) -> str:
    return f"OK {len(data)} {hashlib.sha256(data).hexdigest()}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    for name, data in FILES.items():
        (folder / name).write_bytes(data)
    (folder / "link").symlink_to("/etc/passwd")
    os.mkfifo(folder / "fifo")
    return folder


@pytest.fixture(scope="module")
def passwords(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return passwordFile(tmp_path_factory.mktemp("passwords"))


@pytest.fixture(scope="module")
def server(folder: Path, passwords: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twistd]:
    # The course's client may be kept from the processor for longer than the default pause: on a machine
    # that is busy with tests it gets ten times as much.
    arguments = ["--folder", str(folder), "--password-file", str(passwords), "--pause", "0.2", *LISTEN]
    with Twistd(tmp_path_factory.mktemp("server"), "labnet-files", *arguments) as server:
        yield server


# The course's programs


@pytest.mark.parametrize("name", ["small.txt", "digits", "random.bin", "empty", "one"])
def test_theCoursesClient(server: Twistd, name: str) -> None:
    result = student(CLIENT, str(port(server, "course")), name, "1")
    assert (result.stdout.strip(), result.stderr) == (described(FILES[name]), "")


def test_theCoursesClient200TimesOutOf200(server: Twistd) -> None:
    """Ten of them at a time, twenty downloads each; it is a race that the course's own server loses."""
    command = [sys.executable, "-c", CLIENT, str(port(server, "course")), "small.txt", "20"]
    clients = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(10)
    ]
    results = [client.communicate(timeout=PATIENCE * 2) for client in clients]
    lines = [line for out, _ in results for line in out.splitlines()]
    assert [error for _, error in results] == [""] * 10
    assert lines == [described(FILES["small.txt"])] * 200


@pytest.mark.parametrize(
    "name", ["nothing", "link", "fifo", "../x", "/etc/passwd", "..", ".", "a/../../x", "C:\\x", "x" * 1000]
)
def test_theCoursesClientIsToldWhatIsNotThere(server: Twistd, name: str) -> None:
    result = student(CLIENT, str(port(server, "course")), name, "1")
    assert result.stdout == "NOT_FOUND\n"


def test_ourClientAgainstTheCoursesServer200TimesOutOf200(folder: Path) -> None:
    """In one process, so that 200 times do not take the time of 200 starts; every file of every kind."""
    program = textwrap.dedent("""
        import sys
        from pathlib import Path
        from twisted.internet.task import react
        from twisted.internet.defer import Deferred, gatherResults
        from labnet.files.client import fetchCourse
        from labnet.files.saving import Saving
        from labnet.net.endpoints import parseStreamClient

        async def fetch(reactor, name, number):
            saving = Saving("%s.%d" % (name, number), resume=False)
            endpoint = parseStreamClient(reactor, "tcp:127.0.0.1:" + sys.argv[1], 20)
            assert await fetchCourse(reactor, endpoint, name, saving) == saving.size
            saving.finish()

        async def main(reactor):
            names = sys.argv[2:]
            for number in range(200):
                await fetch(reactor, names[number % len(names)], number)

        react(lambda reactor: Deferred.fromCoroutine(main(reactor)))
    """)
    with Running([sys.executable, "-c", SERVER], cwd=folder) as server:
        listening = server.waitFor(r"listens on (\d+)")[1]
        saved = folder.parent / "fetched"
        saved.mkdir()
        result = subprocess.run(
            [sys.executable, "-c", program, listening, *FILES],
            cwd=saved, env=ENVIRONMENT, capture_output=True, text=True, timeout=2 * PATIENCE, check=False,
        )  # fmt: skip
    assert (result.returncode, result.stderr) == (0, "")
    right = [path for path in saved.iterdir() if path.read_bytes() == FILES[path.name.rpartition(".")[0]]]
    assert len(right) == 200


def test_ourCommandAgainstTheCoursesServer(folder: Path, tmp_path: Path) -> None:
    with Running([sys.executable, "-c", SERVER], cwd=folder) as server:
        where = f"tcp:127.0.0.1:{server.waitFor(r'listens on ([0-9]+)')[1]}"
        for name, data in FILES.items():
            result = labnet("files", "get", name, "-p", "course", "-c", where, "-o", str(tmp_path / name))
            assert (result.returncode, result.stderr) == (0, "")
            assert (tmp_path / name).read_bytes() == data
        result = labnet(
            "files", "get", "nothing", "-p", "course", "-c", where, "-o", str(tmp_path / "nothing")
        )
        assert (result.returncode, result.stderr) == (
            1,
            "labnet files: the server refuses: there is no such file\n",
        )
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(FILES)


# Our own client


def test_getPutAndList(server: Twistd, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").write_bytes(FILES["random.bin"])
    (tmp_path / "password").write_text("secret\n")
    put = [
        "put",
        str(tmp_path / "mine"),
        "--as",
        "\u00fcploaded",
        "--user",
        "joe",
        "--password-from",
        str(tmp_path / "password"),
    ]
    result = client(server, *put)
    assert (result.stderr, result.returncode) == ("", 0)
    assert (folder / "\u00fcploaded").read_bytes() == FILES["random.bin"]
    assert "\u00fcploaded" in client(server, "list").stdout
    again = client(server, *put)
    assert (again.returncode, again.stderr) == (
        1,
        "labnet files: the server refuses: there is a file of this name\n",
    )
    assert client(server, *put, "--replace").returncode == 0
    # What was cut off goes on where it ended.
    target = tmp_path / "got"
    Path(f"{target}.part").write_bytes(FILES["random.bin"][:60_000])
    assert client(server, "get", "\u00fcploaded", "-o", str(target)).returncode == 0
    assert target.read_bytes() == FILES["random.bin"]
    assert "40" in server.text
    (folder / "\u00fcploaded").unlink()


def test_howTheClientEnds(server: Twistd, tmp_path: Path) -> None:
    target = str(tmp_path / "x")
    assert client(server, "get", "nothing", "-o", target).returncode == 1
    assert client(server, "get", "../x").returncode == 2
    assert client(server, "put", str(tmp_path / "nothing")).returncode == 2
    assert client(server, "put", sys.executable, "--as", "x").returncode == 1
    (tmp_path / "x").write_text("mine")
    assert client(server, "get", "one", "-o", target).returncode == 2
    assert (tmp_path / "x").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x"]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        assert labnet("files", "list", "-c", f"tcp:127.0.0.1:{free.getsockname()[1]}").returncode == 3
    course, http = (f"tcp:127.0.0.1:{port(server, kind)}" for kind in ("course", "http"))
    assert labnet("files", "get", "one", "-o", f"{target}2", "-c", course).returncode == 9
    assert labnet("files", "get", "one", "-o", f"{target}2", "-c", http, "-t", "0.3").returncode == 4
    assert labnet("files", "frobnicate").returncode == 2


def test_aProgressBarAtATerminal(server: Twistd, tmp_path: Path) -> None:
    """The rate and the time that is left are drawn where a person looks."""
    import pty

    ours, theirs = pty.openpty()
    command = [
        "files",
        "get",
        "random.bin",
        "-c",
        f"tcp:127.0.0.1:{port(server, 'framed')}",
        "-o",
        str(tmp_path / "x"),
    ]
    with subprocess.Popen(
        [sys.executable, "-m", "labnet", *command],
        stderr=theirs,
        env=ENVIRONMENT | {"TERM": "xterm", "COLUMNS": "120"},
    ) as process:
        process.wait(PATIENCE)
        os.close(theirs)
        drawn = os.read(ours, 100_000).decode()
    os.close(ours)
    assert process.returncode == 0
    assert "random.bin" in drawn
    assert "100.0/100.0 kB" in drawn
    assert "/s" in drawn


def test_theClientAsAPlugin(server: Twistd, tmp_path: Path) -> None:
    where = f"tcp:127.0.0.1:{port(server, 'framed')}"
    command = [
        str(BIN / "twistd"),
        "-n",
        "--pidfile=",
        "labnet-files-client",
        "--connect",
        where,
        "get",
        "random.bin",
    ]
    with Running(command, cwd=tmp_path) as running:
        assert running.wait() == 0
    assert (tmp_path / "random.bin").read_bytes() == FILES["random.bin"]


# The web


def curl(server: Twistd, path: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    url = f"http://127.0.0.1:{port(server, 'http')}{path}"
    command = [need("curl"), "-s", "--path-as-is", "--max-time", "20", *arguments, url]
    return subprocess.run(command, capture_output=True, env=ENVIRONMENT, check=False)


def test_curlGetsFilesAndRanges(server: Twistd) -> None:
    data = FILES["random.bin"]
    assert curl(server, "/random.bin").stdout == data
    assert curl(server, "/random.bin", "-r", "5-9").stdout == data[5:10]
    assert curl(server, "/random.bin", "-r", "-10").stdout == data[-10:]
    assert curl(server, "/random.bin", "-C", "99000").stdout == data[99_000:]
    assert curl(server, "/empty").stdout == b""
    assert b"random.bin" in curl(server, "/").stdout


@pytest.mark.parametrize(
    "path",
    [
        "/../x", "/..%2f..%2fetc%2fpasswd", "/%2e%2e/", "/%252e%252e%252f", "/%c0%ae%c0%ae/",
        "//etc/passwd", "/link", "/fifo",
        "/a%00b", "/..%5cx", "/C:%5cx", "/~root", "/-/", "/CON", "/.upload-0.part",
    ],
)  # fmt: skip
def test_curlIsToldWhatIsNotThere(server: Twistd, path: str) -> None:
    result = curl(server, path, "-i")
    assert result.stdout.startswith(b"HTTP/1.1 404 ")
    assert b"root:" not in result.stdout


def test_curlUploads(server: Twistd, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "up.bin").write_bytes(os.urandom(3_000_000))
    status = ("-o", "/dev/null", "-w", "%{http_code}", "-T", str(tmp_path / "up.bin"))
    assert curl(server, "/up.bin", *status).stdout == b"401"
    assert curl(server, "/up.bin", *status, "-u", "joe:wrong").stdout == b"401"
    assert (
        curl(server, "/up.bin", *status, "-u", "joe:secret", "-H", "Origin: http://evil.example").stdout
        == b"403"
    )
    assert not (folder / "up.bin").exists()
    assert curl(server, "/up.bin", *status, "-u", "joe:secret").stdout == b"201"
    assert (folder / "up.bin").read_bytes() == (tmp_path / "up.bin").read_bytes()
    assert curl(server, "/up.bin", *status, "-u", "joe:secret").stdout == b"409"
    assert (
        curl(
            server, "/up.bin?replace=yes", *status, "-u", "joe:secret", "-H", "Transfer-Encoding: chunked"
        ).stdout
        == b"201"
    )
    (folder / "up.bin").unlink()


def test_whoSendsTooMuchIsTold(tmp_path: Path, passwords: Path) -> None:
    """Even one that does not ask before it sends, and reads only when it has sent everything."""
    folder = tmp_path / "folder"
    folder.mkdir()
    arguments = [
        "--folder",
        str(folder),
        "--password-file",
        str(passwords),
        "--largest",
        "1000000",
        *LISTEN,
    ]
    with Twistd(tmp_path, "labnet-files", *arguments) as server:
        password = base64.b64encode(b"joe:secret").decode()
        with socket.create_connection(("127.0.0.1", port(server, "http"))) as peer:
            peer.settimeout(PATIENCE)
            head = f"PUT /big HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {password}\r\n"
            peer.sendall(f"{head}Content-Length: 20000000\r\n\r\n".encode())
            peer.sendall(b"x" * 20_000_000)
            assert peer.recv(100).startswith(b"HTTP/1.1 413 ")
        assert leftovers(folder) == []


def test_aBrowserUploadsWithTheForm(server: Twistd, folder: Path, tmp_path: Path) -> None:
    """
    Chromium sends what our checks ask for (C{Origin}, C{Sec-Fetch-Site}, the token, the fields in their
    order), shows the list with strange names as they are, and runs nothing that was uploaded.
    """
    (folder / ("long" * 50)).write_bytes(b"")
    (tmp_path / "<b>\u00e9.html").write_text("<script>document.title = 'ran'</script><p>mine</p>")
    base = f"127.0.0.1:{port(server, 'http')}"
    with Browser(tmp_path / "browser") as browser:
        tab = browser.open(f"http://joe:secret@{base}/-/upload")
        root = tab.call("DOM.getDocument")["root"]["nodeId"]
        field = tab.call("DOM.querySelector", nodeId=root, selector="input[type=file]")["nodeId"]
        tab.call("DOM.setFileInputFiles", nodeId=field, files=[str(tmp_path / "<b>\u00e9.html")])
        tab.evaluate("document.querySelector('button').click()")
        tab.waitFor("document.querySelector('h1').innerText === 'Stored'")
        assert (folder / "<b>\u00e9.html").exists()
        names = "[...document.querySelectorAll('td a')].map((link) => link.innerText)"
        listing = browser.open(f"http://{base}/")
        assert "<b>\u00e9.html" in listing.evaluate(names)
        assert listing.evaluate("document.querySelector('td b')") is None
        for page, name in ((tab, "stored"), (listing, "list")):
            for width, scheme in ((1000, "light"), (360, "dark")):
                page.screenshot(tmp_path / f"{name} {scheme}.png", width, 640, scheme)
                assert page.evaluate("document.documentElement.scrollWidth") <= width
        # A page of somebody else's, here another host, can not write, even with the person's password.
        other = browser.open(f"http://localhost:{port(server, 'http')}/")
        sent = f"fetch('http://{base}/x', {{method: 'PUT', body: 'x', mode: 'no-cors'}})"
        answer = f"{sent}.then(() => 'sent', () => 'not sent')"
        problems, browser.problems = browser.problems, []
        assert problems == []
        assert other.evaluate(answer) == "not sent"
    assert not (folder / "x").exists()
    (folder / "<b>\u00e9.html").unlink()
    (folder / ("long" * 50)).unlink()


def test_overTLS(tmp_path: Path) -> None:
    """There the kernel can not do it, and the same comes."""
    certificate = certificateIn(tmp_path)
    folder = tmp_path / "folder"
    folder.mkdir()
    data = os.urandom(3_000_000)
    (folder / "big").write_bytes(data)
    listen = "http=" + certificate.listen()
    with Twistd(tmp_path, "labnet-files", "--folder", str(folder), "--listen", listen) as server:
        url = f"https://localhost:{port(server, 'http')}/big"
        command = [
            need("curl"),
            "-s",
            "--cacert",
            str(certificate.file),
            "--resolve",
            f"localhost:{port(server, 'http')}:127.0.0.1",
            url,
        ]
        assert subprocess.run(command, capture_output=True, env=ENVIRONMENT, check=False).stdout == data
