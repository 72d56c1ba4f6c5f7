"""A real Chromium without a window, driven over the W3C's WebDriver protocol: JSON to Debian's chromedriver."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Final

import pytest

from controller.broker import free_port

CHROMIUM: Final = shutil.which("chromium")
DRIVER: Final = shutil.which("chromedriver")
MISSING: Final = "no chromium and chromium-driver here: apt-get install chromium chromium-driver"
needs_chromium: Final = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason=MISSING)

FLAGS: Final = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars",
    "--autoplay-policy=no-user-gesture-required", "--mute-audio",
    "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
)  # fmt: skip
PATIENCE_S: Final = 15.0
# For scripts: how far ink stands out from what is behind it, as WCAG counts it; colours as the browser computes them.
CONTRAST: Final = """
const rgba = (css) => css.match(/[\\d.]+/g).map(Number);
const light = (css) => { const [x, y, z] = rgba(css).map((v) => v / 255)
    .map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  return 0.2126 * x + 0.7152 * y + 0.0722 * z; };
const contrast = (ink, back) => (Math.max(light(ink), light(back)) + 0.05) / (Math.min(light(ink), light(back)) + 0.05);
"""


class Browser:
    """One page."""

    def __init__(self, port: int, folder: Path) -> None:
        self._port = port
        options = {"binary": CHROMIUM, "args": [*FLAGS, f"--user-data-dir={folder}"]}
        wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        made = self._ask("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self._session = f"/session/{made['sessionId']}"

    def open(self, url: str, width: int, height: int) -> None:
        """Show a page in a view of exactly this many pixels."""
        view = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        command = {"cmd": "Emulation.setDeviceMetricsOverride", "params": view}
        self._ask("POST", f"{self._session}/goog/cdp/execute", command)
        self._ask("POST", f"{self._session}/url", {"url": url})

    def run(self, script: str, *args: object) -> Any:
        """Run JavaScript in the page and return what it returns."""
        return self._ask("POST", f"{self._session}/execute/sync", {"script": script, "args": args})

    def until(self, script: str, wanted: Callable[[Any], object] = bool) -> Any:
        """Wait until a script returns what is wanted."""
        deadline = time.monotonic() + PATIENCE_S
        while not wanted(found := self.run(f"return {script}")):
            assert time.monotonic() < deadline, f"{script} is {found!r}; the page says {self.complaints()}"
            time.sleep(0.02)
        return found

    def click(self, selector: str) -> None:
        """Click as a finger would: scrolled into view, and only what is on top."""
        found = self._ask("POST", f"{self._session}/element", {"using": "css selector", "value": selector})
        self._ask("POST", f"{self._session}/element/{next(iter(found.values()))}/click", {})

    def media(self, feature: str, value: str) -> None:
        """Have the page see a preference, such as prefers-reduced-motion."""
        params = {"features": [{"name": feature, "value": value}]}
        self._ask("POST", f"{self._session}/goog/cdp/execute", {"cmd": "Emulation.setEmulatedMedia", "params": params})

    def picture(self, path: Path) -> None:
        """Keep what is shown as a PNG."""
        path.write_bytes(base64.b64decode(self._ask("GET", f"{self._session}/screenshot")))

    def complaints(self) -> list[str]:
        """Return what the console has said since it was last asked."""
        return [entry["message"] for entry in self._ask("POST", f"{self._session}/se/log", {"type": "browser"})]

    def close(self) -> None:
        """End the browser."""
        self._ask("DELETE", self._session)

    def _ask(self, method: str, path: str, body: object = None) -> Any:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=60)
        try:
            connection.request(method, path, None if body is None else json.dumps(body))
            value = json.loads(connection.getresponse().read())["value"]
        finally:
            connection.close()
        if isinstance(value, dict) and "error" in value:
            raise AssertionError(f"{path}: {value['error']}: {value['message'][:300]}")
        return value


@contextmanager
def browsing(folder: Path) -> Iterator[Browser]:
    """Run a browser that keeps its files in the folder."""
    port = free_port()
    driver = subprocess.Popen([str(DRIVER), f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    browser = None
    try:
        _await(port)
        browser = Browser(port, folder)
        yield browser
    finally:
        if browser:
            browser.close()
        driver.terminate()
        driver.wait(timeout=10)


def _await(port: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        connection = HTTPConnection("127.0.0.1", port, timeout=1)
        try:
            connection.request("GET", "/status")
            if json.loads(connection.getresponse().read())["value"]["ready"]:
                return
        except OSError:
            time.sleep(0.05)
        finally:
            connection.close()
    raise AssertionError("chromedriver does not answer")
