"""The folders of a run: placeholders stand for them in a recording, and those of the replaying run in their place.

A placeholder is `⟦cwd⟧`, or `⟦cwd:real⟧` for another spelling of the folder. What a text has of the bracket by itself
becomes `⟦lit⟧`, so that `put_back(taken_out(text))` is the text. Pure, and linear.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath, PureWindowsPath
from typing import Final
from urllib.parse import quote

OPEN: Final = "⟦"
_LITERAL: Final = "⟦lit⟧"
_PLACEHOLDER: Final = re.compile(r"⟦(lit|(?:cwd|home|tmp)(?::(?:real|name|home|url|slash|json|ascii))?)⟧")
_IN_JSON: Final = (":json", ":ascii")
_BEFORE: Final = r"(?<![A-Za-z0-9_.~}*-])"
_AFTER: Final = r"(?![A-Za-z0-9_-]|\.[A-Za-z0-9])"
"""A folder ends there: `/tmp/a` is neither in `/tmp/ab` nor in `/tmp/a.txt`."""


@dataclass(frozen=True, slots=True)
class Folders:
    """Where a program runs: the folder that it was started in, its user's home, the one for temporary files.

    `real`: their names without symbolic links, by `cwd`, `home`, `tmp`, where that differs.
    """

    cwd: str
    home: str
    tmp: str
    real: Mapping[str, str]


class Places:
    """The folders of one run, in every spelling."""

    def __init__(self, folders: Folders) -> None:
        self._spelt: dict[str, str] = {}
        """Placeholder, without its brackets -> how the folder is spelt here."""
        named = {"cwd": folders.cwd, "home": folders.home, "tmp": folders.tmp}
        for place, path in named.items():
            real = folders.real.get(place, path)
            for kind, spelt in _spellings(path, real, "" if place == "home" else folders.home).items():
                self._spelt[f"{place}:{kind}" if kind else place] = spelt
        found: dict[str, str] = {}
        for name, spelt in self._spelt.items():
            if len(PureWindowsPath(named[name.partition(":")[0]]).parts) > 1:  # the root is in every path
                found.setdefault(spelt, name)
        self._names = found
        alternatives = sorted(found, key=lambda spelt: (-len(spelt), spelt))
        self._search = re.compile(
            f"{_BEFORE}(?:{'|'.join(map(re.escape, alternatives))}){_AFTER}" if alternatives else r"(?!)"
        )
        self._escaped = {name: json.dumps(spelt, ensure_ascii=False)[1:-1] for name, spelt in self._spelt.items()}

    def taken_out(self, text: str) -> str:
        """`text` with placeholders for the folders."""
        if OPEN in text:
            text = text.replace(OPEN, _LITERAL)
        return self._search.sub(lambda found: f"{OPEN}{self._names[found[0]]}⟧", text)

    def put_back(self, text: str, *, in_json: bool = False) -> str:
        """`text` with the folders in the place of their placeholders; `in_json`: it is JSON, and stays JSON."""
        if OPEN not in text:
            return text
        spelt = self._escaped if in_json else self._spelt

        def folder(found: re.Match[str]) -> str:
            name = found[1]
            # An escaped spelling is escaped already.
            return OPEN if name == "lit" else (self._spelt if name.endswith(_IN_JSON) else spelt)[name]

        return _PLACEHOLDER.sub(folder, text)


def _spellings(path: str, real: str, home: str) -> dict[str, str]:
    """The ways in which a folder is written, by kind; `""` is the usual one.

    `name`: as Claude Code names the folder of a project. `home`: below the user's own, `~/…`.
    """
    below = _below(path, home)
    return {
        "": path,
        "real": real,
        "home": f"~/{below}" if below else path,
        "url": quote(path, safe="/:\\"),
        "slash": path.replace("\\", "/") if PureWindowsPath(path).drive else path,
        "json": json.dumps(path, ensure_ascii=False)[1:-1],
        "ascii": json.dumps(path)[1:-1],
        "name": re.sub(r"[^A-Za-z0-9]", "-", path),
    }


def _below(path: str, home: str) -> str:
    """The rest of `path` below `home`; `""`: it isn't there."""
    try:
        rest = PurePath(path).relative_to(home).as_posix() if home else ""
    except ValueError:
        return ""
    return "" if rest == "." else rest
