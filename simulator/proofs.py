"""What a model would do that is asked for the proof of a page of docs/clients: write a file, or ask a tool for a word.

Clients have tools of many names for a file: one with a path and a text is taken, else one that runs a command.
"""

import itertools
import re
from collections.abc import Mapping
from typing import Any

from .content import text_of
from .rows import Json

FILE, WORD = "proof.txt", "done"
EDIT = f"{FILE}\n```\n{WORD}\n```\n"
"""The file for clients that offer no tools and read edits out of the text, as aider does."""

_PATHS = ("file_path", "filePath", "filepath", "path", "absolute_path")
_TEXTS = ("content", "contents", "file_text", "new_text")
_COMMANDS = ("command", "cmd")
_FOLDER = re.compile(
    r"""(?:working|working in the|current) directory(?: is)?:?\s*[`'"(]*(/[^\s`'"<>)\]]+)|<cwd>(/[^<\s]+)""",
    re.IGNORECASE,
)


def asks_for_file(body: Json) -> bool:
    """Whether the user's last words ask for the file."""
    return FILE in _said(body)


def call(body: Json, offered: Mapping[str, Json]) -> tuple[str, dict[str, Any]] | None:
    """The tool to call, of those `offered`, and the arguments that count; `None` where no proof is asked for."""
    said = _said(body)
    if FILE in said:
        return _writing(body, offered)
    named = [name for name in offered if "_" in name and name.replace("_", " ") in said]
    return (named[0], {}) if named else None


def _said(body: Json) -> str:
    """The user's messages at the end: agents put reminders of their own behind what the user says."""
    last = itertools.takewhile(lambda message: message["role"] == "user", reversed(body["messages"]))
    return "\n".join(text_of(message) for message in last)


def _writing(body: Json, offered: Mapping[str, Json]) -> tuple[str, dict[str, Any]] | None:
    for name, function in offered.items():
        properties = _properties(function)
        path, text = _first(_PATHS, properties), _first(_TEXTS, properties)
        if path and text:
            return name, {path: f"{_folder(body)}{FILE}", text: WORD}
    for name, function in offered.items():
        properties = _properties(function)
        if command := _first(_COMMANDS, properties):
            words = f"printf {WORD} >{FILE}"
            takes_list = properties[command].get("type") == "array" if isinstance(properties[command], dict) else False
            return name, {command: ["bash", "-c", words] if takes_list else words}
    return None


def _properties(function: Json) -> Json:
    schema = function.get("parameters")
    properties = schema.get("properties") if isinstance(schema, dict) else None
    return properties if isinstance(properties, dict) else {}


def _first(names: tuple[str, ...], properties: Json) -> str:
    return next((name for name in names if name in properties), "")


def _folder(body: Json) -> str:
    """The folder that the client says it works in, with a slash; `""` where it doesn't say."""
    for message in body["messages"]:
        if found := _FOLDER.search(text_of(message)):
            return (found[1] or found[2]).rstrip("/.,") + "/"
    return ""
