"""Tool pairing: every tool call is answered exactly once, right after its assistant message.

Not documented for Hunyuan, demanded by OpenAI-compatible endpoints; what real clients send instead:
clients.md section 7 (Codex puts text between calls and answers, agents interrupt tools, histories lose answers).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from addon.exchange import Change, JsonObject
from addon.rules import content
from addon.rules.context import RuleContext


def pairing(body: JsonObject, context: RuleContext) -> list[Change]:
    """Give every tool call one answer in its place; an answer without a call becomes user text.

    An answer belongs to the nearest assistant message before it that has a call with its id.
    """
    if _is_paired(body["messages"]):
        return []
    changes: list[Change] = []
    runs = _runs(body["messages"], changes)
    ordered: list[JsonObject] = []
    for run in runs:
        ordered.append(run.message)
        ordered += run.answers
        for call_id in run.unanswered:
            ordered.append({"role": "tool", "tool_call_id": call_id, "content": context.texts.missing_answer})
            changes.append(Change("pairing", run.pointer, "a tool call without an answer gets one"))
        ordered += (_as_user(orphan, context) for orphan in run.orphans)
    body["messages"] = ordered
    return changes


def _is_paired(messages: list[JsonObject]) -> bool:
    """Whether every call is answered in its place already, as in most histories: they needn't be taken apart."""
    waiting: set[str] = set()
    for message in messages:
        if message["role"] == "tool":
            call_id = message.get("tool_call_id")
            if not isinstance(call_id, str) or call_id not in waiting:
                return False
            waiting.remove(call_id)
            continue
        if waiting:
            return False
        ids = [call.get("id") or _NO_ID for call in message.get("tool_calls", ())]
        waiting.update(ids)
        if len(waiting) < len(ids) or _NO_ID in waiting:
            return False
    return not waiting


@dataclass(slots=True)
class _Run:
    """A message that isn't a tool message, the answers to its calls, and tool messages that answer nothing."""

    pointer: str
    message: JsonObject
    waiting: dict[str, deque[str]] = field(default_factory=dict)
    """Id as the client wrote it -> ids of the calls that still wait for an answer under it."""
    answered: dict[str, JsonObject] = field(default_factory=dict)
    """Id as the client wrote it -> the last answer that was given under it."""
    answers: list[JsonObject] = field(default_factory=list)
    orphans: list[JsonObject] = field(default_factory=list)

    @property
    def unanswered(self) -> list[str]:
        ids = [call["id"] for call in self.message.get("tool_calls", ())]
        done = {answer["tool_call_id"] for answer in self.answers}
        return [call_id for call_id in ids if call_id not in done]


_NO_ID = ""


def _runs(messages: list[JsonObject], changes: list[Change]) -> list[_Run]:
    runs: list[_Run] = []
    for index, message in enumerate(messages):
        pointer = f"/messages/{index}"
        if message["role"] != "tool":
            run = _Run(pointer, message)
            if message.get("tool_calls"):
                run.waiting = _give_ids(message, pointer, changes)
            runs.append(run)
            continue
        given = message.get("tool_call_id")
        call_id = given if isinstance(given, str) else _NO_ID if given is None else str(given)
        owner, key = _owner(runs, call_id)
        if owner is None:
            if not runs:
                runs.append(_Run(pointer, {"role": "user", "content": None}))
            runs[-1].orphans.append(message)
            changes.append(Change("pairing", pointer, "a tool result without a call becomes user text"))
            continue
        if owner is not runs[-1] or owner.orphans:
            changes.append(Change("pairing", pointer, "the answer moves up to its call"))
        _take(owner, key, message, pointer, changes)
    return runs


def _give_ids(message: JsonObject, pointer: str, changes: list[Change]) -> dict[str, deque[str]]:
    """Give calls without an id, or with one that an earlier call of the message has, an id by ordinal."""
    waiting: dict[str, deque[str]] = {}
    taken = {call["id"] for call in message["tool_calls"] if call.get("id")}
    seen: set[str] = set()
    for position, call in enumerate(message["tool_calls"]):
        given = call.get("id") or _NO_ID
        if given == _NO_ID or given in seen:
            call["id"] = _fresh(f"{given or 'call'}_{position + 1}", taken)
            changes.append(Change("pairing", f"{pointer}/tool_calls/{position}/id", "the call gets an id of its own"))
        seen.add(call["id"])
        taken.add(call["id"])
        waiting.setdefault(given, deque()).append(call["id"])
    return waiting


def _fresh(wanted: str, taken: set[str]) -> str:
    while wanted in taken:
        wanted += "_"
    return wanted


def _owner(runs: list[_Run], call_id: str) -> tuple[_Run | None, str]:
    """The run that `call_id` answers, and the id under which its call waits; (None, "") if there is none.

    An answer without an id goes by ordinal, as does one with an id that only the answer has.
    """
    for run in reversed(runs):
        if call_id != _NO_ID and call_id in run.waiting:
            return run, call_id
        if call_id == _NO_ID:
            key = next((written for written, waiting in _idless_first(run) if waiting), None)
            if key is not None:
                return run, key
    if runs and runs[-1].waiting.get(_NO_ID):
        return runs[-1], _NO_ID
    return None, _NO_ID


def _idless_first(run: _Run) -> list[tuple[str, deque[str]]]:
    return sorted(run.waiting.items(), key=lambda item: item[0] != _NO_ID)


def _take(run: _Run, key: str, answer: JsonObject, pointer: str, changes: list[Change]) -> None:
    """Give `answer` to the next call that waits under `key`; a surplus one is joined to the last answer."""
    if not run.waiting[key]:
        first = run.answered[key]
        first["content"] = content.join(first.get("content"), answer.get("content"))
        changes.append(Change("pairing", pointer, "a second answer to one call is joined to the first"))
        return
    own_id = run.waiting[key].popleft()
    if answer.get("tool_call_id") != own_id:
        answer["tool_call_id"] = own_id
        changes.append(Change("pairing", f"{pointer}/tool_call_id", "the answer gets the id of its call"))
    run.answers.append(answer)
    run.answered[key] = answer


def _as_user(orphan: JsonObject, context: RuleContext) -> JsonObject:
    pieces = content.pieces(orphan.get("content"))
    texts = [piece for piece in pieces if isinstance(piece, str)]
    text = context.texts.orphan_tool.format(
        id=orphan.get("tool_call_id") or "?", text=content.BLANK_LINE.join(texts) or context.texts.empty_tool
    )
    return {
        "role": "user",
        "content": content.assemble([text, *(p for p in pieces if not isinstance(p, str))]),
    }
