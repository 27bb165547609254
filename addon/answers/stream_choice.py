"""Repairs one choice of a streamed chat answer: its tool calls, its text and its finish reason."""

from __future__ import annotations

from collections.abc import Callable

from ..exchange import AnswerPlan, Change, JsonObject
from . import leaks
from .json_fence import JsonFence
from .stop_text import StopText
from .tool_calls import to_function_call_frames
from .tool_frames import Note, ToolFrames
from .whole import is_cut, rename_finish_reason


class StreamChoice:
    """One choice of a stream. It changes the parsed chunks in place, one after the other.

    `begun`: text of the choice may have passed before.
    """

    def __init__(self, plan: AnswerPlan, frames: ToolFrames, *, begun: bool = False) -> None:
        self.text = StreamText(plan)
        self.leaks = leaks.ChoiceLeaks(plan, begun=begun) if leaks.watches(plan) else None
        """What takes calls and reasoning out of its text; `None` where nothing is expected there."""
        self.has_text = False
        """Whether a delta had text."""
        self.finish_reason: str | None = None
        """The finish reason that the client gets; `None` until there is one."""
        self.frames = frames
        self._plan = plan
        self._function_called = False
        self._before: list[JsonObject] = []

    def repair(self, choice: JsonObject, at: str, note: Note) -> bool:
        """Repair an entry of a chunk's `choices` in place; whether it was changed. `at` is its JSON Pointer."""
        delta, reason = choice.get("delta"), choice.get("finish_reason")
        delta = delta if isinstance(delta, dict) else None
        ends = isinstance(reason, str) and bool(reason)
        changed = False
        missing: list[JsonObject] = []
        if self.leaks is not None:
            changed = delta is not None and self.leaks.repair(delta, f"{at}/delta", note)
            if ends and self.leaks.is_busy:
                delta = choice["delta"] = {} if delta is None else delta
                changed = self.leaks.end(delta, f"{at}/delta", note, cut=is_cut(reason)) or changed
        if delta is not None:
            self.has_text = self.has_text or bool(delta.get("content"))
            self._function_called = self._function_called or "function_call" in delta
            changed = self.frames.repair(delta, f"{at}/delta", note) or changed
        if ends:
            changed = changed or self.frames.blank
            missing = self.frames.end(delta, cut=is_cut(reason), at=f"{at}/delta", note=note)
        if self._plan.function_call and delta is not None:
            changed = to_function_call_frames(delta, f"{at}/delta", note) or changed
        changed = self.text.repair(choice, at, note) or changed
        self._before += _content(self.text.released()) + self._deltas(missing)
        if ends:
            changed = rename_finish_reason(choice, self._plan, at, note, calls=self.frames.complete) or changed
            self.finish_reason = choice["finish_reason"]
        return changed

    def before(self) -> list[JsonObject]:
        """The deltas that have to be sent before the chunk that was just repaired. A second call returns none.

        They have text and frames that were held back and have no place in that chunk.
        """
        before, self._before = self._before, []
        return before

    def held(self) -> Callable[[], list[JsonObject]]:
        """A function that gives the text and the frames that are held back now, as deltas, whatever comes later."""
        held = _content(self.text.held) + self._deltas(self.frames.held)
        if self.leaks is None:
            return lambda: held
        leaked = self.leaks.held()
        return lambda: held + leaked()

    def end_text(self, note: Note, *, cut: bool = False) -> list[JsonObject]:
        """The text that is held back, as deltas: no finish reason will tell whether it is a stop text."""
        delta: JsonObject = {}
        if self.leaks is not None and self.leaks.end(delta, "", note, cut=cut):
            self.has_text = self.has_text or bool(delta.get("content"))
            self.frames.repair(delta, "", note)
            if self._plan.function_call:
                to_function_call_frames(delta, "", note)
            self.text.repair({"delta": delta}, "", note)
        return ([delta] if delta else []) + _content(self.text.end(None))

    def close(self, note: Note) -> list[JsonObject]:
        """End the choice, whose stream is over without a finish reason; return the deltas that the client lacks.

        Sets `finish_reason` if the answer is whole: its calls are complete, or it has text and no calls.
        """
        missing = self._deltas(self.frames.end(None, cut=False, at="", note=note))
        if self.frames.complete:
            self.finish_reason = "function_call" if self._plan.function_call else "tool_calls"
        elif self.has_text and not self.frames.any and not self._function_called:
            self.finish_reason = "stop"
        return missing

    def break_off(self) -> list[JsonObject]:
        """All that is held back, as deltas, for a stream that ends before the answer does."""
        text = self.end_text(_ignore, cut=True)
        return text + self._deltas(self.frames.end(None, cut=True, at="", note=_ignore))

    def _deltas(self, frames: list[JsonObject]) -> list[JsonObject]:
        if not frames:
            return []
        delta: JsonObject = {"tool_calls": frames}
        if self._plan.function_call:
            to_function_call_frames(delta, "", _ignore)
        return [delta] if delta else []


class StreamText:
    """The text of a choice, without stop text and JSON fence if the plan says so."""

    def __init__(self, plan: AnswerPlan) -> None:
        self._filters: list[StopText | JsonFence] = []
        if plan.stop:
            self._filters.append(StopText(plan.stop))
        if plan.json_fence:
            self._filters.append(JsonFence())
        self._released = ""

    @property
    def held(self) -> str:
        """The text that is held back."""
        return "".join([step.held for step in reversed(self._filters)])

    def released(self) -> str:
        """The text that has to be sent before the chunk that was just repaired. A second call returns none.

        It was held back, and that chunk ends the choice and has no text of its own.
        """
        text, self._released = self._released, ""
        return text

    def repair(self, choice: JsonObject, at: str, note: Note) -> bool:
        """Repair the content of a choice's delta in place; whether it was changed."""
        if not self._filters:
            return False
        delta, reason = choice.get("delta"), choice.get("finish_reason")
        content = delta.get("content") if isinstance(delta, dict) else None
        given = content if isinstance(content, str) else ""
        text = self._fed(given)
        rest = self.end(reason) if isinstance(reason, str) and reason else ""
        for step in self._filters:
            if step.changed:
                note(Change(step.rule, f"{at}/delta/content", step.why))
        if given:
            text += rest
        else:
            self._released = rest
        if text == given:
            return False
        choice["delta"]["content"] = text
        return True

    def end(self, finish_reason: str | None) -> str:
        """End the text, and return the rest of it, without stop text and closing fence."""
        text = ""
        for step in self._filters:
            text = step.feed(text) + step.end(finish_reason)
        return text

    def _fed(self, text: str) -> str:
        for step in self._filters:
            text = step.feed(text)
        return text


def _content(text: str) -> list[JsonObject]:
    return [{"content": text}] if text else []


def _ignore(change: Change) -> None:
    """A `Note` for changes that are noted already."""
