"""The messages of a body as a person reads them: texts, reasoning, tool calls, images, and what else is in them.

A body is looked at in the shapes of chat (`views.formats`), whatever its format. Nothing here raises, whatever a body
holds.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypedDict

from ..exchange import JsonObject
from ..exchange import printable as whole_characters
from ..images import data as image_data
from ..views import formats, picture, shorten
from ..wire import json_body

type Kind = Literal["text", "reasoning", "call", "image", "other"]

MOST_PIECES: Final = 100
"""Of one message."""
_MOST_LISTED: Final = 100_000
"""Messages of one body that are looked at."""
_OWN: Final = frozenset(
    ["role", "content", "name", "tool_call_id", "tool_calls", "function_call", "reasoning_content", "type"]
)
"""Fields of messages that are shown in a way of their own."""
_LINE: Final = 100
"""Characters within which the end of a line is looked for."""
_DATA_URL: Final = re.compile(r"data:image/[\w.+-]+;base64,", re.IGNORECASE)


class Span(TypedDict, total=False):
    """A part of a text: `text`, which is new or gone where `mark` stands, or `gap`: characters that are left out."""

    text: str
    mark: bool
    gap: int


@dataclass(slots=True)
class Piece:
    """A part of a message. `at`: its JSON Pointer in the body as it is shown."""

    kind: Kind
    at: str
    text: str = ""
    name: str = ""
    id: str = ""
    url: str = ""
    """Of an image that isn't in the body itself."""
    is_shown: bool = False
    """It is an image whose bytes are there."""
    description: str = ""
    """What the vision model says of it."""

    @property
    def said(self) -> tuple[str, str, str, str]:
        """What two pieces that say the same have in common."""
        return self.kind, self.text, self.name, self.id


@dataclass(slots=True)
class Message:
    """A message. `number`: its place among those of its body; `at`: its JSON Pointer in the body itself, if known."""

    number: int
    role: str
    at: str = ""
    name: str = ""
    id: str = ""
    """Of the call that it answers."""
    pieces: list[Piece] = field(default_factory=list)
    more: int = 0
    """Pieces that aren't listed."""

    @property
    def said(self) -> tuple[object, ...]:
        """What two messages that say the same have in common."""
        return self.role, self.name, self.id, [piece.said for piece in self.pieces], self.more

    def text(self, kind: Kind) -> str:
        """All its texts of a kind."""
        return "\n\n".join(piece.text for piece in self.pieces if piece.kind == kind)


def as_chat(body: bytes, dialect: str) -> JsonObject | None:
    """A body in the shapes of chat; `None` where it is no JSON object."""
    parsed = shorten.parse_object(body)
    return None if parsed is None else formats.as_chat(parsed, dialect)


def listed(chat: JsonObject) -> list[Any]:
    """The messages of a body, as they are there."""
    given = chat.get("messages")
    return given[:_MOST_LISTED] if isinstance(given, list) else []


def messages(given: Sequence[Any]) -> list[Message]:
    """The messages, read."""
    return [_message(number, message) for number, message in enumerate(given)]


def _message(number: int, given: Any) -> Message:
    at = f"/messages/{number}"
    if not isinstance(given, dict):
        return Message(number, "?", pieces=[Piece("other", at, pretty(given))])
    found = Message(
        number, _word(given.get("role")) or "?", "", _word(given.get("name")), _word(given.get("tool_call_id"))
    )
    for piece in _pieces(given, at):
        if len(found.pieces) < MOST_PIECES:
            found.pieces.append(piece)
        else:
            found.more += 1
    return found


def _pieces(message: JsonObject, at: str) -> Iterator[Piece]:
    reasoning = message.get("reasoning_content")
    if isinstance(reasoning, str) and reasoning:
        yield Piece("reasoning", f"{at}/reasoning_content", reasoning)
    content = message.get("content")
    if isinstance(content, list):
        for number, part in enumerate(content):
            yield _part(part, f"{at}/content/{number}")
    elif content is not None and content != "":
        yield _part(content, f"{at}/content")
    calls = message.get("tool_calls")
    for number, call in enumerate(calls if isinstance(calls, list) else ()):
        yield _call(call, f"{at}/tool_calls/{number}")
    if isinstance(message.get("function_call"), dict):
        yield _call({"function": message["function_call"]}, f"{at}/function_call")
    rest = {key: value for key, value in message.items() if key not in _OWN and value not in (None, "", [], {})}
    if rest:
        yield Piece("other", at, pretty(rest))


def _part(part: Any, at: str) -> Piece:
    if isinstance(part, str):
        return Piece("text", at, part)
    if isinstance(part, dict) and isinstance(part.get("text"), str):
        return Piece("text", f"{at}/text", part["text"])
    image = part.get("image_url") if isinstance(part, dict) else None
    url = image.get("url") if isinstance(image, dict) else image
    if isinstance(url, str):
        is_inside = _DATA_URL.match(url) is not None
        facts = picture.facts(url).removeprefix("[").removesuffix("]")
        return Piece("image", at, facts, url="" if is_inside else url, is_shown=is_inside)
    return Piece("other", at, pretty(part))


def _call(call: Any, at: str) -> Piece:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict):
        return Piece("call", at, pretty(call), "?")
    arguments = function.get("arguments")
    return Piece(
        "call",
        f"{at}/function/arguments",
        arguments_of(arguments),
        _word(function.get("name")) or "?",
        _word(call.get("id")),
    )


def arguments_of(arguments: Any) -> str:
    """What a tool is called with: JSON, pretty; what is none as it is."""
    if isinstance(arguments, str):
        try:
            return pretty(shorten.parse(arguments.encode("utf-8", "surrogatepass")))
        except json_body.InvalidJson:
            return arguments
    return pretty(arguments)


def pretty(value: Any) -> str:
    """A JSON value on lines, without file data."""
    return json.dumps(shorten.everything(value), ensure_ascii=False, indent=2)


def _word(value: Any) -> str:
    return value[:200] if isinstance(value, str) else ""


def at_pointer(value: Any, pointer: str) -> Any:
    """The value that a JSON Pointer leads to; `None` where there is none."""
    for token in pointer.split("/")[1:]:
        key = token.replace("~1", "/").replace("~0", "~")
        if isinstance(value, list) and key.isdecimal() and len(key) < 10 and int(key) < len(value):
            value = value[int(key)]
        elif isinstance(value, dict) and key in value:
            value = value[key]
        else:
            return None
    return value


def whole_text(value: Any, pointer: str) -> str:
    """What a piece at `pointer` says, all of it."""
    found = at_pointer(value, pointer)
    if pointer.endswith("/arguments"):
        return arguments_of(found)
    return found if isinstance(found, str) else "" if found is None else pretty(found)


def image(value: Any, pointer: str) -> tuple[str, bytes] | None:
    """Content type and bytes of the image at `pointer`; `None` where none is, or it is of no kind that a page shows."""
    part = at_pointer(value, pointer)
    given = part.get("image_url") if isinstance(part, dict) else None
    url = given.get("url") if isinstance(given, dict) else given
    head = _DATA_URL.match(url) if isinstance(url, str) else None
    if head is None or not isinstance(url, str):
        return None
    payload = url[head.end() :]
    kind = image_data.kind(payload)
    if kind is None:
        return None
    try:
        return kind, base64.b64decode(payload)
    except (binascii.Error, ValueError):
        return None


class Room:
    """How many characters of texts a story may still hold. A text is cut to what there is room for."""

    def __init__(self, characters: int = 1_500_000) -> None:
        self.left = characters

    def spans(self, text: str, marks: Sequence[tuple[int, int]] = (), most: int = 800) -> list[Span]:
        """`text` in parts: marked ones, and gaps in the place of long stretches that aren't marked."""
        spans: list[Span] = []
        at = 0
        for begin, end in marks:
            self._plain(spans, text[at:begin], most, is_first=not spans, is_last=False)
            self._cut(spans, text[begin:end], most, mark=True)
            at = end
        self._plain(spans, text[at:], most, is_first=not spans, is_last=True)
        return spans

    def _plain(self, spans: list[Span], text: str, most: int, *, is_first: bool, is_last: bool) -> None:
        if is_first and is_last:
            self._cut(spans, text, most)
            return
        # Beside a mark as much is shown as says where it stands.
        around = most // 4
        head, tail = (0 if is_first else around), (0 if is_last else around)
        if is_first or is_last:
            head, tail = head + (around if is_first else 0), tail + (around if is_last else 0)
        self._parts(spans, text, head, tail, mark=False)

    def _cut(self, spans: list[Span], text: str, most: int, *, mark: bool = False) -> None:
        self._parts(spans, text, most * 3 // 4, most // 4, mark=mark)

    def _parts(self, spans: list[Span], text: str, head: int, tail: int, *, mark: bool) -> None:
        if self.left <= 0:
            head, tail = min(head, 80), 0
        if len(text) <= head + tail + 80:
            self._add(spans, text, mark)
            return
        # At the end of a line, where one is near.
        line = text.rfind("\n", head - _LINE, head) + 1 if head > _LINE else 0
        end = text.find("\n", len(text) - tail, len(text) - tail + _LINE) if tail > _LINE else -1
        begin, rest = line or head, end if end >= 0 else len(text) - tail
        self._add(spans, text[:begin], mark)
        spans.append({"gap": rest - begin})
        self._add(spans, text[rest:], mark)

    def _add(self, spans: list[Span], text: str, mark: bool) -> None:
        if not text:
            return
        self.left -= len(text)
        span: Span = {"text": whole_characters(text)}
        if mark:
            span["mark"] = True
        spans.append(span)
