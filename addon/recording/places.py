"""The folders of a run: placeholders stand for them in a recording, and those of the replaying run in their place.

A placeholder is `⟦cwd⟧`, or `⟦cwd:real⟧` for another spelling of the folder. What a text has of the bracket by itself
becomes `⟦lit⟧`, so that `put_back(taken_out(text))` is the text. Pure, and linear.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath, PureWindowsPath
from typing import Any, Final
from urllib.parse import quote

from ..wire import secret_shapes

OPEN: Final = "⟦"
_LITERAL: Final = "⟦lit⟧"
_PLACEHOLDER: Final = re.compile(r"⟦(lit|(?:cwd|home|tmp)(?::(?:real|name|home|url|slash|json|ascii))?)⟧")
_IN_JSON: Final = (":json", ":ascii")
ARGUMENTS: Final = "arguments"
"""The field of a call that holds JSON as a text."""

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


class Masked:
    """Texts as they stand in a recording: without keys, and with placeholders for folders and for data."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self.secrets: dict[str, str] = {}
        """Values that are hidden wherever they stand, whatever they look like -> what stands in their place."""

    def text(self, text: str) -> str:
        """`text` as it is recorded."""
        if len(text) > _LEAST_DATA and (data := _data(text)) is not None:
            return data
        for value, name in self.secrets.items():
            if value in text:
                text = text.replace(value, name)
        return self._places.taken_out(secret_shapes.hidden(text))

    def value(self, value: Any) -> Any:
        """A copy of JSON, its texts as they are recorded. Names of fields stay."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if isinstance(value, dict):
            return {name: self.value(item) for name, item in value.items()}
        return value

    def put_back(self, value: Any, *, in_json: bool = False) -> Any:
        """The reverse, for an answer: with the folders of this run. Keys stay hidden."""
        if isinstance(value, str):
            return self._places.put_back(value, in_json=in_json)
        if isinstance(value, list):
            return [self.put_back(item) for item in value]
        if isinstance(value, dict):
            return {name: self.put_back(item, in_json=name == ARGUMENTS) for name, item in value.items()}
        return value


_LEAST_DATA: Final = 1_000
"""Characters. What is shorter is readable enough."""
_DATA: Final = re.compile(r"(data:[A-Za-z0-9.+/-]{0,80};base64,)?[A-Za-z0-9+/_-]{1000,}+={0,2}")


def _data(text: str) -> str | None:
    """What stands for an image or a file in base64, which is `text` alone; `None`: it is something else."""
    found = _DATA.fullmatch(text)
    if found is None:
        return None
    digest = hashlib.sha256(text.encode()).hexdigest()[:32]
    return f"{found[1] or ''}⟦data {len(text)} {digest}⟧"
