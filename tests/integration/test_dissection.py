"""
What our clients and servers really say to each other is understood to the last byte.
"""

from __future__ import annotations

import re
import signal
from pathlib import Path

from tests.integration.processes import Twistd, labnet

LAB = """
trace-file = "trace.txt"

[discovery]
listen = "udp:0"

[calculator]
listen = ["tcp:0", "udp:0"]

[relay]
listen = "tcp:0"

[proxy]
listen = "tcp:0"

[echo]
listen = ["framed=tcp:0", "udp:0"]

[web]
listen = "tcp:0"

[chat]
listen = "framed=tcp:0"

[files]
folder = "files"
listen = ["tcp:0", "framed=tcp:0"]

[checksum]
listen = "tcp:0"

[netcopy]
listen = "tcp:0"

[guess]
listen = "tcp:0"
"""


def test_everythingIsUnderstood(tmp_path: Path) -> None:
    """
    Each of our clients does what it is for; of each server some message came and some was answered, and
    nothing was not understood or cut off.
    """
    tmp_path.joinpath("files").mkdir()
    tmp_path.joinpath("files", "1.txt").write_text("12 bytes\n\n\n\n")
    tmp_path.joinpath("lab.toml").write_text(LAB)
    with Twistd(tmp_path, "labnet", "--config", "lab.toml") as lab:
        lab.waitFor("labnet is ready$")
        lab.waitFor("calculator is registered as")

        def at(service: str, transport: str = "tcp") -> str:
            return f"{transport}:127.0.0.1:{lab.port(service, transport)}"

        saved = str(tmp_path / "saved")
        web = f"http://127.0.0.1:{lab.port('web')}/"
        for arguments, said in [
            (["calculator", "--discover", at("discovery", "udp"), "7 / 2"], "3\n"),
            (["calculator", "--connect", at("relay"), "-7 / 2"], "-3\n"),
            (["get", "--proxy", f"http://127.0.0.1:{lab.port('proxy')}", web], "<h1>Hello World</h1>"),
            (["echo", "--framed", "--connect", at("echo (framed)"), "hello"], "hello\n"),
            (["echo", "--connect", at("echo (prefix)", "udp"), "hello"], "Echo: hello\n"),
            (["files", "get", "1.txt", "--connect", at("files (framed)"), "--output", saved], ""),
            (
                ["files", "get", "1.txt", "--connect", at("files (course)"), "--protocol", "course",
                 "--output", saved, "--replace"],
                "",
            ),
            (
                ["netcopy", "--connect", at("netcopy"), "--checksums", at("checksum"), saved],
                "sent 12 bytes, md5 ",
            ),
            (["guess", "--connect", at("guess")], "yes, I won"),
        ]:  # fmt: skip
            ended = labnet(*arguments)
            assert (ended.returncode, said in ended.stdout) == (0, True), (arguments, ended)
        left = labnet("chat", "--connect", at("chat"), "--name", "Ann", stdin="hello\n/quit\n")
        assert left.returncode == 0, left
        lab.waitFor("CSUM OK")
        assert lab.stop() == -signal.SIGTERM
    trace = tmp_path.joinpath("trace.txt").read_text("utf-8")
    assert re.findall("^.*(?:not understood|cut off).*$", trace, re.MULTILINE) == []
    means = set(re.findall(r"^(\w+) #.* = ([a-z ]+?)(?: \d+)?: ", trace, re.MULTILINE))
    for service, names in {
        "discovery": "request reply",
        "calculator": "request reply",
        "relay": "request reply",
        "proxy": "request response",
        "web": "request response",
        "echo": "message answer",
        "chat": "message",
        "files": "request reply name file",
        "checksum": "request answer",
        "netcopy": "file",
        "guess": "question answer",
    }.items():
        assert {name for which, name in means if which == service} >= set(names.split()), service
