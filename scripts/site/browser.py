"""A headless Chromium, spoken to by its own protocol: for tests and for screenshots."""

from __future__ import annotations

import base64
import itertools
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
PATIENCE = 20.0  # seconds for what takes a tenth of one


class NoBrowser(Exception):
    """There is no browser here that starts, or nothing to speak to it with."""


def program() -> str | None:
    """Where Chromium is, if it is."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Quiet(SimpleHTTPRequestHandler):
    """A server of files that says nothing."""

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address at which a folder is served."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


@dataclass(slots=True)
class Tab:
    """One page of the browser.

    Attributes:
      socket: its connection.
      said: what its console and its failures said.
      asked: the addresses that it asked for.
    """

    socket: Any
    said: list[str] = field(default_factory=list[str])
    asked: list[str] = field(default_factory=list[str])
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def call(self, method: str, **parameters: Any) -> Any:
        """Asks the browser, and waits for its answer."""
        number = next(self.numbers)
        self.socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self.socket.recv(timeout=PATIENCE))
            if message.get("id") == number:
                assert "error" not in message, message
                return message["result"]
            self._note(message)

    def _note(self, message: dict[str, Any]) -> None:
        parameters = message.get("params", {})
        match message.get("method"):
            case "Runtime.exceptionThrown":
                self.said.append(str(parameters["exceptionDetails"]))
            case "Runtime.consoleAPICalled" if parameters["type"] in ("error", "warning"):
                self.said.append(str(parameters["args"]))
            case "Log.entryAdded" if parameters["entry"]["level"] in ("error", "warning"):
                self.said.append(str(parameters["entry"]))
            case "Network.requestWillBeSent":
                self.asked.append(parameters["request"]["url"])
            case _:
                pass

    def run(self, script: str) -> Any:
        """The value of a script in the page, run as if a person had clicked."""
        found = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, userGesture=True
        )
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def until(self, script: str) -> Any:
        """The value of a script once it is true."""
        end = time.monotonic() + PATIENCE
        while not (value := self.run(script)):
            assert time.monotonic() < end, f"never so: {script}"
            time.sleep(0.05)
        return value

    def open(self, address: str) -> None:
        """Opens a page and waits until it is there."""
        self.call("Page.navigate", url=address)
        path = json.dumps(address.partition("#")[0])
        self.until(f"document.readyState == 'complete' && location.href.startsWith({path})")

    def screen(
        self, width: int, height: int, *, scheme: str = "light", phone: bool = False
    ) -> None:
        """Sets the size of the window, and whether its user likes it light or dark."""
        size = {"width": width, "height": height, "deviceScaleFactor": 2 if phone else 1}
        self.call("Emulation.setDeviceMetricsOverride", **size, mobile=phone)
        liked = {"name": "prefers-color-scheme", "value": scheme}
        self.call("Emulation.setEmulatedMedia", features=[liked])

    def photograph(self, file: Path, *, whole: bool = False) -> None:
        """Writes what is seen as a PNG; ``whole``: the page to its end."""
        how: dict[str, Any] = {"format": "png"}
        if whole:
            size = self.call("Page.getLayoutMetrics")["cssContentSize"]
            how |= {"captureBeyondViewport": True, "clip": {**size, "scale": 1}}
        found = self.call("Page.captureScreenshot", **how)
        file.write_bytes(base64.b64decode(found["data"]))


@contextmanager
def opened(folder: Path) -> Iterator[Tab]:
    """A tab of a browser of its own.

    Raises:
      NoBrowser: none is installed, or it does not start here.
    """
    try:
        from websockets.sync import client
    except ImportError as error:
        raise NoBrowser("websockets is not installed") from error
    chromium = program()
    if chromium is None:
        raise NoBrowser(f"none of {', '.join(NAMES)} is installed")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    options += ["--remote-debugging-port=0", "--no-first-run", f"--user-data-dir={folder}"]
    process = subprocess.Popen(
        [chromium, *options, "about:blank"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        address = _address(folder / "DevToolsActivePort", process)
        with client.connect(address, max_size=None, compression=None) as socket:
            browser = Tab(socket)
            target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        page = f"{address.partition('/devtools/')[0]}/devtools/page/{target}"
        with client.connect(page, max_size=None, compression=None) as socket:
            tab = Tab(socket)
            for domain in ("Page", "Runtime", "Log", "Network"):
                tab.call(f"{domain}.enable")
            yield tab
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)


def _address(file: Path, process: subprocess.Popen[bytes]) -> str:
    end = time.monotonic() + PATIENCE
    while True:
        lines = file.read_text().splitlines() if file.exists() else []
        if len(lines) > 1:
            return f"ws://127.0.0.1:{lines[0]}{lines[1]}"
        if process.poll() is not None or time.monotonic() > end:
            raise NoBrowser("Chromium is installed and does not start here")
        time.sleep(0.05)
