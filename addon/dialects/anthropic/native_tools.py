"""The tools of a Messages request for an endpoint that speaks Messages itself, but not all of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from ...exchange import Changes, JsonObject
from ...profiles import Native
from ...wire import rule_names
from .. import in_words
from . import tools, words
from .content import added_tool, as_blocks

_RULE: Final = rule_names.ANTHROPIC_NATIVE
_DEFERRED: Final = "tools/*/defer_loading"
_EXAMPLES: Final = "tools/*/input_examples"


def only_accepted(body: JsonObject, accepted: Native, changes: Changes) -> list[str]:
    """Leave in `body`, in place, only tools that the endpoint takes. Returns a line for each that can't be had.

    A tool that the client runs, though its vendor named its type, gets the schema that the type stands for. One that
    its vendor runs goes, and a choice of it, too.
    """
    missing: list[str] = []
    listed = body.get("tools")
    if isinstance(listed, list):
        _defer(body, accepted, changes)
        _with_added(body, accepted, changes)
        kept: list[Any] = []
        for number, tool in enumerate(body["tools"]):
            if not isinstance(tool, dict) or _is_taken(tool, accepted):
                kept.append(_exemplified(tool, accepted, number, changes))
            elif (plain := tools.plain(tool)) is not None:
                kept.append(plain)
                changes.note_at(_RULE, f"/tools/{number}", "a tool without a schema gets the one of its type")
            else:
                missing.append(in_words.missing(tools.described(tool)))
                changes.note_at(_RULE, f"/tools/{number}", "the endpoint runs no such tool: the system text says so")
        if len(kept) < len(body["tools"]):
            _without_choice(body, kept, changes)
        if kept or not missing:
            body["tools"] = kept
        else:
            del body["tools"]
    servers = body.get("mcp_servers")
    if "mcp_servers" in accepted.refused and isinstance(servers, list):
        named = [server.get("name") for server in servers if isinstance(server, dict)]
        missing += [in_words.missing(tools.described({"mcp_server_name": name})) for name in named]
    return list(dict.fromkeys(missing))


def wants_search(body: JsonObject, accepted: Native) -> int | None:
    """The number of the tool by which the client asks for searches that the endpoint can't make; `None`: none."""
    listed = body.get("tools")
    for number, tool in enumerate(listed if isinstance(listed, list) else ()):
        if isinstance(tool, dict) and tools.is_web_search(tool) and not _is_taken(tool, accepted):
            return number
    return None


def _is_taken(tool: JsonObject, accepted: Native) -> bool:
    kind = tool.get("type")
    if accepted.server_tools is None or kind in (None, "custom") or not isinstance(kind, str):
        return True
    return kind.startswith(accepted.server_tools)


def _exemplified(tool: Any, accepted: Native, number: int, changes: Changes) -> Any:
    """`tool` with its examples in its description, where the endpoint refuses the field for them."""
    if not isinstance(tool, dict) or _EXAMPLES not in accepted.refused or not tool.get("input_examples"):
        return tool
    why = "examples of a tool's input are part of its description"
    changes.note_at(_RULE, f"/tools/{number}/input_examples", why)
    return tools.with_examples(tool)


def _without_choice(body: JsonObject, kept: list[Any], changes: Changes) -> None:
    """Drop a choice of a tool that is gone, and any choice where no tool is left."""
    name = words.tool_name(body.get("tool_choice"))
    names = tools.names_of(kept)
    if "tool_choice" in body and (not kept or (name and name not in names)):
        del body["tool_choice"]
        changes.note_at(_RULE, "/tool_choice", "the tool to choose is gone: dropped")


def _with_added(body: JsonObject, accepted: Native, changes: Changes) -> None:
    """Offer the tools that the history has added, where their blocks are said in words."""
    if not accepted.refuses_block("tool_addition"):
        return
    offered, added = set(tools.names_of(body["tools"])), list[JsonObject]()
    for message in body["messages"] if isinstance(body.get("messages"), list) else ():
        for block in as_blocks(message.get("content")) if isinstance(message, dict) else ():
            tool = added_tool(block) if isinstance(block, dict) and block.get("type") == "tool_addition" else None
            name = words.tool_name(tool)
            if tool is not None and name and name not in offered:
                offered.add(name)
                added.append(tool)
                changes.note_at(_RULE, "/tools", "a tool that the history has added is offered")
    if added:
        body["tools"] = [*body["tools"], *added]


def _defer(body: JsonObject, accepted: Native, changes: Changes) -> None:
    """Leave out the deferred tools that the history hasn't found, if the endpoint doesn't know them.

    Not where the vendor's own search would find them: it can't be had, so that all tools are sent.
    """
    listed = body.get("tools")
    if _DEFERRED not in accepted.refused or not isinstance(listed, list):
        return
    known = set(_mentioned(body.get("messages"))) | {words.tool_name(body.get("tool_choice"))}
    waits = [_waits(tool, known) for tool in listed]
    searched = any(isinstance(tool, dict) and tools.is_search(tool) for tool in listed)
    if searched or all(waits) or not any(waits):
        return
    for number, tool_waits in enumerate(waits):
        if tool_waits:
            changes.note_at(_RULE, f"/tools/{number}", "a deferred tool is left out until the history has found it")
    body["tools"] = [tool for tool, tool_waits in zip(listed, waits, strict=True) if not tool_waits]


def _waits(tool: object, known: set[str]) -> bool:
    return isinstance(tool, dict) and tool.get("defer_loading") is True and words.tool_name(tool) not in known


def _mentioned(messages: object) -> Iterator[str]:
    """The names of the tools that the history has found (`tool_reference`) or called."""
    for message in messages if isinstance(messages, list) else ():
        for block in as_blocks(message.get("content")) if isinstance(message, dict) else ():
            if not isinstance(block, dict):
                continue
            if block.get("type") == "tool_use" and isinstance(block.get("name"), str):
                yield block["name"]
            for part in (block, *as_blocks(block.get("content"))):
                if isinstance(part, dict) and part.get("type") == "tool_reference":
                    yield words.tool_name(part)
