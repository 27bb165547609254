"""mitmweb's style sheet under `run --web`: its own, and what the column with the comments needs.

Its own right-aligns comments and gives them 150 pixels, as it does with numbers. It has no option for either.
"""

from __future__ import annotations

from pathlib import Path

from tornado.web import Application, RequestHandler

_SHEET = r"/static/(index-[\w-]+\.css)"
_ADDED = """
.flow-table .col-comment { width: auto; padding-right: 12px; }
.flow-table td.col-comment { text-align: left; }
.flow-table .col-status { width: 60px; }
.flow-table .col-time { width: 60px; padding-right: 8px; text-align: right; }
"""


class _StyleSheet(RequestHandler):
    """Its own sheet from `folder`, and the rules that are added."""

    def initialize(self, folder: Path) -> None:
        self._folder = folder

    def get(self, name: str) -> None:
        sheet = self._folder / name
        if not sheet.is_file():
            self.send_error(404)
            return
        self.set_header("content-type", "text/css; charset=utf-8")
        self.write(sheet.read_text("utf-8") + _ADDED)


def add(app: Application) -> None:
    """Let mitmweb's `app` serve its style sheet with the added rules."""
    app.add_handlers(".*", [(_SHEET, _StyleSheet, {"folder": Path(app.settings["static_path"])})])
