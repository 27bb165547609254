"""What the "model" thought: each answer's thought is its own, and is known again when it comes back."""

import hashlib
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from .codec import decode, encode
from .rows import Json

_KEPT = 20_000
_QUOTE = 40


def thought(said: str, messages: list[Json]) -> str:
    """The thought before an answer to `messages`: it names the text `said` that it answers, and no other is like it."""
    about = " ".join(said.split())[:_QUOTE]
    return f"先想一想用户要什么，再作答。他说的是“{about}”（思路 {hashlib.sha256(encode(messages)).hexdigest()[:16]}）"


@dataclass(slots=True)
class Thoughts:
    """The thoughts of the last answers, each with the turn that it was thought for and its number."""

    _turns: OrderedDict[str, tuple[bytes, int]] = field(default_factory=OrderedDict)
    _born: int = 0

    def remember(self, said: str, content: str, calls: Sequence[tuple[str, str]]) -> None:
        """Keep the thought `said` of an answer with this text and these calls, pairs of a name and its arguments."""
        if not said:
            return
        self._born += 1
        born = self._turns.get(said, (b"", self._born))[1]
        self._turns[said] = (_turn(content, calls), born)
        while len(self._turns) > _KEPT:
            self._turns.popitem(last=False)

    def judge(self, messages: Any, field_name: str) -> list[Json]:
        """What came back of them in a list of messages of chat or of Messages, for each one of the assistant.

        `{"index", "calls", "what", "text"}`, where `what` is `real`, `foreign` (of another turn, or twice), `made up`,
        `empty` or `missing`, and `text` the reasoning as it came. Anything malformed is skipped.
        """
        judged: list[Json] = []
        seen = dict[bytes, int]()
        for index, content, calls, text in _answers(messages, field_name):
            turn = _turn(content, calls)
            known = self._turns.get(text) if isinstance(text, str) else None
            if not isinstance(text, str):
                what = "missing"
            elif not text:
                what = "empty"
            elif known is None:
                what = "made up"
            elif known[0] != turn or known[1] <= seen.get(turn, 0):
                what = "foreign"
            else:
                what, seen[turn] = "real", known[1]
            judged.append({"index": index, "calls": bool(calls), "what": what, "text": text})
        return judged


def _turn(content: str, calls: Sequence[tuple[str, str]]) -> bytes:
    """What tells a turn from others: its calls, or its text where it has none."""
    if calls:
        return encode([[name, _canonical(arguments)] for name, arguments in calls])
    return encode("".join(content.split()))


def _canonical(arguments: str) -> Any:
    try:
        value = decode(arguments.encode("utf-8", "replace") or b"{}")
    except ValueError:
        return arguments
    return sorted(value.items()) if isinstance(value, dict) else value


def _answers(messages: Any, field_name: str) -> Iterator[tuple[int, str, list[tuple[str, str]], Any]]:
    """The index, text, calls and reasoning of each message of the assistant."""
    for index, message in enumerate(messages if isinstance(messages, list) else []):
        if not isinstance(message, dict) or message.get("role") != "assistant":
            continue
        content, calls = message.get("content"), message.get("tool_calls")
        blocks = [one for one in content if isinstance(one, dict)] if isinstance(content, list) else []
        said = content if isinstance(content, str) else "".join(str(one.get("text", "")) for one in blocks)
        made: list[tuple[str, str]] = []
        for call in calls if isinstance(calls, list) else []:
            function = call.get("function") if isinstance(call, dict) else None
            if isinstance(function, dict):
                made.append((str(function.get("name")), str(function.get("arguments"))))
        text = message.get(field_name)
        thinking = [str(one.get("thinking", "")) for one in blocks if one.get("type") == "thinking"]
        made += [
            (str(one.get("name")), encode(one.get("input")).decode()) for one in blocks if one.get("type") == "tool_use"
        ]
        yield index, said, made, "".join(thinking) if thinking else text
