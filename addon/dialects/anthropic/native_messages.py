"""The messages of a Messages request for an endpoint that speaks Messages itself, but not all of it."""

from __future__ import annotations

from typing import Any, Final

from ...exchange import Changes, JsonObject
from ...profiles import Native
from ...wire import rule_names
from .. import in_words
from ..names import Names
from ..pieces import BLANK_LINE
from ..told import Told
from . import content, thinking, words
from .content import as_blocks, kind_of

_RULE: Final = rule_names.ANTHROPIC_NATIVE
_FIRST: Final = frozenset(["tool_result", "mcp_tool_result"])
"""Blocks that a user message after calls begins with."""
_NOT_SHOWN: Final = frozenset(["fallback", "mcp_tool_listing"])
"""Blocks that their vendor shows to no model either."""


def add_system(body: JsonObject, blocks: list[JsonObject]) -> None:
    """Put `blocks` behind the system text."""
    given = body.get("system")
    body["system"] = [*as_blocks(given), *blocks] if given else blocks


def drop_billing(body: JsonObject, changes: Changes) -> None:
    """Drop Claude Code's billing header from the system text: for any model but Anthropic's it only costs the cache."""
    blocks = as_blocks(body.get("system"))
    rests = [content.without_billing(block.get("text")) if isinstance(block, dict) else None for block in blocks]
    if all(rest is None for rest in rests):
        return
    kept = [
        block if rest is None else {**block, "text": rest}
        for block, rest in zip(blocks, rests, strict=True)
        if rest != ""
    ]
    body["system"] = kept
    if not kept:
        del body["system"]
    for place in (place for place, rest in enumerate(rests) if rest is not None):
        changes.note_at(_RULE, f"/system/{place}", "the billing header, which changes with each request, is dropped")


def fold(body: JsonObject, accepted: Native, changes: Changes) -> None:
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
            said = as_blocks(message.get("content"))
            if not kept:
                leading += said
                changes.note(_RULE, number, "a system message before all others joins the system text")
                continue
            changes.note(_RULE, number, "a message of a role that the endpoint refuses becomes user text")
            if _role(kept[-1]) != "user":
                waiting += map(_reminder, said)
                continue
            if end is None:
                end = as_blocks(kept[-1].get("content"))
                kept[-1] = {**kept[-1], "content": end}
            end += map(_reminder, said)
            continue
        end = None
        if waiting and _role(message) == "user":
            end = _behind_results(as_blocks(message.get("content")), waiting)
            kept.append({**message, "content": end})
        else:
            kept += [{"role": "user", "content": waiting}] if waiting else []
            kept.append(message)
        waiting = []
    if waiting:
        kept.append({"role": "user", "content": waiting})
    if leading:
        add_system(body, leading)
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
    return {**block, "text": in_words.reminder(text)} if isinstance(text, str) else block


def _behind_results(blocks: list[Any], said: list[Any]) -> list[Any]:
    """`blocks` with `said` before all but results, which must come first."""
    results = 0
    while results < len(blocks) and isinstance(blocks[results], dict) and kind_of(blocks[results]) in _FIRST:
        results += 1
    return [*blocks[:results], *said, *blocks[results:]]


def reword(body: JsonObject, accepted: Native, changes: Changes) -> None:
    """Say refused blocks in words, also those in results, and take refused fields out of the others."""
    system = body.get("system")
    if isinstance(system, list):
        _trim(system, accepted, "/system", changes)
    for number, message in enumerate(body["messages"]):
        given = message.get("content") if isinstance(message, dict) else None
        if isinstance(given, list):
            message["content"] = _reworded(given, accepted, number, "/content", changes)


def _reworded(given: list[Any], accepted: Native, message: int, pointer: str, changes: Changes) -> list[Any]:
    """The blocks of message number `message` at `pointer`: `given` itself where none is refused."""
    made: list[Any] = []
    for place, block in enumerate(given):
        if not isinstance(block, dict):
            made.append(block)
        elif block.get("type") == "thinking" and thinking.is_ours(block.get("signature")):
            made.append(_opened(block))
            why = "thinking that was signed here, where a request was translated, has its text again"
            changes.note(_RULE, message, why, f"{pointer}/{place}")
        elif not _is_refused(block, accepted):
            inner = block.get("content")
            if isinstance(inner, list) and block.get("type") == "tool_result":
                block["content"] = _reworded(inner, accepted, message, f"{pointer}/{place}/content", changes)
            made.append(block)
        elif kind_of(block) in _NOT_SHOWN and len(given) > 1:
            changes.note(_RULE, message, "a block that no model is shown is dropped", f"{pointer}/{place}")
        else:
            marked = {"cache_control": block["cache_control"]} if "cache_control" in block else {}
            made.append({"type": "text", "text": _in_words(block), **marked})
            changes.note(_RULE, message, "a block that the endpoint refuses is said in words", f"{pointer}/{place}")
    _trim(made, accepted, f"/messages/{message}{pointer}", changes)
    return made


def _opened(block: JsonObject) -> JsonObject:
    """A thinking block with the text that a signature of ours carries, without that signature: no endpoint knows it."""
    hidden = thinking.carried(block["signature"])
    return {**block, "signature": "", **({} if block.get("thinking") or hidden is None else {"thinking": hidden})}


def _is_refused(block: JsonObject, accepted: Native) -> bool:
    kind = kind_of(block)
    if accepted.refuses_block(kind):
        return True
    taken, source = accepted.sources.get(kind), block.get("source")
    return taken is not None and isinstance(source, dict) and source.get("type") not in taken


def _in_words(block: JsonObject) -> str:
    kind = kind_of(block)
    if kind in ("tool_reference", "tool_addition"):
        return in_words.available(content.named_tool(block))
    if kind == "tool_removal":
        return in_words.gone(content.named_tool(block))
    if kind in ("server_tool_use", "mcp_tool_use"):
        return words.server_call(block)
    if kind.endswith("_tool_result"):
        return words.server_result(block, str)
    if kind in ("image", "document"):
        pieces = content.Reader(Names(()), Told()).pieces(block, "")
        if all(isinstance(piece, str) for piece in pieces):
            return BLANK_LINE.join(map(str, pieces))
    return in_words.unknown(block)


def _trim(blocks: list[Any], accepted: Native, pointer: str, changes: Changes) -> None:
    """Take refused fields out of `blocks`, in place."""
    refused, marks = accepted.refused_block_fields, accepted.cache_control
    for place, block in enumerate(blocks):
        if not isinstance(block, dict):
            continue
        for name in refused & block.keys():
            del block[name]
            changes.note_at(_RULE, f"{pointer}/{place}/{name}", "the endpoint refuses this field: dropped")
        if marks is not None and isinstance(block.get("cache_control"), dict):
            trim_mark(block, marks, f"{pointer}/{place}", changes)


def trim_mark(holder: JsonObject, taken: frozenset[str], pointer: str, changes: Changes) -> None:
    """Leave in the `cache_control` of `holder` only the fields that are `taken`."""
    mark: JsonObject = holder["cache_control"]
    if not mark.keys() <= taken:
        holder["cache_control"] = {name: value for name, value in mark.items() if name in taken}
        why = "the endpoint refuses what stands beside the type of a mark for the cache: dropped"
        changes.note_at(_RULE, f"{pointer}/cache_control", why)
