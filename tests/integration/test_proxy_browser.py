"""
A browser behind the proxy: a page with all that belongs to it, and what becomes of what is blocked.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.browser import Browser
from tests.integration.origin import RESOURCES
from tests.integration.processes import Twistd


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twistd]:
    with Twistd(tmp_path_factory.mktemp("proxy"), "labnet-proxy", "--listen", "tcp:0") as running:
        yield running


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory, proxy: Twistd) -> Iterator[Browser]:
    there = f"--proxy-server=http://127.0.0.1:{proxy.port('proxy')}"
    directory = tmp_path_factory.mktemp("browser")
    with Browser(directory, there, "--proxy-bypass-list=<-loopback>") as browser:
        yield browser


def test_aPageWithFiftyOthers(browser: Browser, origin: str) -> None:
    """Styles, scripts, images, zipped and chunked ones, and what scripts ask for: all of it arrives."""
    tab = browser.open(f"{origin}/many")
    each = RESOURCES // 5
    # The images, and two kinds of scripts.
    tab.waitFor(f"loaded === {3 * each}")
    texts = tab.evaluate("Promise.all(asked).then((texts) => texts.map((text) => text.length))")
    assert texts == [1000] * each
    assert tab.evaluate("getComputedStyle(document.body).getPropertyValue('--seen').trim()") == "yes"
    names = tab.evaluate("performance.getEntriesByType('resource').map((one) => one.name)")
    assert len([name for name in names if "?" in name]) == RESOURCES
    via = tab.evaluate("fetch('/bytes/1').then((answer) => answer.headers.get('Via'))")
    assert via.startswith("1.1 labnet")


def test_aBlockedPage(browser: Browser, origin: str) -> None:
    """The user reads why, and nothing of the page."""
    tab = browser.open(f"{origin}/wordgzip")
    text = tab.evaluate("document.body.innerText")
    assert "404 Not Found" in text
    assert "xxx" not in text


def test_aBlockedScript(browser: Browser, origin: str) -> None:
    """It does not run; the page that wanted it is told so, and goes on."""
    tab = browser.open(f"{origin}/bytes/0")
    outcome = tab.evaluate(
        "new Promise((done) => { const script = document.createElement('script');"
        " script.onload = () => done('loaded'); script.onerror = () => done('failed');"
        " script.src = '/wordscript'; document.head.append(script) })"
    )
    assert outcome == "failed"
    assert tab.evaluate("typeof window.ran") == "undefined"


@pytest.mark.parametrize("size", [1_000, 3_000_000])
def test_aBlockedDownload(browser: Browser, origin: str, tmp_path: Path, size: int) -> None:
    """No file comes of it, neither a whole one nor a part; a script that fetches it sees 404."""
    tab = browser.open(f"{origin}/bytes/0")
    tab.call("Page.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    path = f"/worddownload/{size}"
    seen = tab.evaluate(
        f"fetch('{path}').then((answer) => answer.text().then((text) => [answer.status, text]))"
    )
    assert seen[0] == 404
    assert "line 0000" not in seen[1]
    tab.call("Page.navigate", url=f"{origin}{path}")
    tab.waitFor("document.body?.innerText.includes('404 Not Found')")
    assert list(tmp_path.iterdir()) == []


def test_aBrokenOrigin(browser: Browser, origin: str) -> None:
    """The user sees the proxy's page, not half of the origin's."""
    tab = browser.open(f"{origin}/short")
    assert "502 Bad Gateway" in tab.evaluate("document.body.innerText")


def test_aPortThatNoTunnelMayReach(browser: Browser, origin: str) -> None:
    """Over HTTPS it is not reached, and the page learns no more than that."""
    tab = browser.open(f"{origin}/bytes/0")
    there = origin.replace("http:", "https:")
    assert tab.evaluate(f"fetch('{there}/').then(() => 'answered', () => 'failed')") == "failed"
