"""The places of changes in the request as its client sent it, and as it left.

A change names the place that its rule found, in the middle of the way: messages are joined, moved and inserted before
and after it. Where they have moved, the exchange has a note of that (`rules.places`): the rules can't be run again
later, since options, descriptions and what endpoints have taught may be others by then. All else is worked out here,
when a person looks, from the two bodies. A request in another format than the house language is translated once more,
and its items are found in the messages by the texts and ids that both have.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ..dialects import DIALECTS
from ..exchange import Change, Exchange, JsonObject
from ..rules.fields import escape
from ..rules.places import INSERTED, NAME, Moved, message_of
from ..wire import json_body

_OF_ANSWERS = ("/choices", "/usage", "/data", "/output")
"""What the pointers of changes in answers begin with."""
_ITEMS = (("system", False), ("instructions", False), ("messages", True), ("input", True))
"""Where formats keep what is said, and whether that is a list with an item for each message."""


_COMPARED = 200
"""Characters of a message by which it is found in another."""
_READ, _ALWAYS_READ = 3, 1_000_000
"""How often the length of the body that left is read for all changes together, and the characters that are read of any
body: a page takes time in proportion."""
_A_LOOK = 100
"""Characters that take as long to read as it takes to look at one more message."""


@dataclass(frozen=True, slots=True)
class Place:
    """JSON Pointers into two bodies, each of a value that is there: the place itself, or the nearest that holds it.

    `original`: as the client sent the request; `final`: as it left. `None`: nothing of it is there (a message that was
    added, a parameter that was removed, a body that wasn't kept), or the change is one in the answer.
    """

    original: str | None
    final: str | None


def original_and_final(exchange: Exchange, sent: bytes) -> list[Place]:
    """The place of each of `exchange.changes`. `sent`: the body as it left. Raises nothing, whatever bodies hold."""
    return _Places(exchange, sent).of_all()


class _Places:
    def __init__(self, exchange: Exchange, sent: bytes) -> None:
        self._changes = exchange.changes
        self._dialect = exchange.dialect
        self._final = _parsed(sent)
        self._original = _parsed(exchange.original) if exchange.rewritten else self._final
        self._came, self._in_client_format = came, _ = self._as_they_came()
        self._said: dict[int, str] = {}
        """What messages say, by their identity."""
        self._may_read = _ALWAYS_READ + _READ * len(sent)
        left = _list(self._final, "messages")
        note = exchange.notes.get(NAME)
        self._moved = (Moved.from_note(note) if isinstance(note, dict) else None) or _unmoved(len(left) or len(came))
        self._earlier = max(0, len(self._moved.places) - len(came)) if self._in_client_format is not None else 0
        """Messages that the conversation had before those of this request (Responses)."""
        # A body that left in another format has other messages.
        is_same = len(left) == len(self._moved.origins)
        self._in_sent_format = None if is_same else found(came, self._final)
        self._tools = same_tools(self._original, self._final)

    def of_all(self) -> list[Place]:
        return [self._of(number, change) for number, change in enumerate(self._changes)]

    def _of(self, number: int, change: Change) -> Place:
        if change.rule.startswith("answer-") or change.pointer.startswith(_OF_ANSWERS):
            return Place(None, None)
        message = message_of(change.pointer)
        if message is not None and not self._is_of_client_format(change):
            return self._of_message(number, message, change.pointer)
        if change.pointer.startswith("/tools/"):
            return self._of_tool(change.pointer)
        original, final = (_existing(change.pointer, body) for body in (self._original, self._final))
        if message is not None:
            final = None  # a translation names messages of the client's format: those that left have other numbers
        # A removed parameter is nowhere: "/" would say that the whole request is meant.
        return Place(_unless_root(original, change), _unless_root(final, change))

    def _is_of_client_format(self, change: Change) -> bool:
        dialect = DIALECTS.get(change.rule)
        return dialect is not None and not dialect.is_house

    def _of_message(self, number: int, found: int, pointer: str) -> Place:
        """`found`: the number that the message had there."""
        rest = pointer[len(f"/messages/{found}") :]
        moved, at = self._moved, number - self._moved.first
        if at < 0:  # before the rules: nothing had moved
            origin, place = found, INSERTED
        elif at < len(moved.changes):
            origin, place = moved.changes[at]
        else:  # after them
            origin, place = _at(moved.origins, found), found
        if origin == INSERTED:
            return Place(None, self._in_final(place, rest))
        place = _at(moved.places, origin)
        if _at(moved.origins, place) != origin:
            place, rest_there = self._joined_to(origin, place), ""
        else:
            rest_there = rest
        return Place(self._in_original(origin, rest), self._in_final(place, rest_there))

    def _joined_to(self, origin: int, place: int) -> int:
        """The number of the message that has the text of one that is gone: mostly the one before it, at `place`."""
        if self._may_read <= 0:
            return place
        said = self._said_in(self._came, origin).strip()[:_COMPARED]
        left = _list(self._final, "messages")
        for distance in range(len(left) if said else 0):
            for number in {place - distance, place + distance}:
                if 0 <= number < len(left):
                    text = self._said_in(left, number)
                    self._may_read -= len(text) + _A_LOOK
                    if said in text:
                        return number
            if self._may_read <= 0:
                break
        return place

    def _said_in(self, messages: list[Any], number: int) -> str:
        message = messages[number] if 0 <= number < len(messages) else None
        if id(message) not in self._said:
            self._said[id(message)] = "\n".join(
                _strings(message.get("content") if isinstance(message, dict) else message)
            )
        return self._said[id(message)]

    def _in_original(self, message: int, rest: str) -> str | None:
        if self._in_client_format is not None:
            return self._in_client_format.get(message - self._earlier)
        return _existing(f"/messages/{message}{rest}", self._original)

    def _in_final(self, message: int, rest: str) -> str | None:
        if self._in_sent_format is not None:
            return self._in_sent_format.get(_at(self._moved.origins, message))
        return None if message == INSERTED else _existing(f"/messages/{message}{rest}", self._final)

    def _of_tool(self, pointer: str) -> Place:
        _, _, number, *rest = pointer.split("/", 3)
        behind = f"/{rest[0]}" if rest else ""
        if not number.isdecimal():
            return Place(_existing(pointer, self._original), _existing(pointer, self._final))
        index, offered = int(number), _list(self._original, "tools")
        if index < len(offered):
            original = _existing(pointer, self._original)
        else:  # the deprecated `functions` stand behind them
            inside = behind.removeprefix("/function")
            original = _existing(f"/functions/{index - len(offered)}{inside}", self._original)
        at = self._tools.get(index)
        return Place(original, None if at is None else _existing(f"/tools/{at}{behind}", self._final))

    def _as_they_came(self) -> tuple[list[Any], dict[int, str] | None]:
        """The messages that came, in the house language; and if they came in another format, where each stood in it."""
        dialect = DIALECTS.get(self._dialect)
        if dialect is None or dialect.is_house or dialect.house != "chat":
            return _list(self._original, "messages"), None
        try:
            chat = dialect.to_chat(_parsed(json_body.serialise(self._original)), {}, {})["messages"]
        except Exception:  # a body from a file may be anything, and so may what a translation makes of it
            return [], {}
        return chat, found(chat, self._original)


def _unmoved(messages: int) -> Moved:
    same = list(range(messages))
    return Moved(0, [], same, same)


def _at(numbers: Sequence[int], index: int) -> int:
    return numbers[index] if 0 <= index < len(numbers) else INSERTED


def _parsed(body: bytes | None) -> JsonObject:
    return (json_body.parse_object(body) if body is not None else None) or {}


def _list(body: JsonObject, key: str) -> list[Any]:
    value = body.get(key)
    return value if isinstance(value, list) else []


def _unless_root(pointer: str | None, change: Change) -> str | None:
    return None if pointer == "" and change.pointer else pointer


def _existing(pointer: str, body: Any) -> str | None:
    """`pointer`, or as much of it as leads to a value in `body`; `None` where `body` is empty.

    Names are compared without capitals and underscores: some upstreams write `ToolCalls`.
    """
    if not body:
        return None
    value, way = body, ""
    for token in pointer.split("/")[1:]:
        if isinstance(value, list) and token.isdecimal() and int(token) < len(value):
            value, way = value[int(token)], f"{way}/{token}"
        elif isinstance(value, dict) and (key := _key(value, token.replace("~1", "/").replace("~0", "~"))) is not None:
            value, way = value[key], f"{way}/{escape(key)}"
        else:
            break
    return way


def _key(body: JsonObject, wanted: str) -> str | None:
    if wanted in body:
        return wanted
    plain = wanted.replace("_", "").lower()
    return next((key for key in body if key[:1].isupper() and key.replace("_", "").lower() == plain), None)


def same_tools(original: JsonObject, final: JsonObject) -> dict[int, int]:
    """The tools that came, by number, and the numbers under which they left: by name, or one for one."""
    came = [*_list(original, "tools"), *_list(original, "functions")]
    left = _list(final, "tools")
    if len(came) == len(left):
        return {number: number for number in range(len(came))}
    numbers: dict[object, list[int]] = defaultdict(list)
    for number in reversed(range(len(left))):
        numbers[_name(left[number])].append(number)
    found = {}
    for number, tool in enumerate(came):
        name = _name(tool)
        if name is not None and numbers[name]:
            found[number] = numbers[name].pop()
    return found


def _name(tool: Any) -> str | None:
    function = tool.get("function") if isinstance(tool, dict) else None
    name = (function if isinstance(function, dict) else tool if isinstance(tool, dict) else {}).get("name")
    return name if isinstance(name, str) else None


def found(messages: Sequence[Any], body: JsonObject) -> dict[int, str]:
    """Where each of `messages` stands in `body`, in another format, as a JSON Pointer.

    A message of which nothing is found has no place there.
    """
    items = list(_items(body))
    return {number: items[at][0] for number, at in same(messages, [item for _, item in items]).items()}


def same(messages: Sequence[Any], items: Sequence[Any]) -> dict[int, int]:
    """Which of `items` says what each of `messages` says: by a text or an id that both have, in order.

    A message of which nothing is found has none.
    """
    having: dict[str, list[int]] = defaultdict(list)
    for number, item in enumerate(items):
        for text in set(_strings(item)):
            having[text].append(number)
    known: dict[int, int] = {}
    reached = 0
    for number, message in enumerate(messages):
        for text in _strings(message):
            numbers = having.get(text, ())
            at = bisect_right(numbers, reached - 1)
            if at < len(numbers):
                known[number] = reached = numbers[at]
                break
    return known


def _items(body: JsonObject) -> Iterator[tuple[str, Any]]:
    for key, listed in _ITEMS:
        value = body.get(key)
        if listed and isinstance(value, list):
            yield from ((f"/{key}/{number}", item) for number, item in enumerate(value))
        elif value:
            yield f"/{key}", value


def _strings(value: Any) -> Iterator[str]:
    """The texts in a value, without what all messages have: roles and types."""
    waiting = [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            if value:
                yield value
        elif isinstance(value, dict):
            waiting += [item for key, item in value.items() if key not in _COMMON]
        elif isinstance(value, list):
            waiting += value


_COMMON = ("role", "type", "name", "status", "media_type", "cache_control")
