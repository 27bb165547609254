"""Tools: each that the client or its user runs becomes a function; those that a vendor runs are said in words.

1. A tool of the client's own becomes a function with the same schema.
2. One that the vendor trained its models for and the client runs (bash, text editor, memory, computer) has no schema in
   the request: it is in `client_tools.toml`.
3. One that the vendor runs (web search, code execution, MCP servers …) can't be had in chat: the system text says so.
4. A deferred tool (`defer_loading`) is sent once the history has found or called it, at the end of the list and in the
   order in which they were found: what stands before it keeps its bytes (docs/facts/anthropic.md#tools).
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Final

from ...exchange import JsonObject
from ...wire import json_body
from .. import in_words
from ..base import BadRequest
from ..names import Names
from ..searching import SEARCHES, WEB_SEARCH, Wanted
from ..told import Told
from . import content, words
from .history import History

_TOOL_SEARCH: Final = "tool_search_tool_"
"""How the types of Anthropic's own tool search begin."""
_PLACEHOLDER: Final = "DeferredToolPlaceholder"
"""Claude Code's, which stands for tools that are deferred and is never to be called."""
_WEB_SEARCH: Final = "web_search_2"
"""How the types of Anthropic's own web search begin."""
CHOICES: Final = {"auto": "auto", "any": "required", "none": "none", "required": "required"}
"""Types of `tool_choice` -> chat's words."""
_SENT: Final = frozenset(["name", "type", "description", "input_schema", "strict", "input_examples", "defer_loading"])
"""Fields of a tool that are sent, or whose meaning is."""


@dataclass(slots=True)
class Offered:
    """What the request offers."""

    functions: list[JsonObject] = field(default_factory=list)
    """Chat's tools."""
    missing: list[str] = field(default_factory=list)
    """A line for each tool that can't be had, for the system text."""
    search: Wanted | None = None
    """What may be searched for in the web, by a function of the proxy's."""


def names_of(given: object) -> list[str]:
    """The names of the tools in `tools`, whatever it is."""
    listed = given if isinstance(given, list) else []
    return [tool["name"] for tool in listed if isinstance(tool, dict) and isinstance(tool.get("name"), str)]


def offered(body: JsonObject, history: History, names: Names, told: Told, offers: Sequence[str] = ()) -> Offered:
    """The tools of a request whose messages are `history`. `offers`: the vendor's tools that the proxy stands in for.

    Raises `BadRequest`.
    """
    found = Offered()
    listed = _listed(body.get("tools"))
    chosen = words.tool_name(body.get("tool_choice"))

    def waits(tool: JsonObject) -> bool:
        """Whether a tool is deferred, and neither found nor called nor chosen."""
        name = tool.get("name")
        known = isinstance(name, str) and (name in history.mentioned or name == chosen)
        return tool.get("defer_loading") is True and not known

    # A vendor's own search can't be had: all tools are sent then. So they are where else there would be none.
    all_are_sent = any(map(is_search, listed)) or all(map(waits, listed))
    deferred: dict[str, JsonObject] = {}
    for index, tool in enumerate(listed):
        pointer = f"/tools/{index}"
        if waits(tool) and (not all_are_sent or tool.get("name") == _PLACEHOLDER):
            told.count(pointer, "a deferred tool is left out until the history has found it")
            continue
        if found.search is None and WEB_SEARCH in offers and is_web_search(tool):
            found.search = _wanted(tool, pointer, names, told)
            found.functions.append({"type": "function", "function": {"name": found.search["tool"], **SEARCHES}})
            continue
        function = _function(tool, pointer, names, told)
        if function is None:
            found.missing.append(in_words.missing(described(tool)))
            told.say(pointer, "a tool that its vendor runs can't be had in chat: the system text says so")
        elif tool["name"] in history.removed:
            told.say(pointer, "a tool that the history has removed is left out")
        elif tool.get("defer_loading") is True and not all_are_sent:
            deferred[tool["name"]] = function
        else:
            found.functions.append(function)
    for tool in history.added:
        function = _function(tool, "/messages", names, told)
        if function is not None and tool["name"] not in history.removed:
            deferred.setdefault(tool["name"], function)
    found.functions += [deferred.pop(name) for name in [*history.mentioned, *deferred] if name in deferred]
    # Each once, whether a toolset names its server or not.
    found.missing = list(dict.fromkeys(found.missing + _missing_servers(body.get("mcp_servers"), told)))
    return found


def is_search(tool: JsonObject) -> bool:
    """Whether `tool` is the vendor's own search for deferred tools."""
    return str(tool.get("type")).startswith(_TOOL_SEARCH)


def is_web_search(tool: JsonObject) -> bool:
    """Whether `tool` is the vendor's own search of the web."""
    return str(tool.get("type")).startswith(_WEB_SEARCH)


def plain(tool: JsonObject) -> JsonObject | None:
    """`tool`, whose type its vendor named, as one of the client's own; `None` where its vendor runs it."""
    known = _client_tool(tool.get("type"))
    if known is None and "input_schema" not in tool:
        return None
    made = {
        key: value for key, value in tool.items() if key in ("name", "description", "input_schema", "cache_control")
    }
    if known is not None and "input_schema" not in tool:
        schema = json_body.parse(known["input_schema"].encode())
        made |= {"description": _filled(known["description"], tool), "input_schema": schema}
    return made


def with_examples(tool: JsonObject) -> JsonObject:
    """`tool` with its `input_examples` in its description."""
    made = {key: value for key, value in tool.items() if key != "input_examples"}
    return made | {"description": _exemplified(tool.get("description"), tool["input_examples"])}


def _exemplified(description: object, examples: object) -> str:
    return f"{description or ''}\n\nExamples of its input: {in_words.as_json(examples)}".strip()


def choice(body: JsonObject, functions: list[JsonObject], names: Names, told: Told) -> JsonObject:
    """`tool_choice` and `parallel_tool_calls`, as far as they are asked for. Raises `BadRequest`."""
    given = body.get("tool_choice")
    if given is None:
        return {}
    if isinstance(given, str):
        given = {"type": given}
    if not isinstance(given, dict):
        raise BadRequest('tool_choice: must be an object, such as {"type": "auto"}.', "tool_choice")
    if not functions:
        told.say("/tool_choice", "there is no tool to choose: dropped")
        return {}
    chosen: JsonObject = {}
    kind, name = given.get("type"), given.get("name")
    if kind == "tool" and isinstance(name, str):
        chosen["tool_choice"] = {"type": "function", "function": {"name": names.sent(name)}}
    elif isinstance(kind, str) and kind in CHOICES:
        chosen["tool_choice"] = CHOICES[kind]
    else:
        told.say("/tool_choice", "a choice that chat has no word for is dropped")
    if given.get("disable_parallel_tool_use") is True:
        chosen["parallel_tool_calls"] = False
    return chosen


def _listed(given: object) -> list[JsonObject]:
    if given is None:
        return []
    if not isinstance(given, list):
        raise BadRequest("tools: must be a list of tools.", "tools")
    for index, tool in enumerate(given):
        if not isinstance(tool, dict):
            where = f"tools.{index}"
            raise BadRequest(f"{where}: must be a tool, an object with name and input_schema.", where)
    return given


def _function(tool: JsonObject, pointer: str, names: Names, told: Told) -> JsonObject | None:
    """The chat tool for a tool; `None` where its vendor runs it. Raises `BadRequest`."""
    kind, name = tool.get("type"), tool.get("name")
    known = _client_tool(kind)
    if known is None and "input_schema" not in tool and kind not in (None, "custom"):
        return None
    if not isinstance(name, str):
        where = content.dotted(f"{pointer}/name")
        raise BadRequest(f"{where}: must be a text that names the tool.", where)
    function: JsonObject = {"name": names.sent(name)}
    description, schema = tool.get("description"), tool.get("input_schema")
    if known is not None and schema is None:
        # Read anew each time: the rules work on a schema in place.
        description, schema = _filled(known["description"], tool), json_body.parse(known["input_schema"].encode())
        told.say(pointer, "a tool without a schema gets the one that its type stands for")
    if tool.get("input_examples"):
        told.count(pointer, "examples of a tool's input are part of its description")
        description = _exemplified(description, tool["input_examples"])
    if description is not None:
        function["description"] = description
    if schema is not None:
        function["parameters"] = schema
    if tool.get("strict") is True:
        function["strict"] = True
    if known is None and not tool.keys() <= _SENT:
        told.count(pointer, "fields of a tool that only its vendor acts on are dropped")
    return {"type": "function", "function": function}


def _wanted(tool: JsonObject, pointer: str, names: Names, told: Told) -> Wanted:
    """What a `web_search` tool asks for."""
    name = tool.get("name")
    wanted = Wanted(tool=names.sent(name if isinstance(name, str) and name else WEB_SEARCH))
    uses = tool.get("max_uses")
    if isinstance(uses, int) and uses > 0:
        wanted["max_uses"] = uses
    for key in ("allowed_domains", "blocked_domains"):
        given = tool.get(key)
        domains = [domain for domain in given if isinstance(domain, str)] if isinstance(given, list) else []
        if domains:
            wanted[key] = domains
    if tool.get("user_location"):
        told.say(pointer, "the search program isn't told where the user is")
    return wanted


def _missing_servers(given: object, told: Told) -> list[str]:
    """A line for each MCP server that its vendor would have asked."""
    lines: list[str] = []
    for index, server in enumerate(given if isinstance(given, list) else []):
        named = {"mcp_server_name": server.get("name")} if isinstance(server, dict) else {}
        lines.append(in_words.missing(described(named)))
        told.say(f"/mcp_servers/{index}", "an MCP server can't be asked in chat: the system text says so")
    return lines


def described(tool: JsonObject) -> str:
    """How the system text calls a tool that can't be had."""
    server = tool.get("mcp_server_name")
    if isinstance(server, str):
        return f"The MCP server {server}"
    name, kind = tool.get("name"), tool.get("type")
    return f"The tool {next((word for word in (name, kind) if isinstance(word, str) and word), 'without a name')}"


def _filled(description: str, tool: JsonObject) -> str:
    """A description with the numbers of this tool in the place of its {names}."""
    return description.format_map({name: tool.get(name, "?") for name in ("display_width_px", "display_height_px")})


def _client_tool(kind: object) -> Mapping[str, str] | None:
    """The tool that the client runs for a type such as `bash_20250124`; `None` for any other type."""
    if not isinstance(kind, str):
        return None
    return next((known for beginning, known in _client_tools().items() if kind.startswith(beginning)), None)


@cache
def _client_tools() -> Mapping[str, Mapping[str, str]]:
    """Beginning of a type -> description and schema, which is JSON."""
    text = resources.files(__package__).joinpath("client_tools.toml").read_text(encoding="utf-8")
    return {beginning: tool for tool in tomllib.loads(text)["tools"] for beginning in tool["types"]}
