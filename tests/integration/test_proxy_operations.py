"""
What the proxy tells whoever runs it, asked as they ask: with curl, with Chromium, with logrotate's signal.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from tests.integration.browser import Browser
from tests.integration.processes import ENVIRONMENT, PATIENCE, Running, Twistd, eventually, need


def curl(*arguments: str) -> str:
    """What curl writes."""
    run = subprocess.run(
        [need("curl"), "-s", "--max-time", str(PATIENCE), *arguments],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    return run.stdout


def status(url: str, *arguments: str) -> str:
    """The status of the answer, as curl has it."""
    return curl("-o", os.devnull, "-w", "%{http_code}", *arguments, url)


def figures(port: int) -> dict[str, float]:
    """The figures by name and labels, in Prometheus's own spelling."""
    page = curl(f"http://127.0.0.1:{port}/metrics")
    return {
        sample.name + "".join(f" {label}={value}" for label, value in sample.labels.items()): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def proxy(directory: Path, *arguments: str) -> Twistd:
    return Twistd(directory, "labnet-proxy", "--listen", "tcp:0", *arguments)


def test_anExchangeIsInTheLogAndInTheFigures(tmp_path: Path, origin: str) -> None:
    with proxy(
        tmp_path, "--access-log", "access.log", "--access-format", "json", "--admin", "tcp:0"
    ) as served:
        through = f"http://127.0.0.1:{served.port('proxy')}"
        admin = served.port("admin")
        assert status(f"{origin}/bytes/100?secret", "-x", through, "-e", "http://u:p@r.example/") == "200"
        assert curl(f"http://127.0.0.1:{admin}/health") == "ok\n"
        assert status(f"http://127.0.0.1:{admin}/metrics", "-H", "Host: evil.example") == "421"
        seen = figures(admin)
        log = tmp_path / "access.log"
        eventually(lambda: log.read_text(), "a line in the access log")
    (line,) = log.read_text().splitlines()
    row = json.loads(line)
    assert (row["url"], row["referer"], row["status"]) == (
        f"{origin}/bytes/100?secret",
        "http://r.example/",
        200,
    )
    assert seen["labnet_proxy_requests_total method=GET status=200"] == 1
    assert seen["labnet_proxy_connections_total"] == 1
    assert seen["labnet_proxy_client_bytes_total direction=out"] == row["bytesOut"]
    assert seen["process_open_fds"] > 3
    assert not re.search(r'"GET http', served.text), "the line is in the access log, and there only"


def test_aProxyThatStopsSaysSo(tmp_path: Path, origin: str) -> None:
    """Until the last request is over, for whoever sends clients elsewhere."""
    with proxy(tmp_path, "--admin", "tcp:0", "--grace", "3", "--access-log", "access.log") as served:
        through = f"http://127.0.0.1:{served.port('proxy')}"
        health = f"http://127.0.0.1:{served.port('admin')}/health"
        with Running([need("curl"), "-s", "-x", through, f"{origin}/silent"]):
            eventually(
                lambda: figures(served.port("admin"))["labnet_proxy_origin_connections_open"], "a request"
            )
            served.process.send_signal(signal.SIGTERM)
            eventually(lambda: status(health) == "503", "the answer that it stops")
            assert curl(health) == "stopping\n"
            served.wait()
    assert "/silent HTTP/1.1" in (tmp_path / "access.log").read_text()


def test_standardOutputIsAnAccessLog(tmp_path: Path, origin: str) -> None:
    with proxy(tmp_path, "--access-log", "-", "--access-format", "seen %m %>s %{decision}x") as served:
        through = f"http://127.0.0.1:{served.port('proxy')}"
        assert status(f"{origin}/bytes/100", "-x", through) == "200"
        served.waitFor("^seen GET 200 passed$")


def test_logrotate(tmp_path: Path, origin: str) -> None:
    """The file is renamed, SIGHUP is sent; what comes then is in the new one, and nothing is lost."""
    log, old = tmp_path / "access.log", tmp_path / "access.log.1"
    with proxy(tmp_path, "--access-log", "access.log", "--access-format", "%U") as served:
        through = f"http://127.0.0.1:{served.port('proxy')}"
        status(f"{origin}/bytes/1", "-x", through)
        eventually(lambda: log.read_text(), "the first line")
        log.rename(old)
        served.process.send_signal(signal.SIGHUP)
        eventually(log.exists, "another file")
        status(f"{origin}/bytes/2", "-x", through)
    assert old.read_text() == f"{origin}/bytes/1\n"
    assert log.read_text() == f"{origin}/bytes/2\n"


def test_aFullDisk(tmp_path: Path, origin: str) -> None:
    """The proxy serves on, and says at the end what was lost."""
    with proxy(tmp_path, "--access-log", "/dev/full") as served:
        through = f"http://127.0.0.1:{served.port('proxy')}"
        assert [status(f"{origin}/bytes/100", "-x", through) for _ in range(3)] == ["200"] * 3
    assert "3 lines of the access log lost at the end" in served.text


def test_theFiguresOfAllWorkers(tmp_path: Path, origin: str) -> None:
    """Whichever of them is asked; one that is killed is not missed, one that hangs is counted."""
    with proxy(tmp_path, "--admin", "tcp:0", "--workers", "3", "--access-log", "access.log") as served:
        pids = [served.waitFor(rf"worker {number} serves \(pid (\d+)\)")[1] for number in (1, 2, 3)]
        through = f"http://127.0.0.1:{served.port('proxy')}"
        admin = served.port("admin")
        for _ in range(20):
            assert status(f"{origin}/bytes/100", "-x", through) == "200"
        for _ in range(5):
            seen = figures(admin)
            assert seen["labnet_proxy_processes"] == 3
            assert seen["labnet_proxy_processes_silent"] == 0
            assert seen["labnet_proxy_requests_total method=GET status=200"] == 20
        log = tmp_path / "access.log"
        eventually(lambda: len(log.read_text().splitlines()) == 20, "all lines")
        os.kill(int(pids[0]), signal.SIGKILL)
        served.waitFor(r"another starts")
        eventually(lambda: figures(admin)["labnet_proxy_processes"] == 3, "a worker in its place")
        assert figures(admin)["labnet_proxy_processes_silent"] == 0
        os.kill(int(pids[1]), signal.SIGSTOP)
        try:
            seen = figures(admin)
            assert (seen["labnet_proxy_processes"], seen["labnet_proxy_processes_silent"]) == (2, 1)
        finally:
            os.kill(int(pids[1]), signal.SIGCONT)


def test_aBrowserFindsTheProxy(tmp_path: Path, origin: str) -> None:
    """By the file: names go through it, and those that are to be asked directly do not."""
    target = origin.removeprefix("http://")
    arguments = (
        "--admin",
        "tcp:0",
        "--target",
        target,
        "--access-log",
        "-",
        "--access-format",
        "through %U",
    )
    with proxy(tmp_path, *arguments, "--pac-direct", ".direct.example") as served:
        pac = f"--proxy-pac-url=http://127.0.0.1:{served.port('admin')}/proxy.pac"
        with Browser(
            tmp_path / "profile", pac, "--host-resolver-rules=MAP *.example 127.0.0.1:9"
        ) as browser:
            browser.open("http://a.direct.example/direct")
            browser.open("http://site.example/bytes/100")
            served.waitFor("^through .*/bytes/100$")
    assert "/direct" not in served.text
