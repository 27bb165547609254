"""Tool pairing: every tool call is answered exactly once, right after its assistant message.

Not documented for Hunyuan, demanded by OpenAI-compatible endpoints; what real clients send instead:
docs/facts/clients.md#histories (text between calls and answers, interrupted tools, lost answers).
Ids are often unique within a turn alone, or missing (vllm-project/vllm#50295, sgl-project/sglang#33343).

How an answer finds its call:

1. Neighbouring assistant messages are one turn. An answer with an id belongs to the nearest turn before it that has a
   call with this id; one without an id to the nearest turn that still waits for an answer; one with an id that no call
   has to the nearest turn that waits for an answer to a call without an id.
2. Within a turn, answers under one id go to the calls under it in their order. If fewer answers follow each other than
   there are calls, and the calls are in several messages, the nearest messages are answered: the earlier calls were
   interrupted. Answers that come later go to what is left in the same way, and move none of the former.
3. An answer too many is joined to the last one under its id. What belongs to no call becomes user text where it stands.
"""

from __future__ import annotations

import itertools
from collections import deque
from dataclasses import dataclass, field

from ..exchange import Changes, JsonObject
from ..texts import around, marks
from . import content, ids
from .base import Rule, RuleContext
from .ids import NO_ID
from .survey import Survey


def pairing(body: JsonObject, context: RuleContext) -> Changes:
    """Give every tool call one answer in its place; an answer without a call becomes user text."""
    if _is_paired(body["messages"]):
        return Changes()
    body["messages"], changes = _paired(body["messages"], context)
    return changes


def _needed(survey: Survey, context: RuleContext) -> bool:
    return "T" in survey.order or "tool_calls" in survey.fields.get("assistant", ())


RULE = Rule(
    name="pairing",
    repairs="Every tool call is answered once, right after its message; a result without a call becomes user text.",
    why="What OpenAI-compatible endpoints demand; clients lose and misplace answers.",
    apply=pairing,
    after=(
        "calls",
        "merge",
    ),
    needed=_needed,
)


def _is_paired(messages: list[JsonObject]) -> bool:
    """Whether every call is answered in its place already, as in most histories: they needn't be taken apart."""
    waiting: set[str] = set()
    try:
        for message in messages:
            if message["role"] == "tool":
                waiting.remove(message["tool_call_id"])
            elif waiting:
                return False
            elif "tool_calls" in message:
                given = [call["id"] for call in message["tool_calls"]]
                waiting.update(given)
                if len(waiting) < len(given) or NO_ID in waiting:
                    return False
    except (KeyError, TypeError):  # an id that is absent, of no call, or no text
        return False
    return not waiting


def _paired(messages: list[JsonObject], context: RuleContext) -> tuple[list[JsonObject], Changes]:
    history = _History()
    for index, message in enumerate(messages):
        history.add(message, index)
    history.pair()
    placed = [message for run in history.runs for message in _placed(run, history.changes, context)]
    return placed, history.changes


@dataclass(slots=True)
class _Answer:
    """A tool message. `place` counts the messages before it, `after` is the last of them that is no tool message."""

    message: JsonObject
    place: int
    after: _Run


@dataclass(slots=True)
class _Call:
    id: str
    """Its own within its message."""
    run: _Run
    answered: bool = False


@dataclass(slots=True)
class _Run:
    """A message that isn't a tool message, and the tool messages that come to stand after it."""

    place: int
    message: JsonObject
    calls: list[_Call] = field(default_factory=list)
    answers: list[_Answer] = field(default_factory=list)
    orphans: list[_Answer] = field(default_factory=list)


@dataclass(slots=True)
class _Turn:
    """The calls of neighbouring assistant messages, and the answers that belong to them."""

    calls: dict[str, list[_Call]] = field(default_factory=dict)
    """Id as the client wrote it -> the calls under it."""
    answers: dict[str, list[_Answer]] = field(default_factory=dict)
    """Id as the client wrote it -> the answers under it. Under no id: answers to calls without one."""
    nameless: list[_Answer] = field(default_factory=list)
    """Answers without an id to calls that have one."""
    waiting: int = 0
    """Calls with an id that no answer was found for yet."""

    def lacks(self, written: str) -> bool:
        """Whether there are more calls than answers under an id."""
        return len(self.calls.get(written, ())) > len(self.answers.get(written, ()))


class _History:
    """A conversation taken apart. Every message is looked at once, every search is a look into a dict or at the end
    of a list that only grows shorter by it."""

    def __init__(self) -> None:
        self.changes = Changes()
        self.runs: list[_Run] = []
        self._turns: list[_Turn] = []
        self._latest: dict[str, _Turn] = {}
        """Id -> the nearest turn with a call under it."""
        self._waiting: list[_Turn] = []
        """Turns that may still wait for an answer, the nearest last."""
        self._waiting_without_id: list[_Turn] = []
        self._open: _Turn | None = None
        """The turn that the next assistant message belongs to."""

    def add(self, message: JsonObject, place: int) -> None:
        """Take the next message of the history."""
        if message["role"] != "tool":
            self._begin(message, place)
            return
        self._open = None
        if not self.runs:
            self.runs.append(_Run(place, {"role": "user", "content": None}))
        answer = _Answer(message, place, self.runs[-1])
        written = ids.as_text(message.get("tool_call_id"))
        if not self._assign(answer, written):
            self._orphan(answer)

    def pair(self) -> None:
        """Give the answers to the calls of their turns."""
        for turn in self._turns:
            for written, answers in turn.answers.items():
                self._give(turn.calls[written], answers)
            left = [call for calls in turn.calls.values() for call in calls if not call.answered]
            self._give(left, turn.nameless[: len(left)])
            # more than there are calls: an answer with the id came after the one without it
            for answer in turn.nameless[len(left) :]:
                self._orphan(answer)
        for run in self.runs:
            run.answers.sort(key=lambda answer: answer.place)
            run.orphans.sort(key=lambda answer: answer.place)

    def _begin(self, message: JsonObject, place: int) -> None:
        run = _Run(place, message)
        self.runs.append(run)
        if message["role"] != "assistant":
            self._open = None
            return
        if self._open is None:
            self._open = _Turn()
            self._turns.append(self._open)
        turn = self._open
        for written, own_id in _ids(message, place, self.changes):
            call = _Call(own_id, run)
            run.calls.append(call)
            turn.calls.setdefault(written, []).append(call)
            self._latest[written] = turn
            turn.waiting += written != NO_ID
            for waiting in (self._waiting, *((self._waiting_without_id,) if written == NO_ID else ())):
                if not waiting or waiting[-1] is not turn:
                    waiting.append(turn)

    def _assign(self, answer: _Answer, written: str) -> bool:
        """Find the turn of an answer. Returns whether there is one."""
        if written != NO_ID and written in self._latest:
            turn = self._latest[written]
            turn.waiting -= turn.lacks(written)
            turn.answers.setdefault(written, []).append(answer)
            return True
        if written == NO_ID:
            waiting = self._waiting
            while waiting and waiting[-1].waiting <= 0 and not waiting[-1].lacks(NO_ID):
                waiting.pop()
        else:
            waiting = self._waiting_without_id
            while waiting and not waiting[-1].lacks(NO_ID):
                waiting.pop()
        if not waiting:
            return False
        turn = waiting[-1]
        if turn.lacks(NO_ID):
            turn.answers.setdefault(NO_ID, []).append(answer)
        else:
            turn.waiting -= 1
            turn.nameless.append(answer)
        return True

    def _give(self, calls: list[_Call], answers: list[_Answer]) -> None:
        waiting = [deque(of_message) for _, of_message in itertools.groupby(calls, key=lambda call: call.run.place)]
        surplus: list[_Answer] = []
        for _, following in itertools.groupby(answers, key=lambda answer: answer.after.place):
            block = list(following)
            taken = _nearest(waiting, len(block))
            for call, answer in zip(taken, block, strict=False):
                call.answered = True
                call.run.answers.append(answer)
                last = answer.message
                if last.get("tool_call_id") != call.id:
                    last["tool_call_id"] = call.id
                    self.changes.note("pairing", answer.place, "the answer gets the id of its call", "/tool_call_id")
            surplus += block[len(taken) :]
        if surplus:
            last["content"] = content.join(last.get("content"), *(answer.message.get("content") for answer in surplus))
            for answer in surplus:
                self.changes.note("pairing", answer.place, "a second answer to one call is joined to the first")

    def _orphan(self, answer: _Answer) -> None:
        answer.after.orphans.append(answer)
        why = "a tool result without a call becomes user text"
        self.changes.note("pairing", answer.place, why)


def _nearest(waiting: list[deque[_Call]], count: int) -> list[_Call]:
    """Take as many calls as there are answers, from the last messages, within one from its first call on."""
    taken: list[list[_Call]] = []
    while count > 0 and waiting:
        calls = waiting[-1]
        taken.append([calls.popleft() for _ in range(min(count, len(calls)))])
        count -= len(taken[-1])
        if not calls:
            waiting.pop()
    return [call for of_message in reversed(taken) for call in of_message]


def _ids(message: JsonObject, place: int, changes: Changes) -> list[tuple[str, str]]:
    """Each call's id as the client wrote it, and its own.

    Calls without an id, or with one that an earlier call of the message has, are given one by ordinal.
    """
    calls = message.get("tool_calls", ())
    taken = {call["id"] for call in calls if call.get("id")}
    seen: set[str] = set()
    pairs: list[tuple[str, str]] = []
    for position, call in enumerate(calls):
        given = call.get("id") or NO_ID
        if given == NO_ID or given in seen:
            call["id"] = _fresh(f"{given or 'call'}_{position + 1}", taken)
            changes.note("pairing", place, "the call gets an id of its own", f"/tool_calls/{position}/id")
        seen.add(call["id"])
        taken.add(call["id"])
        pairs.append((given, call["id"]))
    return pairs


def _fresh(wanted: str, taken: set[str]) -> str:
    while wanted in taken:
        wanted += "_"
    return wanted


def _placed(run: _Run, changes: Changes, context: RuleContext) -> list[JsonObject]:
    """The messages of a run in their order."""
    placed = [run.message]
    for answer in run.answers:
        placed.append(answer.message)
        if answer.after is not run or (run.orphans and run.orphans[0].place < answer.place):
            changes.note("pairing", answer.place, "the answer moves up to its call")
    for call in run.calls:
        if not call.answered:
            placed.append({"role": "tool", "tool_call_id": call.id, "content": context.texts.missing_answer})
            changes.note("pairing", run.place, "a tool call without an answer gets one")
    return [*placed, *(_as_user(orphan.message, context) for orphan in run.orphans)]


def _as_user(orphan: JsonObject, context: RuleContext) -> JsonObject:
    pieces = content.pieces(orphan.get("content"))
    texts = [piece for piece in pieces if isinstance(piece, str)]
    call_id = marks.inline(ids.as_text(orphan.get("tool_call_id"))) or "?"
    before, after = around(context.texts.orphan_tool, id=call_id)
    text = before + (content.BLANK_LINE.join(texts) or context.texts.empty_tool) + after
    return {
        "role": "user",
        "content": content.assemble([text, *(p for p in pieces if not isinstance(p, str))]),
    }
