"""
What curl, Requests and aiohttp see through the proxy.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
import requests
from aiohttp import web

from labnet.authority.certificates import makeAuthority, makeKey
from labnet.authority.store import saveAuthority, saveIssued
from tests.integration.measured import Origin
from tests.integration.origin import WORD, page
from tests.integration.processes import ENVIRONMENT, PATIENCE, Twistd, need

MEBIBYTE = 2**20
BLOCKED = ["/word", "/wordgzip", "/wordscript", "/worddownload/100000", "/worddownload/3000000"]
BROKEN = ["/short", "/badchunk", "/nonsense", "/nothing", "/reset"]


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of the proxy."""
    directory = tmp_path_factory.mktemp("proxy")
    options = ("--listen", "tcp:0", "--connect-port", "any", "--allow-upgrade", "websocket")
    with Twistd(directory, "labnet-proxy", *options) as running:
        yield f"http://127.0.0.1:{running.port('proxy')}"


def curl(proxy: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    command = [need("curl"), "-sS", "--max-time", str(PATIENCE), "-x", proxy, *arguments]
    return subprocess.run(command, capture_output=True, env=ENVIRONMENT, timeout=PATIENCE, check=False)


@pytest.fixture
def session(proxy: str) -> Iterator[requests.Session]:
    """Requests, told to use the proxy and nothing of the environment."""
    with requests.Session() as session:
        session.trust_env = False
        session.proxies = {"http": proxy, "https": proxy}
        yield session


@pytest.mark.parametrize("size", [0, 1, 1000, 65_536, 5 * MEBIBYTE])
@pytest.mark.parametrize("kind", ["bytes", "chunked", "gzip", "br", "close"])
def test_curlDownloads(proxy: str, origin: str, kind: str, size: int) -> None:
    """Every framing and coding arrives as it is, from nothing to more than is held in memory."""
    got = curl(proxy, "--compressed", f"{origin}/{kind}/{size}")
    assert (got.returncode, got.stderr) == (0, b"")
    assert got.stdout == page(size)


@pytest.mark.parametrize(
    "how",
    [
        ("-T", "{file}"),
        ("-T", "{file}", "-H", "Transfer-Encoding: chunked"),
        ("--data-binary", "@{file}"),
        ("--data-binary", "@{file}", "-H", "Expect:"),
        ("-T", "{file}", "-H", "Expect: 100-continue"),
    ],
    ids=["put", "put-chunked", "post", "post-without-expect", "put-with-expect"],
)
@pytest.mark.parametrize("size", [1, 70_000, 3 * MEBIBYTE])
def test_curlUploads(proxy: str, origin: str, tmp_path: Path, how: tuple[str, ...], size: int) -> None:
    """The origin receives what curl has sent, with and without Expect, with length and in chunks."""
    file = tmp_path / "upload"
    file.write_bytes(page(size))
    got = curl(proxy, *(one.format(file=file) for one in how), f"{origin}/echo")
    seen = json.loads(got.stdout)
    assert seen["length"] == size
    assert seen["sha256"] == hashlib.sha256(page(size)).hexdigest()
    assert seen["method"] == ("PUT" if "-T" in how else "POST")


def test_curlWaitsForTheOriginsContinue(proxy: str, origin: str, tmp_path: Path) -> None:
    """The 100 comes through; and where the origin refuses first, its answer does, and the body stays."""
    file = tmp_path / "upload"
    file.write_bytes(page(2 * MEBIBYTE))
    waiting = ("-v", "--expect100-timeout", str(PATIENCE), "-H", "Expect: 100-continue", "-T", str(file))
    taken = curl(proxy, *waiting, f"{origin}/echo")
    assert b"< HTTP/1.1 100 Continue" in taken.stderr
    assert json.loads(taken.stdout)["length"] == 2 * MEBIBYTE
    refused = curl(proxy, *waiting, "-w", "%{http_code} %{size_upload}", f"{origin}/refuse")
    assert refused.stdout == b"no413 0"


def test_curlHeadsRedirectsAndCookies(proxy: str, origin: str, tmp_path: Path) -> None:
    head = curl(proxy, "-I", f"{origin}/bytes/70000")
    assert b"HTTP/1.1 200 OK\r\n" in head.stdout
    assert b"Content-Length: 70000\r\n" in head.stdout
    followed = curl(proxy, "-L", "-w", "%{num_redirects} %{url_effective}", f"{origin}/redirect/46")
    assert followed.stdout == page(46) + f"1 {origin}/bytes/46".encode()
    jar = str(tmp_path / "cookies")
    cookies = curl(proxy, "-b", jar, "-c", jar, f"{origin}/cookie", "--next", "-sS", "-x", proxy,
                   "-b", "c=3; d=4", f"{origin}/cookie")  # fmt: skip
    assert cookies.stdout == b"c=3; d=4"
    remembered = re.findall(r"\t([ab])\t([12])$", Path(jar).read_text(), re.MULTILINE)
    assert sorted(remembered) == [("a", "1"), ("b", "2")]


def test_curlKeepsItsConnection(proxy: str, origin: str) -> None:
    """Twenty requests of all kinds, one connection."""
    urls = [f"{origin}/{kind}/{size}" for kind in ("bytes", "chunked", "gzip", "etag") for size in range(5)]
    outputs = [argument for _ in urls for argument in ("-o", "/dev/null")]
    got = curl(proxy, "--compressed", "-w", "%{num_connects}\n", *outputs, *urls)
    assert got.stdout.split() == [b"1"] + [b"0"] * 19


def test_curlThroughATunnel(proxy: str, origin: str) -> None:
    """CONNECT: all goes through as it is, the word, too, both ways."""
    word = curl(proxy, "-p", f"{origin}/wordgzip", "--compressed")
    assert WORD in word.stdout
    sent = curl(proxy, "-p", "-d", WORD.decode(), f"{origin}/echo")
    assert json.loads(sent.stdout)["sha256"] == hashlib.sha256(WORD).hexdigest()


@pytest.mark.parametrize("path", BLOCKED)
def test_curlIsToldWhatIsBlocked(proxy: str, origin: str, path: str) -> None:
    """404 and the reason, no byte of the page; and a download leaves no file with a part of it."""
    got = curl(proxy, "-i", "--compressed", f"{origin}{path}")
    assert got.returncode == 0
    assert got.stdout.startswith(b"HTTP/1.1 404 ")
    assert b'X-Labnet-Filter: blocked; rule="SzamHalo"; where="body"' in got.stdout
    assert b"xxx" not in got.stdout
    assert b"line 0000" not in got.stdout
    assert curl(proxy, "-f", "--compressed", f"{origin}{path}").returncode == 22


@pytest.mark.parametrize("path", BROKEN)
def test_curlIsToldThatAnOriginIsBroken(proxy: str, origin: str, path: str) -> None:
    """502, and nothing of what came."""
    got = curl(proxy, "-i", f"{origin}{path}")
    assert got.stdout.startswith(b"HTTP/1.1 502 ")
    assert b"0123456789" not in got.stdout


def test_requestsOfAllMethods(session: requests.Session, origin: str) -> None:
    for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "SEARCH"):
        seen = session.request(method, f"{origin}/echo", data=b"abc", timeout=PATIENCE).json()
        assert (seen["method"], seen["length"]) == (method, 3)
    head = session.head(f"{origin}/bytes/100", timeout=PATIENCE)
    assert (head.headers["Content-Length"], head.content) == ("100", b"")


def test_requestsStreamsBothWays(session: requests.Session, origin: str) -> None:
    """A generator is sent in chunks, to an origin that takes them; a large answer is read in pieces."""
    assert session.get(f"{origin}/bytes/1", timeout=PATIENCE).ok
    sent = session.post(f"{origin}/echo", data=(page(50_000) for _ in range(100)), timeout=PATIENCE).json()
    assert sent["sha256"] == hashlib.sha256(page(50_000) * 100).hexdigest()
    assert sent["fields"]["transfer-encoding"] == "chunked"
    received = hashlib.sha256()
    with session.get(f"{origin}/chunked/{20 * MEBIBYTE}", stream=True, timeout=PATIENCE) as got:
        for piece in got.iter_content(100_000):
            received.update(piece)
    assert received.digest() == hashlib.sha256(page(20 * MEBIBYTE)).digest()


def test_requestsFollowsAndRemembers(session: requests.Session, origin: str) -> None:
    followed = session.post(f"{origin}/seeother", data=b"gone", timeout=PATIENCE)
    assert [one.status_code for one in followed.history] == [303]
    assert followed.json()["method"] == "GET"
    session.get(f"{origin}/cookie", timeout=PATIENCE)
    assert session.get(f"{origin}/cookie", timeout=PATIENCE).text == "a=1; b=2"


def test_requestsRevalidatesAndUnpacks(session: requests.Session, origin: str) -> None:
    first = session.get(f"{origin}/etag/300", timeout=PATIENCE)
    again = session.get(
        f"{origin}/etag/300", headers={"If-None-Match": first.headers["ETag"]}, timeout=PATIENCE
    )
    assert (first.content, again.status_code, again.content) == (page(300), 304, b"")
    for coding in ("gzip", "br"):
        assert session.get(f"{origin}/{coding}/70000", timeout=PATIENCE).content == page(70_000)


def test_requestsNeverTakesHalfAPageForAWhole(session: requests.Session, origin: str) -> None:
    """A range is no way around: what comes instead is the whole page, here the blocked one."""
    ranged = session.get(f"{origin}/bytes/1000", headers={"Range": "bytes=0-9"}, timeout=PATIENCE)
    assert (ranged.status_code, ranged.content) == (200, page(1000))
    blocked = session.get(f"{origin}/word", headers={"Range": "bytes=0-515"}, timeout=PATIENCE)
    assert blocked.status_code == 404
    for path in BROKEN:
        assert session.get(f"{origin}{path}", timeout=PATIENCE).status_code == 502


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str, Path]]:
    """
    An origin on TLS and a proxy that intercepts it: the origin's URL, the proxy's, and the file of the
    authority that signs for both.
    """
    folder = tmp_path_factory.mktemp("secure")
    authority = makeAuthority(datetime.now(UTC), timedelta(days=2))
    saveAuthority(folder, authority)
    key = makeKey()
    issued = authority.issue(["localhost"], key.public_key(), datetime.now(UTC), timedelta(days=1))
    certificate, private = saveIssued(folder, "localhost", [issued], key)
    ca = str(folder / "ca.pem")
    with (
        Origin(str(certificate), str(private)) as server,
        Twistd(
            folder, "labnet-proxy", "--listen", "tcp:0", "--connect-port", "any",
            "--intercept", "localhost", "--ca", str(folder), "--origin-ca", ca,
        ) as running,
    ):  # fmt: skip
        yield server.url, f"http://127.0.0.1:{running.port('proxy')}", Path(ca)


def test_curlAndRequestsOverHTTPSThatIsLookedInto(secure: tuple[str, str, Path]) -> None:
    """Both trust the lab's authority, get clean pages, and a 404 for the blocked one."""
    base, proxy, ca = secure
    assert curl(proxy, "--cacert", str(ca), f"{base}/bytes/{MEBIBYTE}").stdout == page(MEBIBYTE)
    assert curl(proxy, "--cacert", str(ca), "-f", f"{base}/wordgzip").returncode == 22
    with requests.Session() as session:
        session.trust_env = False
        session.proxies = {"https": proxy}
        session.verify = str(ca)
        for _ in range(3):
            assert session.get(f"{base}/bytes/{MEBIBYTE}", timeout=PATIENCE).content == page(MEBIBYTE)
        blocked = session.get(f"{base}/wordgzip", timeout=PATIENCE)
        assert blocked.status_code == 404
        assert b"xxx" not in blocked.content


def test_curlAndRequestsOverHTTPSThatIsNot(secure: tuple[str, str, Path], proxy: str) -> None:
    """Through a proxy that does not intercept: the page, and the word, as they are."""
    base, _, ca = secure
    assert WORD in curl(proxy, "--compressed", "--cacert", str(ca), f"{base}/wordgzip").stdout
    got = requests.get(f"{base}/wordgzip", proxies={"https": proxy}, verify=str(ca), timeout=PATIENCE)
    assert WORD in got.content


@asynccontextmanager
async def speaking() -> AsyncIterator[str]:
    """The URL of a WebSocket server that says everything twice."""

    async def twice(request: web.Request) -> web.WebSocketResponse:
        conversation = web.WebSocketResponse()
        await conversation.prepare(request)
        async for message in conversation:
            await conversation.send_str(message.data * 2)
        return conversation

    application = web.Application()
    application.router.add_get("/", twice)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


def test_aiohttpManyAtOnce(proxy: str, origin: str) -> None:
    """Three hundred requests, thirty at a time over connections that are kept, each with its own answer."""

    async def fetch(client: aiohttp.ClientSession, number: int) -> bool:
        kind = ("bytes", "chunked", "gzip", "close", "etag")[number % 5]
        async with client.get(f"{origin}/{kind}/{number * 97}", proxy=proxy) as got:
            return await got.read() == page(number * 97)

    async def fetchAll() -> list[bool]:
        connector = aiohttp.TCPConnector(limit=30)
        async with aiohttp.ClientSession(connector=connector) as client:
            return await asyncio.gather(*(fetch(client, number) for number in range(300)))

    assert asyncio.run(fetchAll()) == [True] * 300


def test_aiohttpUploadsInChunks(proxy: str, origin: str) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(64):
            yield page(40_000)

    async def upload() -> dict[str, object]:
        async with (
            aiohttp.ClientSession() as client,
            client.post(f"{origin}/echo", data=pieces(), proxy=proxy, expect100=True) as got,
        ):
            seen: dict[str, object] = await got.json()
            return seen

    assert asyncio.run(upload())["sha256"] == hashlib.sha256(page(40_000) * 64).hexdigest()


def test_aiohttpTalksOverAWebSocket(proxy: str) -> None:
    """Where it is allowed it passes, in frames of all sizes."""

    async def talk() -> None:
        async with (
            speaking() as url,
            aiohttp.ClientSession() as client,
            client.ws_connect(url, proxy=proxy) as conversation,
        ):
            for size in (1, 200, 70_000):
                await conversation.send_str("a" * size)
                assert await conversation.receive_str() == "a" * 2 * size

    asyncio.run(talk())


def test_aiohttpSeesATruncatedAnswerForWhatItIs(proxy: str, origin: str) -> None:
    """A broken origin is a 502, never a short page; and the client's connection goes on."""

    async def fetch() -> list[int]:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as client:
            statuses = []
            for path in [*BROKEN, "/bytes/10"]:
                async with client.get(f"{origin}{path}", proxy=proxy) as got:
                    await got.read()
                    statuses.append(got.status)
            return statuses

    assert asyncio.run(fetch()) == [502] * len(BROKEN) + [200]
