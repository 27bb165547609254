"""Settings files of clients: which there are, what they say, and the text in which one value is another.

`client_files.toml` says where the files are and what in them matters. No value is shown from here: a file may
hold keys.
"""

from __future__ import annotations

import copy
import json
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import islice
from pathlib import Path
from string import Template
from types import MappingProxyType
from typing import Any, Literal

from .base_urls import Api

type Keys = tuple[str | int, ...]
"""The way to a value: keys of tables, and places in lists."""

MAX_SIZE = 1 << 20
"""Bytes of a file that is read: settings have a few thousand."""

_MOST_PLACES = 50
"""Places of one text that are tried: each takes the time to read the file once."""

_TOKEN = re.compile(r'"(?:\\.|[^"\\\n])*"|//[^\n]*|/\*.*?\*/|,(?=(?:\s|//[^\n]*|/\*.*?\*/)*[}\]])', re.DOTALL)
"""Of JSON with comments: a string, a comment, or a comma at the end of a list or an object."""
_TOML_LINE = re.compile(r"\(at line (\d+), column \d+\)")


@dataclass(frozen=True, slots=True)
class Client:
    """What is known of one client's files. `client_files.toml` says what each field means."""

    name: str
    title: str
    syntax: Literal["json", "toml"]
    folder: tuple[str, str]
    files: tuple[str, ...]
    base_urls: Mapping[str, Api]
    comments: bool = False
    variables: str = ""
    proxies: tuple[str, ...] = ()

    def paths(self, environment: Mapping[str, str], project: Path) -> Iterator[Path]:
        """Each of its files that is there, once, in the order of the table."""
        variable, default = self.folder
        home = environment.get("HOME") or str(Path.home())
        known = {**environment, "folder": environment.get(variable) or default}
        seen: set[Path] = set()
        for name in self.files:
            filled = Template(name).safe_substitute(known)
            if filled.startswith("$"):
                continue
            if filled.startswith("~/"):
                filled = home + filled[1:]
            path = project / filled
            if os.path.isfile(path) and path.resolve() not in seen:
                seen.add(path.resolve())
                yield path

    def parse(self, text: str) -> Mapping[str, Any]:
        """What a file says. Raises `Broken`."""
        try:
            if self.syntax == "toml":
                return tomllib.loads(text)
            read = json.loads(_without_comments(text) if self.comments else text)
        except tomllib.TOMLDecodeError as error:
            line = _TOML_LINE.search(str(error))
            raise Broken(int(line[1]) if line else text.count("\n") + 1) from None
        except json.JSONDecodeError as error:
            raise Broken(error.lineno) from None
        except (RecursionError, ValueError):  # ValueError: an integer of more digits than Python reads
            raise Broken(1) from None
        if not isinstance(read, dict):
            raise Broken(1)
        return read


class Broken(Exception):
    """A file can't be read: `line` is where the fault was found. The text is not quoted: it may hold a key."""

    def __init__(self, line: int) -> None:
        super().__init__(f"line {line}")
        self.line = line


@dataclass(frozen=True, slots=True)
class ClientFile:
    """One file that was read."""

    client: Client
    path: Path
    text: str
    data: Mapping[str, Any]

    def strings(self, place: str) -> Iterator[tuple[Keys, str]]:
        """Each text at `place`, which is keys with slashes and `*` for any: its keys, and the text."""
        yield from _found(self.data, tuple(place.split("/")), ())

    def variables(self) -> Mapping[str, str]:
        """The variables that it sets for its client, which are stronger than the environment."""
        given = self.data.get(self.client.variables) if self.client.variables else None
        return {
            name: value for name, value in (given if isinstance(given, dict) else {}).items() if isinstance(value, str)
        }

    def line_of(self, keys: Keys) -> int | None:
        """The line of the text at `keys`; `None` if it can't be told."""
        found = self._place(keys, "")
        return None if found is None else self.text.count("\n", 0, found[0]) + 1

    def with_text(self, keys: Keys, new: str) -> str | None:
        """The whole file with the text at `keys` being `new`, and all else as it stands, comments and blanks too.

        `None` if the text is written in a way that isn't found, as one over several lines.
        """
        found = self._place(keys, new)
        if found is None:
            return None
        start, end = found
        return self.text[:start] + json.dumps(new, ensure_ascii=False) + self.text[end:]

    def _place(self, keys: Keys, new: str) -> tuple[int, int] | None:
        """Where the text at `keys` stands: the place at which another text changes that value and nothing else."""
        old = _at(self.data, keys)
        new = new or f"{old}-"
        wanted = copy.deepcopy(self.data)
        holder = _at(wanted, keys[:-1])
        holder[keys[-1]] = new
        for literal in {
            json.dumps(old),
            json.dumps(old, ensure_ascii=False),
            json.dumps(old).replace("/", "\\/"),
            f"'{old}'",
        }:
            for match in islice(re.finditer(re.escape(literal), self.text), _MOST_PLACES):
                changed = self.text[: match.start()] + json.dumps(new) + self.text[match.end() :]
                try:
                    if self.client.parse(changed) == wanted:
                        return match.span()
                except Broken:
                    continue
        return None


def read(client: Client, path: Path) -> ClientFile:
    """The file at `path`. Raises `OSError`, also for one that is too large, and `Broken`."""
    data = path.read_bytes()
    if len(data) > MAX_SIZE:
        raise OSError(27, "File too large")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Broken(data.count(b"\n", 0, error.start) + 1) from None
    return ClientFile(client, path, text, client.parse(text))


@cache
def clients() -> Mapping[str, Client]:
    """All clients whose files are known, by name."""
    tables = tomllib.loads(resources.files(__package__).joinpath("client_files.toml").read_text("utf-8"))
    return MappingProxyType({name: _client(name, table) for name, table in tables.items()})


def _client(name: str, table: Mapping[str, Any]) -> Client:
    fields: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}
    return Client(name=name, **fields)


def _found(data: Any, place: tuple[str, ...], keys: Keys) -> Iterator[tuple[Keys, str]]:
    if not place:
        if isinstance(data, str):
            yield keys, data
        return
    below: Mapping[Any, Any] = {}
    if isinstance(data, dict):
        below = data
    elif isinstance(data, list):
        below = dict(enumerate(data))
    for key, value in below.items():
        if place[0] in ("*", key):
            yield from _found(value, place[1:], (*keys, key))


def _at(data: Any, keys: Keys) -> Any:
    for key in keys:
        data = data[key]
    return data


def _without_comments(text: str) -> str:
    """JSON without comments and commas at an end, each replaced by blanks: all else keeps its line and column."""
    return _TOKEN.sub(lambda match: match[0] if match[0][0] == '"' else re.sub(r"[^\n]", " ", match[0]), text)
