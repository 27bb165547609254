"""A Messages request for an endpoint that speaks Messages itself, but not all of it.

The body stays a Messages request and loses, or says in other words, only what the endpoint refuses: that is data of its
profile (`[native.anthropic]`). Where nothing is refused, nothing changes. What carries words, calls or results stays:

1. Fields: those that are refused go. A schema for the answer (`output_config.format`) becomes an instruction; deferred
   tools are left out until the history has found them, since without `defer_loading` all would be sent. Adaptive
   thinking becomes thinking with the budget that Claude Code itself falls back to.
2. Messages of other roles become user text where they stand (docs/facts/anthropic.md#system-messages-in-the-list): the
   beginning of a longer history keeps its bytes. Those before all others join the system text.
3. Blocks that are refused are said in words.
4. `anthropic-beta` and `?beta=true` name what the endpoint may not know: only what the profile accepts is left.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from ...exchange import Changes, JsonObject, Response
from ...profiles import Native
from ...texts import Texts
from ...wire import rule_names
from ..base import AnswerWriter, Dialect, House
from . import tools, words
from .content import kind_of

BETA_HEADER: Final = "anthropic-beta"
_RULE: Final = rule_names.ANTHROPIC_NATIVE
_DEFERRED: Final = "tools/*/defer_loading"
_LEAST_BUDGET: Final = 1024
"""Tokens of thinking that Anthropic's API asks for at least."""
_BUDGET: Final = 31_999
"""Claude Code's own, for models without adaptive thinking (docs/facts/anthropic.md#endpoints-that-speak-messages)."""
_FIRST: Final = frozenset(["tool_result", "mcp_tool_result"])
"""Blocks that a user message after calls begins with."""


class NativeMessages:
    """Messages where the endpoint speaks them, too: no path of its own, routes choose it by the profile."""

    name = rule_names.ANTHROPIC_NATIVE
    paths: tuple[str, ...] = ()
    house: House = "native"
    is_house = True

    def __init__(self, messages: Dialect) -> None:
        self._messages = messages

    def to_chat(self, body: JsonObject, headers: Mapping[str, str], note: JsonObject) -> JsonObject:
        """The chat request that says the same as `body`, for what reads chat only. Raises `BadRequest`."""
        return self._messages.to_chat(body, headers, note)

    def answer(self, chat: JsonObject, note: JsonObject) -> JsonObject:
        """`chat` itself: answers pass unchanged."""
        return chat

    def stream(self, note: JsonObject) -> AnswerWriter:
        """Never used: answers pass unchanged."""
        return self._messages.stream(note)

    def error(self, response: Response, note: JsonObject) -> Response:
        """As of `messages`."""
        return self._messages.error(response, note)


def repaired(body: JsonObject, accepted: Native, texts: Texts) -> Changes:
    """Change `body`, any JSON object, in place to what `accepted` says. Returns a change for each thing it did."""
    changes = Changes()
    format_ = _answer_format(body)
    _defer(body, accepted, changes)
    for path in accepted.refused:
        _without(body, path.split("/"), "", changes)
    if not accepted.adaptive_thinking:
        _limit_thinking(body, changes)
    if format_ is not None and _answer_format(body) is None:
        _add_system(body, [{"type": "text", "text": _instruction(format_, texts)}])
        changes.note_at(_RULE, "/output_config/format", "the schema of the answer becomes an instruction")
    if isinstance(body.get("messages"), list):
        _fold(body, accepted, changes)
        _reword(body["messages"], accepted, changes)
    return changes


def accepted_betas(given: str, accepted: Native) -> str:
    """The value of `anthropic-beta` with only those betas that the endpoint knows, in their order; `""` for none.

    A value of nothing else keeps its spelling.
    """
    betas = [beta.strip() for beta in given.split(",")]
    kept = [beta for beta in betas if beta in accepted.betas]
    return given if kept == betas else ",".join(kept)


def without_beta(query: str) -> str:
    """The query of a request without `beta`: other fields keep their spelling and their order."""
    return "&".join(field for field in query.split("&") if field.partition("=")[0] != "beta")


def _without(value: Any, path: list[str], pointer: str, changes: Changes) -> bool:
    """Take the field at `path` away, where `*` stands for each item of a list; an object that is empty then goes, too.

    Returns whether `value` had it.
    """
    name, rest = path[0], path[1:]
    if name == "*":
        items = value if isinstance(value, list) else []
        had = [_without(item, rest, f"{pointer}/{number}", changes) for number, item in enumerate(items)]
        return any(had)
    if not isinstance(value, dict) or name not in value:
        return False
    if rest:
        found = _without(value[name], rest, f"{pointer}/{name}", changes)
        if found and value[name] == {}:
            del value[name]
        return found
    del value[name]
    changes.note_at(_RULE, f"{pointer}/{name}", "the endpoint refuses this field: dropped")
    return True


def _limit_thinking(body: JsonObject, changes: Changes) -> None:
    """Give adaptive thinking a budget, below `max_tokens`; without room for one, or for a forced tool, it goes."""
    thinking = body.get("thinking")
    if not isinstance(thinking, dict) or thinking.get("type") != "adaptive":
        return
    most, choice = body.get("max_tokens"), body.get("tool_choice")
    is_forced = isinstance(choice, dict) and choice.get("type") in ("any", "tool")
    if is_forced or not isinstance(most, int) or most <= _LEAST_BUDGET:
        del body["thinking"]
        changes.note_at(_RULE, "/thinking", "the endpoint refuses adaptive thinking, and a budget has no room: dropped")
        return
    rest = {key: value for key, value in thinking.items() if key not in ("type", "budget_tokens")}
    body["thinking"] = {"type": "enabled", "budget_tokens": min(_BUDGET, most - 1), **rest}
    changes.note_at(_RULE, "/thinking", "the endpoint refuses adaptive thinking: it gets a budget")


def _answer_format(body: JsonObject) -> JsonObject | None:
    """The schema that the answer must have, `output_config.format`; `None` where none is asked for."""
    config = body.get("output_config")
    found = config.get("format") if isinstance(config, dict) else None
    return found if isinstance(found, dict) else None


def _instruction(format_: JsonObject, texts: Texts) -> str:
    schema = format_.get("schema")
    if not isinstance(schema, dict):
        return texts.json_object
    return texts.json_schema.format(name=schema.get("title") or "answer", schema=words.as_json(schema))


def _add_system(body: JsonObject, blocks: list[JsonObject]) -> None:
    """Put `blocks` behind the system text."""
    given = body.get("system")
    if not given:
        body["system"] = blocks
    else:
        body["system"] = [*_blocks(given), *blocks]


# Deferred tools


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
        for block in _blocks(message.get("content")) if isinstance(message, dict) else ():
            if not isinstance(block, dict):
                continue
            if block.get("type") == "tool_use" and isinstance(block.get("name"), str):
                yield block["name"]
            for part in (block, *_blocks(block.get("content"))):
                if isinstance(part, dict) and part.get("type") == "tool_reference":
                    yield words.tool_name(part)


# Messages


def _fold(body: JsonObject, accepted: Native, changes: Changes) -> None:
    """Make user text of each message of a role that is refused."""
    messages: list[Any] = body["messages"]
    if not any(_is_folded(message, accepted) for message in messages):
        return
    kept: list[Any] = []
    leading: list[Any] = []
    waiting: list[Any] = []
    """What was said between an assistant's message and the user's next one."""
    end: list[Any] | None = None
    """The content of the last message, where it was made here and can grow."""
    for number, message in enumerate(messages):
        if _is_folded(message, accepted):
            said = _blocks(message.get("content"))
            if not kept:
                leading += said
                changes.note(_RULE, number, "a system message before all others joins the system text")
                continue
            changes.note(_RULE, number, "a message of a role that the endpoint refuses becomes user text")
            if _role(kept[-1]) != "user":
                waiting += map(_reminder, said)
                continue
            if end is None:
                end = _blocks(kept[-1].get("content"))
                kept[-1] = {**kept[-1], "content": end}
            end += map(_reminder, said)
            continue
        end = None
        if waiting and _role(message) == "user":
            end = _behind_results(_blocks(message.get("content")), waiting)
            kept.append({**message, "content": end})
        else:
            kept += [{"role": "user", "content": waiting}] if waiting else []
            kept.append(message)
        waiting = []
    if waiting:
        kept.append({"role": "user", "content": waiting})
    if leading:
        _add_system(body, leading)
    body["messages"] = kept


def _is_folded(message: object, accepted: Native) -> bool:
    role = _role(message)
    return role is not None and role not in accepted.roles


def _role(message: object) -> str | None:
    role = message.get("role") if isinstance(message, dict) else None
    return role if isinstance(role, str) else None


def _reminder(block: Any) -> Any:
    """A text block with its text marked as a system message's; any other block as it is."""
    text = block.get("text") if isinstance(block, dict) else None
    return {**block, "text": words.reminder(text)} if isinstance(text, str) else block


def _behind_results(blocks: list[Any], said: list[Any]) -> list[Any]:
    """`blocks` with `said` before all but results, which must come first."""
    results = 0
    while results < len(blocks) and isinstance(blocks[results], dict) and kind_of(blocks[results]) in _FIRST:
        results += 1
    return [*blocks[:results], *said, *blocks[results:]]


def _reword(messages: list[Any], accepted: Native, changes: Changes) -> None:
    """Say the blocks of refused types in words, also those in results."""
    for number, message in enumerate(messages):
        given = message.get("content") if isinstance(message, dict) else None
        if not isinstance(given, list):
            continue
        for place, block in enumerate(given):
            if not isinstance(block, dict):
                continue
            if kind_of(block) in accepted.refused_blocks:
                given[place] = _in_words(block)
                changes.note(_RULE, number, "a block that the endpoint refuses is said in words", f"/content/{place}")
            inner = block.get("content")
            parts: list[Any] = inner if isinstance(inner, list) else []
            for part, item in enumerate(parts):
                if isinstance(item, dict) and kind_of(item) in accepted.refused_blocks:
                    parts[part] = _in_words(item)
                    where = f"/content/{place}/content/{part}"
                    changes.note(_RULE, number, "a block that the endpoint refuses is said in words", where)


def _in_words(block: JsonObject) -> JsonObject:
    if block.get("type") == "tool_reference":
        return {"type": "text", "text": words.available(words.tool_name(block))}
    return {"type": "text", "text": words.unknown(block)}


def _blocks(given: object) -> list[Any]:
    """The blocks of a content: a text is one, null none; what is no content is left to the endpoint."""
    if isinstance(given, str):
        return [{"type": "text", "text": given}] if given else []
    if isinstance(given, list):
        return [{"type": "text", "text": block} if isinstance(block, str) else block for block in given]
    return [] if given is None else [given]
