"""
A browser that a test can look into: Chromium without a window, told what to do through two pipes.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.integration.processes import ENVIRONMENT, PATIENCE, need

__all__ = ["Browser", "Refused", "Tab"]


class Refused(AssertionError):
    """The browser could not do it: an expression failed, or the page that it was about has gone."""


class Browser:
    """
    Chromium, with a profile of its own. Use it as a context manager.

    @param directory: where the profile goes.
    @param arguments: more of its command line.
    """

    def __init__(self, directory: Path, *arguments: str) -> None:
        toBrowser, ours = os.pipe()
        theirs, fromBrowser = os.pipe()

        def place() -> None:
            # Chromium reads from descriptor 3 and writes to 4.
            first, second = os.dup(toBrowser), os.dup(fromBrowser)
            os.dup2(first, 3)
            os.dup2(second, 4)

        self._process = subprocess.Popen(
            [
                need("chromium"), "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
                "--no-first-run",
                # Tabs that nobody sees are as quick as the others.
                "--disable-background-timer-throttling", "--disable-backgrounding-occluded-windows",
                "--disable-renderer-backgrounding",
                "--disable-background-networking", "--disable-component-update", "--disable-sync",
                "--remote-debugging-pipe", f"--user-data-dir={directory}", *arguments,
                "about:blank",
            ],
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            close_fds=False,
            pass_fds=(),
            preexec_fn=place,
        )  # fmt: skip
        os.close(toBrowser)
        os.close(fromBrowser)
        self._out = os.fdopen(ours, "wb", buffering=0)
        self._in = theirs
        self._buffer = b""
        self._number = 0
        #: What went wrong in pages, as they told it.
        self.problems: list[str] = []

    def call(self, method: str, session: str | None = None, **parameters: object) -> dict[str, Any]:
        """One command of the DevTools protocol, and its result."""
        self._number += 1
        message: dict[str, object] = {"id": self._number, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        self._out.write(json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded"):
                self.problems.append(json.dumps(answer["params"]))
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise Refused(answer)
                result: dict[str, Any] = answer["result"]
                return result

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            piece = os.read(self._in, 1 << 20)
            assert piece, "the browser has ended"
            self._buffer += piece
        message, _, self._buffer = self._buffer.partition(b"\0")
        answer: dict[str, Any] = json.loads(message)
        return answer

    def open(self, url: str) -> Tab:
        """A new tab with that page."""
        return Tab(self, url)

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._out.close()
        os.close(self._in)


class Tab:
    """A tab of a L{Browser}, and what is in it."""

    def __init__(self, browser: Browser, url: str) -> None:
        self._browser = browser
        self._target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        attached = browser.call("Target.attachToTarget", targetId=self._target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")
        self.call("Page.navigate", url=url)
        self.waitFor("document.readyState === 'complete' && location.href !== 'about:blank'")

    def call(self, method: str, **parameters: object) -> dict[str, Any]:
        return self._browser.call(method, self._session, **parameters)

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression; a promise is waited for."""
        result = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in result:
            raise Refused(result)
        return result["result"].get("value")

    def waitFor(self, expression: str) -> None:
        """Wait until an expression is true. Meanwhile there may be another page, or none."""
        deadline = time.monotonic() + PATIENCE
        problem: Refused | None = None
        while time.monotonic() < deadline:
            try:
                if self.evaluate(expression):
                    return
                self.evaluate("new Promise((done) => setTimeout(done, 20))")
                problem = None
            except Refused as refused:
                problem = refused
                time.sleep(0.02)
        text = problem or self.evaluate("document.body.innerText")
        pytest.fail(f"never became true: {expression}\nThe page says:\n{text}", pytrace=False)

    def reload(self, expression: str) -> None:
        """Load the page again, and wait until an expression is true in what it leads to."""
        self.evaluate("window.isOld = true")
        self.call("Page.reload")
        self.waitFor(f"!window.isOld && {expression}")

    def close(self) -> None:
        """Close it; what went wrong in it is known then."""
        self._browser.call("Target.closeTarget", targetId=self._target)

    def forgive(self, text: str) -> None:
        """Forget the problems so far that have this in them."""
        self.evaluate("0")
        self._browser.problems = [one for one in self._browser.problems if text not in one]

    def type(self, selector: str, text: str) -> None:
        """Write into a field as a person does, and press Enter."""
        self.evaluate(f"document.querySelector({json.dumps(selector)}).focus()")
        self.call("Input.insertText", text=text)
        for kind in ("keyDown", "keyUp"):
            key = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"}
            self.call("Input.dispatchKeyEvent", type=kind, **key)

    def resize(self, width: int, height: int) -> None:
        """Put it on a screen of that size; a narrow one is a phone's."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.call("Emulation.setDeviceMetricsOverride", **size)

    def screenshot(self, path: Path, width: int, height: int, scheme: str) -> None:
        """What a person would see, on a screen of that size, C{dark} or C{light}."""
        # A tab behind another one may never be drawn.
        self.call("Page.bringToFront")
        self.resize(width, height)
        self.call(
            "Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}]
        )
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))
