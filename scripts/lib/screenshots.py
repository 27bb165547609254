"""Pictures of mitmweb with the change view for the README: a real rewritten request in a real browser.

Needs no network and no key: the endpoint is the simulator. mitmweb has no dark theme; the dark picture shows it as
Chromium darkens pages by itself ("auto dark mode for web contents"), as a person with that setting sees it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import httpx

from hunyuan_fix.cli.demo.platforms import PLATFORMS
from hunyuan_fix.cli.demo.scenes import READ_FILE
from scripts.lib import processes
from scripts.lib.browser import BrowserError, Page, chromium
from scripts.lib.mitmweb import mitmweb

MODEL = PLATFORMS["hunyuan"].text_model
FOLDER = processes.ROOT / "docs" / "images"
SIZE = (1120, 1180)
"""CSS pixels of the window."""
SCALE = 1.25
"""Pixels for each of them in a picture: text stays sharp where a page shows it smaller."""
_WIDER = -185
"""CSS pixels by which the flow's side gets wider at the list's expense."""
_COLUMNS = ("path", "status")

_CALL = {"id": "call_1", "type": "function", "function": {"name": "read_file", "arguments": '{"path":"checkout.ts"}'}}
AGENT_TURN: dict[str, Any] = {
    "model": MODEL,
    "messages": [
        {"role": "developer", "content": "You are a coding agent."},
        {"role": "user", "content": "Open files: checkout.ts"},
        {"role": "user", "content": "Why does the checkout crash?"},
        {"role": "assistant", "content": None, "tool_calls": [_CALL]},
        {"role": "tool", "tool_call_id": "call_1", "content": "42: cart.items.map(price)"},
        {"role": "user", "content": "Go on, and fix it."},
    ],
    "tools": [READ_FILE],
    "parallel_tool_calls": True,
}
"""What an agent sends in its second turn."""
PLAIN_TURN: dict[str, Any] = {"model": MODEL, "messages": [{"role": "user", "content": "Is all well?"}]}
"""What needs nothing."""


def main(arguments: list[str] | None = None) -> int:
    """Write both pictures; 1 if something did not start or the page did not show what it should."""
    parser = argparse.ArgumentParser("scripts/screenshots", description=__doc__.split("\n\n")[0])
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where to write them (default: docs/images)")
    folder = parser.parse_args(arguments).folder
    processes.end_with_sigterm()
    try:
        for name, picture in take().items():
            (folder / name).write_bytes(picture)
            print(f"{folder / name}: {len(picture):,} bytes")
    except (processes.StartError, BrowserError) as error:
        print(f"scripts/screenshots: {error}", file=sys.stderr)
        return 1
    return 0


def take() -> dict[str, bytes]:
    """The pictures, by file name; raises `StartError` and `BrowserError`."""
    with tempfile.TemporaryDirectory(prefix="hunyuan-fix-screenshots-") as name:
        folder = Path(name)
        shown = [argument for column in _COLUMNS for argument in ("--set", f"web_columns={column}")]
        with (
            processes.simulator(folder) as endpoint,
            mitmweb(folder, "--set", "hunyuan_hosts=127.0.0.1=hunyuan", *shown) as web,
            chromium(folder) as page,
        ):
            with httpx.Client(proxy=web.url, trust_env=False, headers={"authorization": "Bearer sk-demo"}) as client:
                for body in (PLAIN_TURN, AGENT_TURN, {**AGENT_TURN, "stream": True}):
                    client.post(f"{endpoint}/v1/chat/completions", json=body).raise_for_status()
            page.resize(*SIZE, SCALE)
            page.open(web.page)
            _show_changes(page)
            light = page.picture()
            page.darken()
            return {"mitmweb-light.png": light, "mitmweb-dark.png": page.picture()}


def _show_changes(page: Page) -> None:
    page.click(".flow-table tr", "🔧")
    page.wait_for_text(".flow-detail", "Hunyuan changes", "as it left")
    page.drag(".splitter-x > div", _WIDER)
    page.wait_for("document.fonts.status === 'loaded'")


if __name__ == "__main__":
    sys.exit(main())
