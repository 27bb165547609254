"""The pictures of the documentation: mitmweb's page and our own before real requests, and the terminal.

Needs no network and no key: `hunyuan-fix run --web` is the real one, and the simulator stands in for TokenHub under its
name. mitmweb has no dark theme; the dark pictures show it as Chromium darkens pages by itself ("auto dark mode for web
contents"), as a person with that setting sees it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from hunyuan_fix.texts import LANGUAGES
from scripts.lib import page_pictures, pictured_traffic, processes, repair_picture, terminal_pictures
from scripts.lib.browser import BrowserError, Page, chromium
from scripts.lib.mitmweb import run_web

FOLDER = processes.ROOT / "docs" / "images"
SCALE = 1.25
"""Pixels for each CSS pixel in a picture: text stays sharp where a page shows it smaller."""
LIST_SIZE = (1200, 560)
"""CSS pixels of the window that shows the list. A page of GitHub shows a picture 840 pixels wide."""
VIEW_SIZE = (1400, 990)
"""CSS pixels of the window whose right side, a request, is pictured."""
STREAM_HEIGHT = 470
FRONT_SIZE = (760, 310)
"""CSS pixels of the window that shows the page at the reverse port."""
_WIDER = -160
"""CSS pixels by which the request's side gets wider at the list's expense."""
_PANE, _ROWS = ".flow-detail", ".flow-table tr"
_TIMINGS = {"en": "timings", "zh": "耗时"}
_SIDE_BY_SIDE = {"en": "─── side by side", "zh": "─── 左右对照"}
_SUFFIXES = {"en": "", "zh": ".zh-CN"}
"""Language -> what stands in the names of its pictures."""


def main(arguments: list[str] | None = None) -> int:
    """Write all pictures; 1 if something did not start or a page did not show what it should."""
    parser = argparse.ArgumentParser("scripts/screenshots", description=__doc__.split("\n\n")[0])
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where to write them (default: docs/images)")
    parser.add_argument("--language", choices=LANGUAGES, action="append", help="of the pictures (default: both)")
    given = parser.parse_args(arguments)
    processes.end_with_sigterm()
    try:
        for language in given.language or LANGUAGES:
            for name, picture in take(language):
                (given.folder / name).write_bytes(picture)
                print(f"{given.folder / name}: {len(picture):,} bytes")
    except (processes.StartError, BrowserError, repair_picture.ChangedError) as error:
        print(f"scripts/screenshots: {error}", file=sys.stderr)
        return 1
    return 0


def take(language: str) -> Iterator[tuple[str, bytes]]:
    """File name and content of each picture in `language`; raises `StartError`, `BrowserError`, `ChangedError`."""
    name = _SUFFIXES[language]
    with tempfile.TemporaryDirectory(prefix="hunyuan-fix-screenshots-") as made:
        folder = Path(made)
        config = folder / "options.yaml"
        config.write_text(f"concurrency: {pictured_traffic.SLOTS}\n", "utf-8")
        options = ["--language", language, "--set", f"hunyuan_config={config}"]
        with (
            pictured_traffic.endpoint(folder) as endpoint,
            run_web(folder, endpoint.ca, endpoint.redirects, *options) as web,
            closing(pictured_traffic.Clients(web.url, web.ca, endpoint)) as clients,
            chromium(folder) as page,
        ):
            page.resize(*LIST_SIZE, SCALE)
            page.open(web.page)
            clients.a_day()
            # 1. The list, and a request's changes.
            page.wait_for_text(".flow-table", "401007")
            yield f"mitmweb-list{name}.png", page.picture()
            _show(page, "cascade", _TIMINGS[language])
            page.drag(".splitter-x > div", _WIDER)
            yield from _both(page, f"mitmweb{name}", _PANE)
            # 2. Claude Code's request, translated: both conversations side by side.
            config.write_text("translate: always\n", "utf-8")
            web.process.wait_for(r"options\.yaml.*hunyuan_translate")
            clients.claude_code()
            _show(page, "claude-code", _SIDE_BY_SIDE[language])
            page.scroll_to(_PANE, _SIDE_BY_SIDE[language])
            yield f"mitmweb-claude-code{name}.png", page.picture(_PANE)
            # 3. A stream that runs.
            with clients.stream():
                page.resize(VIEW_SIZE[0], STREAM_HEIGHT, SCALE)
                page.click(_ROWS, " · merge", last=True)
                page.click(f"{_PANE} nav a", "Response")
                page.wait_for_text(_PANE, "cart.items")
                yield f"mitmweb-stream{name}.png", page.picture(_PANE)
            # 4. The page in a browser of one's own.
            yield from page_pictures.take(page, web.admin, clients, language, name)
            # 5. The reverse port's page, and the terminal.
            page.resize(*FRONT_SIZE, SCALE)
            page.open(web.reverse_url)
            yield f"front-page{name}.png", page.picture()
            yield f"run{name}.svg", terminal_pictures.run(web.process.said(), str(folder))
    yield f"demo{name}.svg", terminal_pictures.demo(language)
    yield repair_picture.PICTURES[language], repair_picture.make(language).encode()


def _both(page: Page, name: str, selector: str) -> Iterator[tuple[str, bytes]]:
    """The light and the dark picture."""
    page.wait_for("document.fonts.status === 'loaded'")
    yield f"{name}-light.png", page.picture(selector)
    page.darken()
    yield f"{name}-dark.png", page.picture(selector)
    page.darken(False)


def _show(page: Page, row: str, *texts: str) -> None:
    """Open the request whose row of the list holds `row`, at a pane as wide as pictures are, until it shows `texts`."""
    page.resize(*VIEW_SIZE, SCALE)
    page.click(_ROWS, row, last=True)
    page.click(f"{_PANE} nav a", "Request")
    page.wait_for_text(_PANE, *texts)


if __name__ == "__main__":
    sys.exit(main())
