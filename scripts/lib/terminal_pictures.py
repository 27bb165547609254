"""What a terminal shows, as an SVG: text in cells, so that wide characters stand where a terminal puts them."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator
from html import escape
from itertools import groupby

from hunyuan_fix.columns import width
from scripts.lib.processes import StartError

COLUMNS = 100
_MOST_LINES = 42
_MOST_SAID = 12
"""Lines of `hunyuan-fix run`: what it says at its start, and some requests."""
_CELL = (8.43, 19)
"""Width and height of a character's cell, in pixels; the font is 14 pixels high."""
_EDGE = 16
_COLOURS = {"31": "#ff7b72", "32": "#7ee787", "33": "#e3b341", "36": "#79c0ff"}
_STYLES = {"1": 'font-weight="bold"', "2": 'opacity="0.65"', **{code: f'fill="{c}"' for code, c in _COLOURS.items()}}
"""ANSI code -> SVG attributes."""
_ESCAPE = re.compile(r"\x1b\[([\d;]*)m")
_LOCALES = {"en": "en_US.UTF-8", "zh": "zh_CN.UTF-8"}


def demo(language: str) -> bytes:
    """The beginning of `hunyuan-fix demo`: as many scenes as a picture holds. Raises `StartError` if it fails."""
    lines = _on_a_terminal("demo", language)
    starts = [number for number, line in enumerate(lines) if re.match(r"\d+  ", _ESCAPE.sub("", line))]
    end = max(start for start in (*starts, len(lines)) if start <= _MOST_LINES)
    return svg(["$ hunyuan-fix demo", "", *lines[:end]])


def run(said: str, home: str) -> bytes:
    """What `hunyuan-fix run` has `said` since it was ready. `home`: the folder to show as the user's own."""
    ready = said[said.index("\nhunyuan-fix ") :].strip("\n").replace(home, "/home/me")
    return svg(["$ hunyuan-fix run", "", *ready.splitlines()[:_MOST_SAID]], 120)


def svg(lines: list[str], columns: int = COLUMNS) -> bytes:
    """A picture of `lines`, which are broken where they are longer than `columns`. Styles are ANSI codes."""
    rows = [row for line in lines for row in _broken(_cells(line), columns)]
    across, down = _CELL
    size = (round(columns * across + 2 * _EDGE), len(rows) * down + 2 * _EDGE)
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size[0]} {size[1]}" font-size="14" '
        'font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, \'DejaVu Sans Mono\', monospace" fill="#e6edf3">',
        f'<rect width="{size[0]}" height="{size[1]}" rx="8" fill="#0d1117"/>',
    ]
    for number, row in enumerate(rows):
        y = _EDGE + (number + 1) * down - 5
        drawn += _texts(row, y)
    return "\n".join([*drawn, "</svg>\n"]).encode()


type _Cells = list[tuple[str, str]]
"""Characters, each with the codes of its style."""


def _cells(line: str) -> _Cells:
    cells: _Cells = []
    style = ""
    for piece in re.split(r"(\x1b\[[\d;]*m)", line):
        if code := _ESCAPE.fullmatch(piece):
            style = "" if code[1] in ("", "0") else f"{style};{code[1]}".strip(";")
        else:
            cells += [(character, style) for character in piece]
    return cells


def _broken(cells: _Cells, columns: int) -> Iterator[_Cells]:
    """As a terminal breaks it: at the last column, wherever that is."""
    row: _Cells = []
    used = 0
    for cell in cells:
        wide = width(cell[0])
        if used + wide > columns:
            yield row
            row, used = [], 0
        row.append(cell)
        used += wide
    yield row


def _texts(row: _Cells, y: int) -> Iterator[str]:
    """One text for each run of one style and one width; it takes its cells' room whatever font there is."""
    column = 0
    for (style, wide), run_ in groupby(row, lambda cell: (cell[1], width(cell[0]))):
        text = "".join(character for character, _ in run_)
        x, taken = _EDGE + column * _CELL[0], wide * len(text)
        column += taken
        if text.strip():
            attributes = " ".join(_STYLES[code] for code in style.split(";") if code in _STYLES)
            yield (
                f'<text x="{x:.2f}" y="{y}" textLength="{taken * _CELL[0]:.2f}" lengthAdjust="spacingAndGlyphs" '
                f'xml:space="preserve"{attributes and " " + attributes}>{escape(text, quote=False)}</text>'
            )


def _on_a_terminal(command: str, language: str) -> list[str]:
    """The lines of a command of hunyuan-fix that sees a terminal. Raises `StartError` if it fails."""
    ours, theirs = pty.openpty()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("HUNYUAN_", "LC_"))}
    environment |= {"LANG": _LOCALES[language], "TERM": "xterm-256color", "COLUMNS": str(COLUMNS)}
    environment |= {"PYTHONIOENCODING": "utf-8"}
    for name in ("NO_COLOR", "LANGUAGE"):
        environment.pop(name, None)
    program = [sys.executable, "-P", "-m", "hunyuan_fix.cli.main", command]
    with subprocess.Popen(program, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, env=environment) as popen:
        os.close(theirs)
        said = b""
        try:
            while data := os.read(ours, 1 << 16):
                said += data
        except OSError:  # EIO: the terminal's other side is closed
            pass
        finally:
            os.close(ours)
    text = said.decode().replace("\r\n", "\n")
    if popen.returncode:
        raise StartError(f"hunyuan-fix {command} failed:\n{text}")
    return text.splitlines()
