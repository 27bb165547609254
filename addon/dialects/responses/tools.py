"""Tools: each that the client runs becomes a function; those that a vendor runs are said in words.

1. A function stays one. One in a namespace (an MCP server, Codex's sub-agents) is called by both names.
2. A custom tool, which takes free text, becomes a function with that text as its one argument, `input`.
3. A tool that the vendor's models know by its type alone (shell, apply_patch, tool search) gets the schema that its
   type stands for: `built_in_tools.toml`.
4. One that the vendor runs (web search, file search, code interpreter, MCP …) can't be had in chat: the system text
   says so. A web search can, where the proxy makes it.
5. A deferred tool is sent once the client's own search has found it, or once it is called: at the end of the list, so
   that what stands before keeps its bytes. Without a search of the client's all are sent.

`note["tools"]` has what leads back: name in chat -> kind, name and namespace for the client.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any, Final

from ...exchange import JsonObject
from ...wire import json_body
from .. import in_words
from ..base import BadRequest
from ..names import Names
from ..pieces import BLANK_LINE
from ..searching import SEARCHES, WEB_SEARCH, Wanted
from ..told import Told
from . import calls, content, words

_BETWEEN: Final = "__"
"""Stands between a namespace and a name."""
_INPUT: Final = {
    "type": "object",
    "properties": {calls.INPUT: {"type": "string", "description": "The text itself, without fences and without JSON."}},
    "required": [calls.INPUT],
}
_HOSTED: Final = ("web_search", "file_search", "code_interpreter", "image_generation", "computer", "mcp")
"""How the types of tools begin that the vendor runs, or whose calls are no calls of functions."""
_SILENT: Final = frozenset(["programmatic_tool_calling", "tool_search"])
"""Types that are no tools of their own: ways in which the vendor calls or finds the others. All are sent instead."""
SENT: Final = frozenset(["type", "name", "description", "parameters", "strict", "format", "defer_loading", "execution"])
"""Fields of a tool that are sent, or whose meaning is."""
_SCHEMAS: Final = ("input_schema", "inputSchema")
"""What Anthropic's API and MCP call a tool's `parameters`."""


def names_of(body: JsonObject) -> Iterator[str]:
    """What the tools in `tools` would be called in chat, whatever it is."""
    for tool in objects_in(body.get("tools")):
        for inner in objects_in(tool.get("tools")) if tool.get("type") == "namespace" else (tool,):
            name = own_fields(inner).get("name")
            if isinstance(name, str):
                yield _flat(tool.get("name") if inner is not tool else None, name)


class Offered:
    """The tools of one request: those in `tools`, then those that its history brings."""

    def __init__(self, body: JsonObject, names: Names, told: Told, offers: Sequence[str]) -> None:
        """`offers`: the vendor's tools that the proxy stands in for. Raises `BadRequest`."""
        self._names, self._told, self._offers = names, told, offers
        self._functions: dict[str, JsonObject] = {}
        self._deferred: dict[str, JsonObject] = {}
        self._tools: dict[str, JsonObject] = {}
        self._history: dict[str, JsonObject] = {}
        self._bare: dict[str, str] = {}
        """Name of a tool without its namespace -> the name in chat of the first that is called so."""
        self.missing: list[str] = []
        """A line for each tool that can't be had, for the system text."""
        self.search: Wanted | None = None
        """What may be searched for in the web, by a function of the proxy's."""
        listed = body.get("tools")
        searches = any(_is_client_search(tool) for tool in objects_in(listed))
        self._add_all(listed, "/tools", defers=searches)
        self.missing = list(dict.fromkeys(self.missing))

    @property
    def known(self) -> dict[str, JsonObject]:
        """Name in chat -> the client's tool, for all that are not plain functions of that name."""
        plain = {"kind": "function"}
        both = self._history | self._tools
        return {sent: tool for sent, tool in both.items() if tool != {**plain, "name": sent}}

    def functions(self) -> list[JsonObject]:
        """Chat's tools."""
        return [{"type": "function", "function": function} for function in self._functions.values()]

    def called(self, kind: str, name: str, namespace: object) -> str:
        """The name in chat of a tool that the history calls."""
        space = namespace if isinstance(namespace, str) and namespace else None
        sent = self._named(name, space)
        self._history.setdefault(sent, _tool(kind, name, space))
        self._release(sent)
        return sent

    def chosen(self, name: str, namespace: object = None) -> str | None:
        """The name in chat of a tool that `tool_choice` names; `None` where it isn't offered."""
        sent = self._named(name, namespace)
        self._release(sent)
        return sent if sent in self._functions else None

    def _named(self, name: str, namespace: object) -> str:
        """The name in chat of a tool that is called or chosen. Without a namespace it may be the first of that name."""
        sent = self._names.sent(_flat(namespace, name))
        return sent if namespace or sent in self._tools else self._bare.get(name, sent)

    def add_later(self, listed: object, pointer: str) -> tuple[list[str], list[str]]:
        """Offer the tools of a list that the history has, from there on.

        Returns the names in chat of those that can be called, and a line for each that can't be had: it belongs where
        the list stands, since a longer history keeps its beginning. Raises `BadRequest`.
        """
        before = len(self.missing)
        names = self._add_all(listed, pointer, defers=False)
        missing, self.missing[before:] = self.missing[before:], []
        return names, list(dict.fromkeys(missing))

    def _add_all(self, listed: object, pointer: str, *, defers: bool) -> list[str]:
        """Offer the tools of a list; with `defers` deferred ones wait until they are called or found."""
        if listed is None:
            return []
        if not isinstance(listed, list):
            where = content.place(pointer)
            raise BadRequest(f"{where}: must be a list of tools.", where)
        found: list[str] = []
        for index, tool in enumerate(listed):
            place = f"{pointer}/{index}"
            if not isinstance(tool, dict):
                where = content.place(place)
                raise BadRequest(f"{where}: must be a tool, an object with a type.", where)
            if tool.get("type") == "namespace":
                found += self._namespace(tool, place, defers)
            else:
                found += self._add(tool, place, None, "", defers)
        return found

    def _namespace(self, tool: JsonObject, pointer: str, defers: bool) -> list[str]:
        space, inside = tool.get("name"), tool.get("tools")
        if not isinstance(space, str):
            where = content.place(f"{pointer}/name")
            raise BadRequest(f"{where}: must be a text that names the namespace.", where)
        if inside is not None and not isinstance(inside, list):
            where = content.place(f"{pointer}/tools")
            raise BadRequest(f"{where}: must be a list of tools.", where)
        found: list[str] = []
        said = tool.get("description")
        about = f"[{space}: {said}]" if isinstance(said, str) and said else ""
        for index, inner in enumerate(inside or ()):
            place = f"{pointer}/tools/{index}"
            if not isinstance(inner, dict):
                where = content.place(place)
                raise BadRequest(f"{where}: must be a tool, an object with a type.", where)
            found += self._add(inner, place, space, "" if found else about, defers)
        if found:
            self._told.count(pointer, "the tools of a namespace are offered with its name before theirs")
        return found

    def _add(self, tool: JsonObject, pointer: str, space: str | None, about: str, defers: bool) -> list[str]:
        """Offer one tool, whose description begins with `about`. Returns its name in chat, unless it can't be had."""
        tool = own_fields(tool)
        given = tool.get("type")
        kind = given if isinstance(given, str) else "function"
        if kind.startswith(_HOSTED) and "parameters" not in tool:
            self._hosted(tool, kind, pointer)
            return []
        if kind in _SILENT and not _is_client_search(tool):
            self._told.count(pointer, "a way of calling or finding tools that only its vendor has is dropped")
            return []
        made = self._function(tool, kind, pointer, space)
        if made is None:
            self.missing.append(in_words.missing(f"The tool {_described(tool)}"))
            self._told.say(pointer, "a tool that its vendor runs can't be had in chat: the system text says so")
            return []
        entry, function = made
        sent = self._names.sent(_flat(space, entry["name"]))
        if sent in self._functions or (defers and sent in self._deferred):
            self._told.count(pointer, "a second tool of the same name is left out")
            return [sent]
        if not tool.keys() <= SENT and kind not in _built_in():
            self._told.count(pointer, "fields of a tool that only its vendor acts on are dropped")
        self._tools.setdefault(sent, entry)
        self._bare.setdefault(entry["name"], sent)
        function = {"name": sent, **function}
        if about:
            own = function.get("description")
            function["description"] = f"{about}{BLANK_LINE}{own}" if own else about
        if defers and tool.get("defer_loading") is True:
            self._told.count(pointer, "a deferred tool is left out until the history has found it")
            self._deferred[sent] = function
            return [sent]
        self._deferred.pop(sent, None)
        self._functions[sent] = function
        return [sent]

    def _release(self, sent: str) -> None:
        function = self._deferred.pop(sent, None)
        if function is not None:
            self._functions[sent] = function

    def _hosted(self, tool: JsonObject, kind: str, pointer: str) -> None:
        """A tool that its vendor runs; a search of the web may be the proxy's."""
        if kind.startswith("web_search") and WEB_SEARCH in self._offers:
            if self.search is None:
                self.search = _wanted(tool, self._names.sent(WEB_SEARCH))
                self._functions[self.search["tool"]] = {"name": self.search["tool"], **SEARCHES}
            return
        self._told.say(pointer, "a tool that its vendor runs can't be had in chat: the system text says so")
        server = tool.get("server_label")
        if kind == "mcp" and isinstance(server, str):
            self.missing.append(in_words.missing(f"The MCP server {server}"))
        else:
            self.missing.append(in_words.missing(f"The tool {_described(tool)}"))

    def _function(
        self, tool: JsonObject, kind: str, pointer: str, space: str | None
    ) -> tuple[JsonObject, JsonObject] | None:
        """What leads back to a tool, and its function without a name; `None` for one that its vendor runs."""
        name, description = tool.get("name"), tool.get("description")
        built_in = _built_in().get(kind)
        if built_in is not None:
            environment = tool.get("environment")
            if isinstance(environment, dict) and str(environment.get("type")).startswith("container"):
                return None
            if not isinstance(tool.get("parameters"), dict):
                self._told.say(pointer, "a tool without a schema gets the one that its type stands for")
            schema = tool.get("parameters") or json_body.parse(built_in["parameters"].encode())
            said = [description or built_in["description"]]
            if isinstance(environment, dict) and isinstance(environment.get("skills"), list):
                said += filter(None, [words.skills(environment["skills"])])
            function = {"description": BLANK_LINE.join(map(str, said)), "parameters": schema}
            return _tool(kind, kind, None), function
        if kind not in ("function", "custom") and not (isinstance(name, str) and "parameters" in tool):
            return None
        if not isinstance(name, str) or not name:
            where = content.place(f"{pointer}/name")
            raise BadRequest(f"{where}: must be a text that names the tool.", where)
        if kind == "custom":
            self._told.count(pointer, "a tool that takes free text becomes a function with one text")
            function = {"description": _with_grammar(description, tool.get("format")), "parameters": _copied(_INPUT)}
            return _tool("custom", name, space), function
        function = {} if description is None else {"description": description}
        schema = tool.get("parameters")
        function["parameters"] = {"type": "object", "properties": {}} if schema is None else schema
        if tool.get("strict") is True:
            function["strict"] = True
        return _tool("function", name, space), function


def _wanted(tool: JsonObject, sent: str) -> Wanted:
    """What a `web_search` tool asks for."""
    wanted = Wanted(tool=sent)
    filters = tool.get("filters")
    given = filters.get("allowed_domains") if isinstance(filters, dict) else None
    domains = [domain for domain in given if isinstance(domain, str)] if isinstance(given, list) else []
    if domains:
        wanted["allowed_domains"] = domains
    return wanted


def _with_grammar(description: object, format_: object) -> str:
    """A description that says what the text must look like: chat has no grammars."""
    said = [description] if isinstance(description, str) and description else []
    if isinstance(format_, dict) and isinstance(format_.get("definition"), str):
        said.append(f"The input must match this {format_.get('syntax') or ''} grammar:\n{format_['definition']}")
    return BLANK_LINE.join(said) or "Takes free text."


def _tool(kind: str, name: str, space: str | None) -> JsonObject:
    return {"kind": kind, "name": name, **({"namespace": space} if space else {})}


def _flat(space: object, name: str) -> str:
    if not isinstance(space, str) or not space:
        return name
    return space + name if space.endswith(_BETWEEN) else space + _BETWEEN + name


def own_fields(tool: JsonObject) -> JsonObject:
    """A tool with its own fields, and by their names; those of one in the shape of chat stand a level below."""
    nested = tool.get("function")
    if isinstance(nested, dict) and "name" not in tool:
        return {"type": "function", **nested}
    for key in _SCHEMAS:
        if "parameters" not in tool and isinstance(tool.get(key), dict):
            return {"parameters" if name == key else name: value for name, value in tool.items()}
    return tool


def _is_client_search(tool: JsonObject) -> bool:
    return tool.get("type") == "tool_search" and tool.get("execution") == "client"


def _described(tool: JsonObject) -> str:
    return next((word for key in ("name", "type") if isinstance(word := tool.get(key), str) and word), "without a name")


def objects_in(listed: object) -> list[JsonObject]:
    """The objects of a list; none where it is no list."""
    return [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []


def _copied(schema: JsonObject) -> Any:
    """The rules work on a schema in place."""
    return json_body.parse(json_body.serialise(schema))


@cache
def _built_in() -> Mapping[str, Mapping[str, str]]:
    """Type of a tool -> description and schema, which is JSON."""
    text = resources.files(__package__).joinpath("built_in_tools.toml").read_text(encoding="utf-8")
    return {tool["type"]: tool for tool in tomllib.loads(text)["tools"]}
