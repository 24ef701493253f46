"""Chromium without a window, over the pipe of its DevTools protocol: a browser for tests that needs no package.

    with Chromium(tmp_path) as browser:
        browser.open("file:///tmp/page.html")
        browser.press("s")
        browser.value("document.title")

Source: chromedevtools.github.io/devtools-protocol. `--remote-debugging-pipe` reads commands from file descriptor 3 and
writes answers to 4, each a JSON text that a zero byte ends.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--no-default-browser-check",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
    "--disable-extensions", "--mute-audio", "--force-color-profile=srgb", "--remote-debugging-pipe",
)  # fmt: skip
PATIENCE = 30.0  # seconds for one answer: a busy machine starts Chromium in five
KEYS = {
    "ArrowLeft": ("ArrowLeft", 37), "ArrowRight": ("ArrowRight", 39), "Backspace": ("Backspace", 8),
    "Enter": ("Enter", 13), "Tab": ("Tab", 9), " ": ("Space", 32),
}  # fmt: skip


def find_chromium() -> str | None:
    """The browser of this machine; ANONBENCH_CHROMIUM names another. None where there is none."""
    return os.environ.get("ANONBENCH_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


class Chromium:
    """A browser with one page. Files that the page saves land in `downloads`.

    requests: what the page asked for that is neither a file nor in it; expected to stay empty.
    problems: uncaught errors and console errors of the page.
    """

    def __init__(self, folder: Path, program: str | None = None) -> None:
        self.program = program or find_chromium()
        self.profile, self.downloads = folder / "profile", folder / "downloads"
        self.downloads.mkdir(parents=True, exist_ok=True)
        self.requests: list[str] = []
        self.problems: list[str] = []
        self.dialogs: list[str] = []
        self.number = 0
        self.pending = b""
        self.loaded = 0

    def __enter__(self) -> Chromium:
        assert self.program, "no Chromium here"
        commands, self.to_browser = os.pipe()
        self.from_browser, answers = os.pipe()

        def pass_pipes() -> None:
            # By way of high numbers: a pipe's end may itself be 3 or 4.
            os.dup2(commands, 100)
            os.dup2(answers, 101)
            os.dup2(100, 3)
            os.dup2(101, 4)

        command = [self.program, *FLAGS, f"--user-data-dir={self.profile}", "about:blank"]
        self.process = subprocess.Popen(
            command, preexec_fn=pass_pipes, close_fds=False, start_new_session=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(commands)
        os.close(answers)
        self.session = ""
        behaviour = {"behavior": "allow", "downloadPath": str(self.downloads), "eventsEnabled": True}
        self.send("Browser.setDownloadBehavior", **behaviour)
        targets = self.send("Target.getTargets")["targetInfos"]
        page = next(target["targetId"] for target in targets if target["type"] == "page")
        self.session = self.send("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.send(f"{domain}.enable")
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError, TimeoutError, BrokenPipeError, EOFError):
            self.session = ""
            self.send("Browser.close")
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)  # its own session: its children go with it
            self.process.wait()
        for end in (self.to_browser, self.from_browser):
            os.close(end)

    # --- the protocol ---

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Give a command and return its result; events that come first are noted."""
        self.number += 1
        message: dict[str, Any] = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to_browser, json.dumps(message).encode() + b"\0")
        wanted, until = self.number, time.monotonic() + PATIENCE
        while True:
            answer = self._receive(until)
            if answer is None:
                raise TimeoutError(f"Chromium did not answer {method} in {PATIENCE:.0f} s")
            if answer.get("id") == wanted:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                result: dict[str, Any] = answer["result"]
                return result
            self._note(answer)

    def _receive(self, until: float) -> dict[str, Any] | None:
        while b"\0" not in self.pending:
            ready, _, _ = select.select([self.from_browser], [], [], max(0.0, until - time.monotonic()))
            if not ready:
                return None
            data = os.read(self.from_browser, 1 << 20)
            if not data:
                raise EOFError("Chromium ended")
            self.pending += data
        message, _, self.pending = self.pending.partition(b"\0")
        found: dict[str, Any] = json.loads(message)
        return found

    def _note(self, event: dict[str, Any]) -> None:
        name, said = event.get("method"), event.get("params", {})
        if name == "Page.loadEventFired":
            self.loaded += 1
        elif name == "Network.requestWillBeSent" and not said["request"]["url"].startswith(("file:", "data:", "blob:")):
            self.requests.append(said["request"]["url"])
        elif name == "Runtime.exceptionThrown":
            self.problems.append(said["exceptionDetails"].get("exception", {}).get("description", "error"))
        elif name == "Log.entryAdded" and said["entry"]["level"] == "error":
            self.problems.append(said["entry"]["text"])
        elif name == "Page.javascriptDialogOpening":
            self.dialogs.append(said["type"])
            self.number += 1
            answer = {"id": self.number, "method": "Page.handleJavaScriptDialog", "params": {"accept": True}}
            os.write(self.to_browser, json.dumps({**answer, "sessionId": self.session}).encode() + b"\0")

    # --- what a person does ---

    def open(self, url: str) -> None:
        self._load("Page.navigate", url=url)

    def reload(self) -> None:
        self._load("Page.reload")

    def _load(self, method: str, **parameters: Any) -> None:
        before = self.loaded
        self.send(method, **parameters)

        def arrived() -> bool:
            with contextlib.suppress(RuntimeError):  # between two pages there is none to ask
                return self.value("document.readyState") == "complete" and self.loaded > before
            return False

        self.wait(arrived, method)

    def screen(self, width: int, height: int, dark: bool = False, phone: bool = False, scale: int = 1) -> None:
        """Size of the window in CSS pixels, and what the system says of colours and fingers."""
        size = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": phone}
        self.send("Emulation.setDeviceMetricsOverride", **size)
        self.send("Emulation.setTouchEmulationEnabled", enabled=phone)
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.send("Emulation.setEmulatedMedia", features=scheme)

    def value(self, expression: str) -> Any:
        """What a JavaScript expression is; a promise is awaited."""
        found = self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in found:
            raise RuntimeError(found["exceptionDetails"]["exception"]["description"])
        return found["result"].get("value")

    def wait(self, condition: Callable[[], Any] | str, what: str = "") -> None:
        """Until a condition, or a JavaScript expression, is true."""
        met = condition if callable(condition) else lambda: self.value(condition)
        until = time.monotonic() + PATIENCE
        while not met():
            if time.monotonic() > until:
                raise TimeoutError(f"still waiting after {PATIENCE:.0f} s for {what or condition}")
            time.sleep(0.02)

    def press(self, key: str, repeats: int = 0) -> None:
        """Press a key and let go of it.

        repeats: how often the keyboard repeats it while it is held down.
        """
        code, number = KEYS[key] if key in KEYS else (f"Key{key.upper()}", ord(key.upper()))
        text = {"Enter": "\r"}.get(key, key if len(key) == 1 else "")
        common = {"key": key, "code": code, "windowsVirtualKeyCode": number}
        down = {**common, "type": "keyDown" if text else "rawKeyDown", **({"text": text} if text else {})}
        for n in range(repeats + 1):
            time.sleep(1 / 30 if n else 0)  # as fast as keyboards do
            self.send("Input.dispatchKeyEvent", **down, autoRepeat=n > 0)
        self.send("Input.dispatchKeyEvent", **common, type="keyUp")

    def _middle(self, selector: str) -> dict[str, float]:
        box = f"document.querySelector({json.dumps(selector)})"
        self.value(f"{box}.scrollIntoView({{block: 'nearest'}})")
        found: dict[str, float] = self.value(
            f"(r => ({{x: r.x + r.width / 2, y: r.y + r.height / 2}}))({box}.getBoundingClientRect())"
        )
        return found

    def click(self, selector: str) -> None:
        """Click with a mouse in the middle of an element."""
        place = self._middle(selector)
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **place)

    def touch(self, selector: str) -> None:
        """Touch an element with a finger."""
        self.send("Input.dispatchTouchEvent", type="touchStart", touchPoints=[self._middle(selector)])
        self.send("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])

    def picture(self, path: Path) -> None:
        """Write what the window shows (PNG)."""
        path.write_bytes(base64.b64decode(self.send("Page.captureScreenshot", format="png")["data"]))

    def download(self, pattern: str, count: int = 1) -> list[Path]:
        """The files that the page has saved, once there are so many."""

        def complete() -> list[Path]:
            return sorted(self.downloads.glob(pattern))

        self.wait(lambda: self.value("1") and len(complete()) >= count, f"{count} files {pattern}")
        return complete()
