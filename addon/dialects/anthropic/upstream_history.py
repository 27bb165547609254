"""Chat messages as Messages': one turn of the user, one of the assistant, and so on.

1. System messages are the system text. The house rules leave them at the beginning alone; one behind that keeps its
   role, and is folded by `native_messages` where the endpoint refuses it.
2. An assistant's message has its thinking first, then its text, then its calls.
3. Tool messages are results at the beginning of the user's next turn, with their images.
4. Neighbours of one role are one turn. The first is the user's.

Ids of calls must be of certain characters and unique in the whole conversation, while chat clients give any, and often
the same ones in each turn. A new id is made of the old one and of those before it, so that a history keeps its bytes.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import Any, Final

from ...exchange import JsonObject
from ...images import data
from ...images.data import BadImage
from ...rules import arguments, content, files, ids
from ...texts import Texts
from ...wire import json_body
from .. import spoken
from ..base import BadRequest
from ..told import Told
from .content import dotted
from .upstream_answers import THINKING_BLOCKS

_NOT_IN_IDS = re.compile(r"[^a-zA-Z0-9_-]+")
_LONGEST_ID: Final = 64
_NO_LIMIT: Final = 1 << 40
"""Bytes of an image: what is too large is for the endpoint to say."""
_THOUGHTS: Final = frozenset(["thinking", "redacted_thinking"])


@dataclass(slots=True)
class History:
    """What the chat messages become."""

    system: list[JsonObject] = field(default_factory=list)
    """Text blocks."""
    messages: list[JsonObject] = field(default_factory=list)

    @property
    def lacks_thought(self) -> bool:
        """Whether results are answered whose calls no thought stands before."""
        if len(self.messages) < 2 or self.messages[-1]["content"][0]["type"] != "tool_result":
            return False
        return self.messages[-2]["content"][0]["type"] not in _THOUGHTS


def converted(messages: list[Any], texts: Texts, told: Told, *, signed: bool) -> History:
    """The messages of a chat request that the house rules have repaired.

    `signed`: the model takes back its thinking with its vendor's signature only. Raises `BadRequest` for what Messages
    have no block for: audio, videos, files that aren't PDFs, what is called an image and is none.
    """
    walk = _Walk(told, signed=signed)
    for number, message in enumerate(messages):
        if isinstance(message, dict):
            walk.add(message, f"/messages/{number}")
    return walk.end(texts)


@dataclass(slots=True)
class _Turn:
    """What one side says until the other does: what must come first, thoughts or results, and the rest."""

    role: str
    first: list[JsonObject]
    rest: list[JsonObject]


class Ids:
    """Ids of calls as Messages take them: of `a-z A-Z 0-9 _ -`, each once."""

    def __init__(self) -> None:
        self._used: set[str] = set()
        self._numbers: dict[str, int] = {}
        """The last number behind an id that was there already."""

    def new(self, given: object) -> str:
        """The id of the next call, whose chat id is `given`."""
        asked = ids.as_text(given)
        wanted = made = _NOT_IN_IDS.sub("_", asked) or "call"
        if len(wanted) > _LONGEST_ID:
            digest = hashlib.sha256(asked.encode("utf-8", "surrogatepass")).hexdigest()[:8]
            wanted = made = f"{wanted[: _LONGEST_ID - 9]}_{digest}"
        while made in self._used:
            number = self._numbers[wanted] = self._numbers.get(wanted, 1) + 1
            made = f"{wanted}_{number}"
        self._used.add(made)
        return made


class _Walk:
    """Goes through the messages once."""

    def __init__(self, told: Told, *, signed: bool) -> None:
        self._told, self._signed = told, signed
        self._history = History()
        self._turns: list[_Turn] = []
        self._ids = Ids()
        self._open: dict[str, str] = {}
        """Chat id of each call of the last assistant turn that has no result yet -> its new id."""

    def add(self, message: JsonObject, pointer: str) -> None:
        """Take the next message. Raises `BadRequest`."""
        given = message.get("content")
        match message.get("role"):
            case "system" | "developer":
                blocks = self._blocks(given, f"{pointer}/content")
                if self._turns:
                    self._say("system", [], blocks)
                else:
                    self._history.system += blocks
            case "assistant":
                self._assistant(message, pointer)
            case "tool":
                self._result(message, pointer)
            case _:
                self._say("user", [], self._blocks(given, f"{pointer}/content"))

    def end(self, texts: Texts) -> History:
        """All turns. Of a last one of the assistant's, which it goes on with, the white space at the end goes:
        Anthropic's API refuses it."""
        if not self._turns or self._turns[0].role != "user":
            self._turns.insert(0, _Turn("user", [], [content.text_part(texts.start)]))
        history = self._history
        history.messages = [{"role": turn.role, "content": [*turn.first, *turn.rest]} for turn in self._turns]
        last = history.messages[-1]["content"]
        if self._turns[-1].role == "assistant" and content.is_text(last[-1]):
            last[-1] = {**last[-1], "text": last[-1]["text"].rstrip()}
        return history

    def _assistant(self, message: JsonObject, pointer: str) -> None:
        blocks = self._blocks(message.get("content"), f"{pointer}/content")
        refusal = message.get("refusal")
        if isinstance(refusal, str) and not content.is_blank_text(refusal):
            blocks.append(content.text_part(refusal))
        if self._turns and self._turns[-1].role != "assistant":
            self._open = {}
        for number, call in enumerate(spoken.calls_of(message)):
            name, written = spoken.function_of(call)
            made = self._ids.new(call.get("id"))
            self._open[ids.as_text(call.get("id"))] = made
            if made != call.get("id"):
                self._told.count(f"{pointer}/tool_calls/{number}/id", "the id of a call becomes one that is taken")
            given = json_body.parse_object(arguments.as_object(written).encode("utf-8", "replace"))
            if given is None:
                self._told.count(f"{pointer}/tool_calls/{number}", "arguments that can't be read become `{}`")
            blocks.append({"type": "tool_use", "id": made, "name": name, "input": given or {}})
        self._say("assistant", self._thinking(message, pointer), blocks)

    def _thinking(self, message: JsonObject, pointer: str) -> list[JsonObject]:
        """The blocks for what the model thought: its vendor's own where they are known, else one without signature."""
        given = message.get(THINKING_BLOCKS)
        kept = [block for block in given if _is_thought(block)] if isinstance(given, list) else []
        if self._signed:
            kept = [block for block in kept if block.get("signature") or block["type"] == "redacted_thinking"]
        if kept:
            return [{"signature": "", **block} if block["type"] == "thinking" else block for block in kept]
        reasoning = spoken.reasoning_of(message)
        if reasoning is None:
            return []
        if self._signed:
            self._told.count(pointer, "thinking without its vendor's signature is dropped: the model refuses it")
            return []
        return [{"type": "thinking", "thinking": reasoning, "signature": ""}]

    def _result(self, message: JsonObject, pointer: str) -> None:
        blocks = self._blocks(message.get("content"), f"{pointer}/content")
        made = self._open.pop(ids.as_text(message.get("tool_call_id")), None)
        if made is None:  # the house rules leave none
            self._say("user", [], blocks)
            return
        result: JsonObject = {"type": "tool_result", "tool_use_id": made}
        if len(blocks) == 1 and content.is_text(blocks[0]):
            result["content"] = blocks[0]["text"]
        elif blocks:
            result["content"] = blocks
        self._say("user", [result], [])

    def _say(self, role: str, first: list[JsonObject], rest: list[JsonObject]) -> None:
        """Add to the turn of `role`, or begin one. Nothing is no turn."""
        if self._turns and self._turns[-1].role == role:
            self._turns[-1].first += first
            self._turns[-1].rest += rest
        elif first or rest:
            self._turns.append(_Turn(role, first, rest))

    def _blocks(self, given: object, pointer: str) -> list[JsonObject]:
        """The blocks of a content. Blank texts are none: Anthropic's API refuses them."""
        if isinstance(given, str):
            return [] if content.is_blank_text(given) else [content.text_part(given)]
        made: list[JsonObject] = []
        for place, part in enumerate(given if isinstance(given, list) else ()):
            known = content.text_part(part) if isinstance(part, str) else part
            if isinstance(known, dict):
                made += self._block(known, f"{pointer}/{place}")
        return made

    def _block(self, part: JsonObject, pointer: str) -> list[JsonObject]:
        kind = part.get("type")
        if kind == "image_url":
            return [self._image(part["image_url"], pointer)]
        if kind in ("text", "refusal"):
            text = part.get("text", part.get("refusal"))
            return [] if not isinstance(text, str) or content.is_blank_text(text) else [content.text_part(text)]
        if (pdf := files.pdf_of(part)) is not None:
            source = {"type": "base64", "media_type": "application/pdf", "data": pdf}
            name = files.name_of(part)
            return [{"type": "document", "source": source, **({"title": name} if name else {})}]
        raise BadRequest(
            f"{dotted(pointer)}: the endpoint speaks Anthropic Messages, which take texts, images and PDFs in the "
            f"request, but no {kind}.",
            dotted(pointer),
        )

    def _image(self, given: object, pointer: str) -> JsonObject:
        url = given.get("url") if isinstance(given, dict) else given
        if isinstance(given, dict) and given.keys() - {"url"}:
            self._told.count(pointer, "fields of an image beside its URL are dropped: Messages have none")
        try:
            source = data.sendable_url(url if isinstance(url, str) else "", _NO_LIMIT)
        except BadImage:
            message = f"{dotted(pointer)}: must be an http(s) URL or the base64 data of an image."
            raise BadRequest(message, dotted(pointer)) from None
        if data.is_remote(source):
            return {"type": "image", "source": {"type": "url", "url": source}}
        header, _, payload = source.partition(",")
        kind = header.removeprefix("data:").partition(";")[0]
        return {"type": "image", "source": {"type": "base64", "media_type": kind, "data": payload}}


def _is_thought(block: object) -> bool:
    return isinstance(block, dict) and block.get("type") in _THOUGHTS
