"""A headless Chromium with one page, driven by its own DevTools protocol.

The protocol is spoken over a pair of sockets that Chromium inherits (`--remote-debugging-pipe`): nothing else
can reach the browser, and no package is needed for it. https://chromedevtools.github.io/devtools-protocol/
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome")
VARIABLE = "HUNYUAN_FIX_CHROMIUM"
"""Names the program; `scripts/lib/browser.sh` sets it."""
TIMEOUT = 30.0
"""Seconds in which the browser must have answered, and a page must show what is waited for."""

_NAVIGATED = "Inspected target navigated or closed"
"""What Chromium says where a page goes that an expression waits in."""

_FLAGS = (
    "--headless",
    "--no-sandbox",  # it refuses root otherwise; it sees no page but this machine's own
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-proxy-server",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
    "--remote-debugging-pipe",
)
_KEYS = {
    "Tab": (9, ""),
    "Enter": (13, "\r"),
    "Escape": (27, ""),
    " ": (32, " "),
    "ArrowUp": (38, ""),
    "ArrowDown": (40, ""),
}
"""A key -> its number on Windows' keyboards, which browsers go by, and the text that it writes."""
_WAIT = """
new Promise(resolve => {
  const look = () => { const found = %s; if (found) { observer.disconnect(); resolve(found); } };
  const observer = new MutationObserver(look);
  observer.observe(document, {subtree: true, childList: true, characterData: true, attributes: true});
  setTimeout(() => { observer.disconnect(); resolve(null); }, %d);
  look();
})
"""
_SCROLL = """
(pane => {
  const nodes = document.createTreeWalker(pane, NodeFilter.SHOW_TEXT);
  while (nodes.nextNode()) {
    const at = nodes.currentNode.data.indexOf(%s);
    if (at < 0) continue;
    const range = document.createRange();
    range.setStart(nodes.currentNode, at);
    range.setEnd(nodes.currentNode, at + 1);
    let scrolled = nodes.currentNode.parentElement;
    while (scrolled !== pane && scrolled.scrollHeight <= scrolled.clientHeight) scrolled = scrolled.parentElement;
    scrolled.scrollTop += range.getBoundingClientRect().top - scrolled.getBoundingClientRect().top - 4;
    return true;
  }
})(document.querySelector(%s))
"""


class BrowserError(Exception):
    """There is no browser, it doesn't answer, or its page doesn't show what was waited for."""


class Page:
    """The browser's page. Every method raises `BrowserError` if it takes longer than `TIMEOUT`."""

    def __init__(self, connection: _Connection, session: str) -> None:
        self._connection = connection
        self._session = session
        self.requested: list[str] = []
        """The URLs of all requests since `watch`."""
        self.complaints: list[str] = []
        """What the browser has complained of since `watch`: uncaught exceptions, what the page's policy forbids."""
        self._call("Page.enable")
        self._call("Emulation.setFocusEmulationEnabled", enabled=True)  # a headless window has no focus otherwise

    def open(self, url: str) -> None:
        """Go to `url`, until it has loaded."""
        failed = self._call("Page.navigate", url=url).get("errorText")
        if failed:
            raise BrowserError(f"{url.partition('?')[0]}: {failed}")
        self._connection.wait_for("Page.loadEventFired")

    def wait_for(self, expression: str) -> Any:
        """The value of a JavaScript expression as soon as it is true; it is looked at whenever the page changes.

        Where the page loads anew meanwhile, that one is looked at.
        """
        deadline = time.monotonic() + TIMEOUT
        while True:
            try:
                value = self._evaluate(_WAIT % (expression, TIMEOUT * 1000 * 0.9))
                break
            except BrowserError as error:
                if _NAVIGATED not in str(error) or time.monotonic() > deadline:
                    raise
        if value is None:
            raise BrowserError(f"the page never came to {expression}; it shows:\n{self.text()}")
        return value

    def wait_for_text(self, selector: str, *texts: str) -> str:
        """The text of the element that `selector` finds, as soon as it holds all of `texts`."""
        held = f"{json.dumps(texts)}.every(text => shown.includes(text))"
        return str(self.wait_for(f"(shown => {held} && shown)({_text_of(selector)})"))

    def click(self, selector: str, text: str = "", *, last: bool = False) -> None:
        """Click the first (or last) element that `selector` finds and that holds `text`, as soon as there is one."""
        elements = f"[...document.querySelectorAll({json.dumps(selector)})]"
        found = (
            f"{elements}.{'findLast' if last else 'find'}(element => element.innerText.includes({json.dumps(text)}))"
        )
        self.wait_for(f"(element => element && (element.click(), true))({found})")

    def scroll_to(self, selector: str, text: str) -> None:
        """Scroll what `selector` finds until `text`, which stands somewhere in it, is at its top."""
        self.wait_for(_SCROLL % (json.dumps(text), json.dumps(selector)))

    def drag(self, selector: str, by: int) -> None:
        """Drag the element that `selector` finds, by its middle, so many CSS pixels to the right."""
        box = self.wait_for(f"document.querySelector({json.dumps(selector)})?.getBoundingClientRect().toJSON()")
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        for kind, to in (("mousePressed", x), ("mouseMoved", x + by), ("mouseReleased", x + by)):
            self._call("Input.dispatchMouseEvent", type=kind, x=to, y=y, button="left", buttons=1, clickCount=1)

    def watch(self) -> None:
        """Note from now on what the page asks for, and what the browser complains of."""
        self.requested.clear()
        self.complaints.clear()
        self._connection.heard = self._heard
        for domain in ("Network", "Log", "Runtime"):
            self._call(f"{domain}.enable")

    def press(self, key: str, *, shift: bool = False) -> None:
        """Press a key on the keyboard: `Tab`, `Enter`, `ArrowDown`, a letter."""
        code, text = _KEYS.get(key, (ord(key[0].upper()), key if len(key) == 1 else ""))
        about: dict[str, object] = {"key": key, "windowsVirtualKeyCode": code, "modifiers": 8 if shift else 0}
        self._call("Input.dispatchKeyEvent", type="keyDown", **about, **({"text": text} if text else {}))
        self._call("Input.dispatchKeyEvent", type="keyUp", **about)

    def prefer(self, **features: str) -> None:
        """Let the page believe that its reader has set these (`prefers_color_scheme="dark"`); none: what is usual."""
        given = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        self._call("Emulation.setEmulatedMedia", features=given)

    def heap(self) -> int:
        """Bytes that JavaScript uses, garbage collected."""
        self._call("HeapProfiler.collectGarbage")
        return int(self._call("Runtime.getHeapUsage")["usedSize"])

    def value(self, expression: str) -> Any:
        """The value of a JavaScript expression; a promise's once it is kept."""
        return self._evaluate(expression)

    def text(self) -> str:
        """All the text on the page."""
        return str(self._evaluate(_text_of("body")))

    def resize(self, width: int, height: int, scale: float = 1) -> None:
        """Give the page a window of so many CSS pixels, each `scale` pixels wide in a picture."""
        self._call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=False
        )

    def darken(self, dark: bool = True) -> None:
        """Let Chromium darken the page (its "auto dark mode for web contents"), for pages without a dark theme."""
        self._call("Emulation.setAutoDarkModeOverride", enabled=dark)

    def picture(self, selector: str = "") -> bytes:
        """What the window shows, or as much of it as the element that `selector` finds takes up, as PNG."""
        part: dict[str, object] = {}
        if selector:
            box = self.wait_for(f"document.querySelector({json.dumps(selector)})?.getBoundingClientRect().toJSON()")
            part["clip"] = {key: box[key] for key in ("x", "y", "width", "height")} | {"scale": 1}
        return base64.b64decode(
            self._call("Page.captureScreenshot", format="png", optimizeForSpeed=False, **part)["data"]
        )

    def _heard(self, event: Mapping[str, Any]) -> None:
        params = event.get("params", {})
        match event.get("method"):
            case "Network.requestWillBeSent":
                self.requested.append(params["request"]["url"])
            case "Log.entryAdded" if params["entry"]["level"] == "error":
                self.complaints.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")
            case "Runtime.exceptionThrown":
                details = params["exceptionDetails"]
                self.complaints.append(str(details.get("exception", {}).get("description", details["text"])))

    def _evaluate(self, expression: str) -> Any:
        answer = self._call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise BrowserError(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def _call(self, method: str, **params: object) -> dict[str, Any]:
        return self._connection.call(method, params, self._session)


@contextmanager
def chromium(folder: Path) -> Iterator[Page]:
    """Run Chromium with a new profile in `folder`, where its log goes too; raises `BrowserError` if there is none."""
    program = find()
    ours, theirs = socket.socketpair()
    # Chromium reads its orders from descriptor 3 and answers on 4.
    order = f'exec "$@" 3<&{theirs.fileno()} 4>&{theirs.fileno()}'
    command = ["bash", "-c", order, "bash", program, *_FLAGS, f"--user-data-dir={folder / 'chromium'}", "about:blank"]
    with (folder / "chromium.log").open("wb") as log:
        popen = subprocess.Popen(
            command,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    theirs.close()
    connection = _Connection(ours)
    try:
        target = connection.call("Target.createTarget", {"url": "about:blank"})["targetId"]
        session = connection.call("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        yield Page(connection, session)
    finally:
        ours.close()  # it ends when nobody is there to give orders
        _end(popen)


def find() -> str:
    """The program; raises `BrowserError` if there is none."""
    given = os.environ.get(VARIABLE)
    for name in [given] if given else NAMES:
        if program := shutil.which(name):
            return program
    raise BrowserError(f"no Chromium here: install one, or set {VARIABLE}=/path/to/it")


def _text_of(selector: str) -> str:
    """JavaScript for the text that a person reads there, to whom a space that doesn't break is a space."""
    return rf"(document.querySelector({json.dumps(selector)})?.innerText ?? '').replaceAll('\u00a0', ' ')"


def _end(popen: subprocess.Popen[bytes]) -> None:
    try:
        popen.wait(10)
    except subprocess.TimeoutExpired:
        os.killpg(popen.pid, signal.SIGKILL)
        popen.wait()


class _Connection:
    """The protocol's messages: JSON, each ended by a zero byte."""

    def __init__(self, stream: socket.socket) -> None:
        self._stream = stream
        self._unread = b""
        self._number = 0
        self._events: list[str] = []
        self.heard: Callable[[Mapping[str, Any]], None] = lambda _: None
        """Called with what happens."""

    def call(self, method: str, params: Mapping[str, object], session: str | None = None) -> dict[str, Any]:
        """The result of `method`; what happens until it is there is kept for `wait_for`."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        self._events.clear()
        self._stream.sendall(json.dumps(message | ({"sessionId": session} if session else {})).encode() + b"\0")
        deadline = time.monotonic() + TIMEOUT
        while (answer := self._receive(deadline, method)).get("id") != self._number:
            self._events.append(answer.get("method", ""))
        if "error" in answer:
            raise BrowserError(f"{method}: {answer['error'].get('message')}")
        return dict(answer["result"])

    def wait_for(self, event: str) -> None:
        """Until `event` has happened since the last call began."""
        deadline = time.monotonic() + TIMEOUT
        while event not in self._events:
            self._events.append(self._receive(deadline, event).get("method", ""))

    def _receive(self, deadline: float, awaited: str) -> dict[str, Any]:
        while b"\0" not in self._unread:
            self._stream.settimeout(max(0.001, deadline - time.monotonic()))
            try:
                data = self._stream.recv(1 << 20)
            except TimeoutError:
                raise BrowserError(f"Chromium doesn't answer ({awaited})") from None
            if not data:
                raise BrowserError(f"Chromium has ended ({awaited})")
            self._unread += data
        message, _, self._unread = self._unread.partition(b"\0")
        received = dict(json.loads(message))
        if "method" in received:
            self.heard(received)
        return received
