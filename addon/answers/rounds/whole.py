"""The whole answers of all rounds as one."""

from __future__ import annotations

from typing import Any

from ...exchange import JsonObject
from ...wire import usage
from .overlap import overlap
from .said import Said, only_choice, with_usage, without_thoughts
from .thoughts import Thoughtless


class WholeAnswer:
    """The answer to the first round, to which those of further rounds are added."""

    def __init__(self, answer: JsonObject, *, fences: bool = False) -> None:
        self.said = Said(fences=fences)
        self._answer = answer
        self._last: JsonObject = {}
        """The choice of the last round."""
        self._probabilities: list[Any] | None = []
        """Of the tokens of all rounds; `None`: they aren't known of all."""
        self._take(answer, "")

    def add(self, answer: JsonObject, *, is_completion: bool) -> bool:
        """Add the answer to a further round; `False`: it is none that can be added, and nothing has changed."""
        choice = only_choice(answer)
        message = choice.get("message") if choice else None
        if choice is None or not isinstance(message, dict) or not choice.get("finish_reason"):
            return False
        content = message.get("content")
        if content is not None and not isinstance(content, str):
            return False
        before = self.said.text
        self.said.begin()
        text = _without_thought(content or "")
        if not is_completion and (repeated := overlap(before, text)):
            text = text[repeated:]
        if text != (content or ""):
            self._probabilities = None
        message = {**without_thoughts(message), "content": text}
        self._take({**answer, "choices": [{**choice, "message": message}]}, before)
        return True

    def joined(self) -> JsonObject:
        """One answer: the first, with the text of all rounds, the end of the last, and the usage of all."""
        first = only_choice(self._answer) or {}
        last = self._last.get("message") or {}
        message = {**last, **first.get("message", {}), "content": self.said.text}
        message |= {name: last[name] for name in ("tool_calls", "function_call") if last.get(name)}
        choice = {**first, "message": message, "finish_reason": self._last.get("finish_reason")}
        if isinstance(first.get("logprobs"), dict):
            choice["logprobs"] = {**first["logprobs"], "content": self._probabilities} if self._probabilities else None
        answer = {**self._answer, "choices": [choice]}
        if self.said.used and usage.of_answer(self._answer) is None:
            return {**answer, "usage": self.said.used}
        return with_usage(answer, self.said.used)

    def _take(self, answer: JsonObject, before: str) -> None:
        said, choice = self.said, only_choice(answer)
        message = choice.get("message") if choice else None
        if choice is None or not isinstance(message, dict) or answer.get("error"):
            said.is_readable = False
            return
        said.note_usage(usage.of_answer(answer))
        said.note_choice(choice, message)
        self._last = choice
        probabilities = choice.get("logprobs")
        listed = probabilities.get("content") if isinstance(probabilities, dict) else None
        if self._probabilities is not None:
            self._probabilities = [*self._probabilities, *listed] if isinstance(listed, list) else None


def _without_thought(text: str) -> str:
    filtered = Thoughtless()
    return filtered.feed(text) + filtered.finish()
