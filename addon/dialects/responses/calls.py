"""Tool calls of a chat answer as the items of the tools that the client offered: all but plain functions.

Each such tool is a function for the model (`tools` of the request half), whose arguments are read back here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from ...exchange import JsonObject
from ...rules import arguments
from ...wire import json_body

INPUT: Final = "input"
"""The key of a custom tool's text in the arguments of its function."""
_KEYS: Final = ("patch", "content", "code", "script", "text")
"""Where models put it instead, the best first."""
_BEGIN: Final = "*** Begin Patch"
_PATCH: Final = re.compile(r"\*\*\* Begin Patch\b.*?(?:^\*\*\* End Patch\b|\Z)", re.DOTALL | re.MULTILINE)
_FENCED: Final = re.compile(r"```[^\n`]*\n(.*?)\n?```", re.DOTALL)
_HEREDOC: Final = re.compile(r"([\w.-]*)[ \t]*<<-?[ \t]*(['\"]?)(\w{1,40})\2[ \t]*\n(.*?)\n?\3", re.DOTALL)
_MOST_WRAPPERS: Final = 4
_NEVER_FENCED: Final = frozenset(["apply_patch", "exec"])
"""Codex's custom tools: no input of theirs begins with a fence or a heredoc. That of other tools may."""


@dataclass(frozen=True, slots=True)
class Type:
    """The items of one kind of tool."""

    type: str
    prefix: str
    """How their ids begin."""
    made: Callable[[str, str], JsonObject]
    """The item's own fields, of the tool's name for the client and of the call's arguments."""


def type_of(tool: JsonObject) -> Type | None:
    """The items of a tool as the note has it; `None` for functions."""
    kind = tool.get("kind")
    return _TYPES.get(kind) if isinstance(kind, str) else None


def unwrapped(name: str, text: str) -> str:
    """The input of the custom tool `name` in the arguments `text` of a call.

    What stands under `input` is the input. Models also write it under another key, as a shell command, as a heredoc,
    between fences or as it is (farion1231/cc-switch#3669).
    """
    found, asked = _in_object(text)
    if asked and name not in _NEVER_FENCED:
        return found
    is_patch = name == "apply_patch"
    for _ in range(_MOST_WRAPPERS):
        if is_patch and found.startswith(_BEGIN):
            return found
        inner = _in_wrapper(name, found)
        if inner == found and is_patch:
            inner, _asked = _in_object(found)
        if inner == found:
            break
        found = inner
    patch = _PATCH.search(found) if is_patch else None
    return found if patch is None else patch[0]


def _in_object(text: str) -> tuple[str, bool]:
    """What stands in a JSON object, and whether it does so where it was asked for; other texts as they are."""
    value = json_body.parse_object(text.encode("utf-8", "replace")) if text.lstrip().startswith("{") else None
    if value is None:
        return text, False
    if INPUT in value:
        return _text(value[INPUT]), True
    for key in _KEYS:
        if isinstance(value.get(key), str):
            return value[key], False
    command = value.get("command", value.get("cmd"))
    if isinstance(command, list) and command and isinstance(command[-1], str):
        return command[-1], False
    if len(value) == 1 and isinstance(only := next(iter(value.values())), str):
        return only, False
    return text if value else "", False


def _in_wrapper(name: str, text: str) -> str:
    stripped = text.strip()
    if found := _FENCED.fullmatch(stripped):
        return text if "```" in found[1] else found[1]
    if (found := _HEREDOC.fullmatch(stripped)) and found[1] in ("", name):
        return found[4]
    return text


def _custom(name: str, text: str) -> JsonObject:
    return {"name": name, "input": unwrapped(name, text)}


def _tool_search(_name: str, text: str) -> JsonObject:
    return {"execution": "client", "arguments": _object(text)}


def _local_shell(_name: str, text: str) -> JsonObject:
    given = _nested(_object(text), "action")
    env = given.get("env")
    action: JsonObject = {
        "type": "exec",
        "command": _words(given.get("command", given.get("cmd"))),
        "env": {str(key): str(value) for key, value in env.items()} if isinstance(env, dict) else {},
    }
    for key, kind in (("timeout_ms", int), ("user", str), ("working_directory", str)):
        if type(given.get(key)) is kind:
            action[key] = given[key]
    return {"action": action}


def _shell(_name: str, text: str) -> JsonObject:
    given = _nested(_object(text), "action")
    commands = given.get("commands", given.get("command"))
    listed = commands if isinstance(commands, list) else [] if commands is None else [commands]
    action: JsonObject = {"commands": [one if isinstance(one, str) else _text(one) for one in listed]}
    for key in ("timeout_ms", "max_output_length"):
        if type(given.get(key)) is int:
            action[key] = given[key]
    return {"action": action}


def _apply_patch(_name: str, text: str) -> JsonObject:
    given = _nested(_object(text), "operation")
    kind = given.get("type")
    kind = kind if kind in ("create_file", "update_file", "delete_file") else "update_file"
    operation: JsonObject = {"type": kind, "path": _text(given.get("path", ""))}
    if kind != "delete_file":
        operation["diff"] = _text(given.get("diff", given.get("patch", "")))
    return {"operation": operation}


def _nested(given: JsonObject, key: str) -> JsonObject:
    """The object under `key`, also where a model wrote it as text, or its fields without it."""
    inner = given.get(key)
    if isinstance(inner, str):
        inner = json_body.parse_object(inner.encode("utf-8", "replace"))
    return inner if isinstance(inner, dict) else given


def _object(text: str) -> JsonObject:
    found = json_body.parse_object(arguments.as_object(text).encode("utf-8", "replace"))
    return {arguments.KEPT_AS: text} if found is None else found


def _words(command: Any) -> list[str]:
    """A command's words; of a command in one text a shell makes them."""
    if isinstance(command, list):
        return [_text(word) for word in command]
    return [] if command is None else ["bash", "-lc", _text(command)]


def _text(value: object) -> str:
    return value if isinstance(value, str) else json_body.serialise(value).decode()


_TYPES: Final[dict[str, Type]] = {
    "custom": Type("custom_tool_call", "ctc", _custom),
    "tool_search": Type("tool_search_call", "tsc", _tool_search),
    "local_shell": Type("local_shell_call", "lsh", _local_shell),
    "shell": Type("shell_call", "sh", _shell),
    "apply_patch": Type("apply_patch_call", "apc", _apply_patch),
}
"""By the kind of the tool in the note."""
