"""The repairs of one choice of a streamed chat answer, each with its own state."""

from __future__ import annotations

from addon.exchange import AnswerPlan, Change, JsonObject
from addon.wire.answers import rename_finish_reason
from addon.wire.json_fence import JsonFence
from addon.wire.stop_text import StopText
from addon.wire.tool_calls import FunctionCallFrames, Note, ToolFrames, name_back


class StreamChoice:
    """One choice, delta by delta. Edits the parsed chunks in place."""

    def __init__(self, plan: AnswerPlan) -> None:
        self.text = StreamText(plan)
        self._plan = plan
        self._frames = ToolFrames()
        self._function_call = FunctionCallFrames() if plan.function_call else None

    def repair(self, choice: JsonObject, at: str, note: Note) -> bool:
        """Whether the chunk's part for this choice was changed. `at` is its JSON Pointer."""
        changed = False
        delta = choice.get("delta")
        if isinstance(delta, dict):
            inside = f"{at}/delta"
            # Numbered first: function_call goes by the index.
            changed = self._frames.repair(delta, inside, note)
            changed = name_back(delta, self._plan.tool_names, inside, note) or changed
            if self._function_call:
                changed = self._function_call.repair(delta, inside, note) or changed
        changed = self.text.repair(choice, at, note) or changed
        return rename_finish_reason(choice, self._plan, at, note) or changed


class StreamText:
    """A choice's content on its way through what may have to take a part of it off."""

    def __init__(self, plan: AnswerPlan) -> None:
        self._filters: list[StopText | JsonFence] = []
        if plan.stop:
            self._filters.append(StopText(plan.stop))
        if plan.json_fence:
            self._filters.append(JsonFence())
        self._released = ""

    @property
    def held(self) -> str:
        """The text that came and wasn't given out yet."""
        return "".join(step.held for step in reversed(self._filters))

    def released(self) -> str:
        """Text that must be sent before the chunk that was just repaired, which has no room for it. Read once."""
        text, self._released = self._released, ""
        return text

    def repair(self, choice: JsonObject, at: str, note: Note) -> bool:
        """Whether the content of the choice's delta was changed."""
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
        """The text that was held back, without what has to go. No text is held back any more afterwards."""
        text = ""
        for step in self._filters:
            text = step.feed(text) + step.end(finish_reason)
        return text

    def _fed(self, text: str) -> str:
        for step in self._filters:
            text = step.feed(text)
        return text
