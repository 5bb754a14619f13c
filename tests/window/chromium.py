"""Debian's Chromium without a screen, driven by Selenium; tests that need it are skipped where it is not installed."""

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--window-size=1400,1000",
)  # fmt: skip
AXE = Path(__file__).parent / "vendor" / "axe.min.js"


class Page:
    """The page in a browser, and what a test asks of it."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def open(self, url: str) -> None:
        self.driver.get(url)

    def js(self, expression: str) -> Any:
        return self.driver.execute_script(f"return {expression}")

    def until(self, expression: str, seconds: float = 15.0) -> Any:
        """Wait until a JavaScript expression is true, and give its value."""
        deadline = time.monotonic() + seconds
        while not (found := self.js(expression)):
            assert time.monotonic() < deadline, f"{expression}: still {found!r}; state: {self.text('#state')}"
            time.sleep(0.03)
        return found

    def text(self, selector: str) -> str:
        return str(self.js(f"document.querySelector({json.dumps(selector)}).textContent"))

    def requests(self) -> set[str]:
        """Addresses that were asked for since the last call."""
        messages = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        asked = [
            m["params"] for m in messages if m["method"] in ("Network.requestWillBeSent", "Network.webSocketCreated")
        ]
        return {p["request"]["url"] if "request" in p else p["url"] for p in asked}

    def complaints(self) -> list[str]:
        """Lines of the console since the last call."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def violations(self) -> list[str]:
        """What axe finds against WCAG 2.1 AA and its own best practices."""
        self.driver.execute_script(AXE.read_text())
        found = self.driver.execute_async_script("axe.run().then(arguments[arguments.length - 1])")["violations"]
        return [f"{v['id']}: {v['help']}: {v['nodes'][0]['html'][:200]}" for v in found]


@contextmanager
def chromium(profile: Path, *flags: str) -> Iterator[Page]:
    """A browser of its own, with a profile that is new."""
    binary, server = shutil.which("chromium"), shutil.which("chromedriver")
    if not binary or not server:
        pytest.skip("no chromium and chromedriver on this machine: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for flag in (*_FLAGS, f"--user-data-dir={profile}", *flags):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(server))
    try:
        driver.set_script_timeout(60)
        yield Page(driver)
    finally:
        driver.quit()
