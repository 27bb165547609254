"""Session: which conversation a request belongs to. Pure.

Agents name their session in a header, in a field of the body, or inside the id of their user
(docs/facts/clients.md#sessions); `session.toml` has the table. A user alone is no session: one has many at a time.

A request that names none is known by what doesn't change while its conversation grows: who sends it, the system text
and what the user said first. What changes all the same (dates, a client's own context) is left out.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b, sha256
from importlib import resources
from itertools import islice
from typing import Any, Final

from .exchange import JsonObject
from .wire import json_body, volatile

SIZE: Final = 16
"""Bytes of a digest."""
_IN_USER: Final = "_session_"
"""What stands before the session in a user's id: `user_…_account_…_session_…` (Claude Code before 2.1)."""
_LONGEST_USER: Final = 4096
"""Characters of a user's id that is looked into."""
_WINDOW: Final = 1024
"""Characters from either end of a text by which it is known. A longer text differs there, or in its length."""
_SPARE: Final = 512
"""Characters beside them in which something volatile may stand."""
_MOST_MESSAGES: Final = 64
"""Messages among which the user's first one is looked for."""
_MOST_BLOCKS: Final = 16
"""Parts of one content that are looked at."""
_TAIL: Final = 64
"""Characters of an image's data that count, from its end: beginnings are alike."""
_DIGITS: Final = b"0123456789"
_NOT_SPACE: Final = re.compile(r"\S")
_TAG: Final = re.compile(r"<([\w-]{1,64})>")


def named(headers: Iterable[tuple[bytes, bytes]], body: JsonObject) -> str:
    """A digest of the session that a request names, the same in each of its requests; `""` where it names none.

    `body` may be in any format: as the client sent it, or translated to chat, where `metadata.user_id` is `user`.
    """
    found = _named(headers, body)
    return digest(found) if found else ""


def digest(name: str) -> str:
    """The digest of the session that clients call `name`."""
    return sha256(b"session:" + name.encode("utf-8", "surrogatepass")).hexdigest()[: 2 * SIZE]


def of_conversation(caller: bytes, body: JsonObject) -> str:
    """A digest of the conversation in `body`, a request in any format; `""` for one without a message.

    `caller` is a digest of what the request authenticates with: two callers have no conversation in common. A request
    that goes on from an answer which its endpoint keeps has no beginning either.
    """
    if body.get("previous_response_id"):
        return ""
    system, said = _opening(body)
    if not said:
        return ""
    made = blake2b(caller, digest_size=SIZE)
    for text in system:
        made.update(b"\xff" + _lasting(text))
    for piece in said:
        made.update(b"\xfe" + piece)
    return made.hexdigest()


def agent(headers: Mapping[str, str]) -> str:
    """What tells the agents of one session apart; `""` where none is told. `headers` are found by lower-case names.

    A digest, since it is remembered and a client may send any length.
    """
    found = next(filter(None, map(headers.get, _data().agents)), "")
    return blake2b(found.encode("utf-8", "backslashreplace"), digest_size=SIZE).hexdigest() if found else ""


def own_words(text: str) -> str:
    """What a user has said in `text`: what is left behind the context and the reminders that a client puts before it.

    `""` where all of it is the client's own.
    """
    own, at = _data().own, 0
    if not text[:1].isspace() and not text.startswith(own):
        return text  # as of most
    for _ in range(_MOST_BLOCKS):
        begins = _NOT_SPACE.search(text, at)
        if begins is None:
            return ""
        at = begins.start()
        if not text.startswith(own, at):
            return text[at:]
        tag = _TAG.match(text, at)
        end = text.find(f"</{tag[1]}>", at) if tag else -1
        if tag is None or end < 0:
            return ""
        at = end + len(tag[1]) + 3
    return text[at:]


def is_summary(text: str) -> bool:
    """Whether a text in the user's place stands for a history that the client has compacted."""
    return text[:_WINDOW].lstrip().startswith(_data().summaries)


def _named(headers: Iterable[tuple[bytes, bytes]], body: JsonObject) -> str:
    """The id of the session by its surest place; `""` where none has one."""
    data = _data()
    sent = [(data.headers[name], value) for field, value in headers if (name := field.lower()) in data.headers]
    for _, value in sorted(sent):
        if text := value.decode("utf-8", "replace").strip():
            return text
    if data.outer_fields.isdisjoint(body):
        return ""  # as of most requests of clients that name none
    for outer, inner, is_user in data.fields:
        given = body.get(outer)
        if inner:
            given = given.get(inner) if isinstance(given, dict) else None
        if is_user:
            given = _inside(given)
        if isinstance(given, str) and (text := given.strip()):
            return text
    return ""


def _inside(user: object) -> Any:
    """The session in a user's id; `None` where there is none."""
    if not isinstance(user, str) or len(user) > _LONGEST_USER:
        return None
    if user.startswith("{"):
        read = json_body.parse_object(user.encode("utf-8", "surrogatepass")) or {}
        return next((read[key] for key in _data().in_users if isinstance(read.get(key), str)), None)
    return user.rpartition(_IN_USER)[2] if _IN_USER in user else None


def _opening(body: JsonObject) -> tuple[list[str], list[bytes]]:
    """The system texts, and what the user said first: of a message whose texts are not all the client's own."""
    system = _texts(body.get("system")) or _texts(body.get("instructions"))
    messages = body.get("messages")
    if not isinstance(messages, list):
        messages = body.get("input")
        if isinstance(messages, str):
            return system, [_piece(messages)]
    first: list[bytes] = []
    for message in islice(messages, _MOST_MESSAGES) if isinstance(messages, list) else ():
        if not isinstance(message, dict):
            continue
        role, content = message.get("role"), message.get("content")
        if role in ("system", "developer"):
            system += _texts(content)
        elif role == "user":
            said = _said(content, but_own=True)
            if said:
                return system, said
            first = first or _said(content, but_own=False)
    return system, first


def _said(content: Any, *, but_own: bool) -> list[bytes]:
    """The pieces of a user's message by which it is known."""
    if isinstance(content, str):
        text = own_words(content) if but_own else content
        return [_piece(text)] if text else []
    pieces: list[bytes] = []
    for part in islice(content, _MOST_BLOCKS) if isinstance(content, list) else ():
        if isinstance(part, str):
            part = {"text": part}  # noqa: PLW2901 - as some clients write it
        if not isinstance(part, dict):
            continue
        given = part.get("text")
        if isinstance(given, str):
            if words := own_words(given) if but_own else given:
                pieces.append(_piece(words))
        elif part.get("type") != "tool_result":
            pieces += map(_tail, _strings(part))
    return pieces


def _strings(part: JsonObject) -> Iterator[str]:
    """The texts in an image, a file or the like, and in the objects in it."""
    for value in islice(part.values(), _MOST_BLOCKS):
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            yield from (inner for inner in islice(value.values(), _MOST_BLOCKS) if isinstance(inner, str))


def _texts(content: Any) -> list[str]:
    """The texts of a content: a text, or a list of parts."""
    if isinstance(content, str):
        return [content]
    parts = islice(content, _MOST_BLOCKS) if isinstance(content, list) else ()
    texts = (part.get("text") if isinstance(part, dict) else part for part in parts)
    return [text for text in texts if isinstance(text, str)]


def _piece(text: str) -> bytes:
    """What a text is known by that is sent back unchanged: both its ends and its length."""
    if len(text) > 2 * _WINDOW:
        text = f"{text[:_WINDOW]}{text[-_WINDOW:]}{len(text)}"
    return text.encode("utf-8", "surrogatepass")


def _tail(text: str) -> bytes:
    return f"{text[-_TAIL:]}{len(text)}".encode("utf-8", "surrogatepass")


def _lasting(text: str) -> bytes:
    """What a text is known by that its client writes anew for each request: both its ends, without what is volatile."""
    if len(text) <= 2 * (_WINDOW + _SPARE):
        return _steady(text)
    return _steady(text[: _WINDOW + _SPARE])[:_WINDOW] + _steady(text[-_WINDOW - _SPARE :])[-_WINDOW:]


def _steady(text: str) -> bytes:
    """`text` in lower case, without its volatile parts and digits."""
    text = volatile.without(text.lower(), _data().volatile)
    return text.encode("utf-8", "surrogatepass").translate(None, _DIGITS)


@dataclass(frozen=True, slots=True)
class _Data:
    headers: dict[bytes, int]
    """Name -> its rank."""
    fields: tuple[tuple[str, str, bool], ...]
    """Field of the body, field of the object in it or `""`, whether the id of a user is there."""
    outer_fields: frozenset[str]
    """Those of the body."""
    in_users: tuple[str, ...]
    agents: tuple[str, ...]
    own: tuple[str, ...]
    summaries: tuple[str, ...]
    volatile: tuple[tuple[str, str], ...]


@cache
def _data() -> _Data:
    given = tomllib.loads(resources.files(__package__).joinpath("session.toml").read_text(encoding="utf-8"))
    clients = given["client"]

    def listed(key: str) -> list[str]:
        return [value for client in clients for value in client.get(key, ())]

    fields = [
        _place(field, is_user=key == "users")
        for client in clients
        for key in ("fields", "users")
        for field in client.get(key, ())
    ]
    return _Data(
        headers={name.encode(): rank for rank, name in enumerate(listed("headers"))},
        fields=tuple(fields),
        outer_fields=frozenset(outer for outer, _, _ in fields),
        in_users=tuple(given["in_users"]),
        agents=tuple(listed("agents")),
        own=(*listed("own"), *listed("summaries")),
        summaries=tuple(listed("summaries")),
        volatile=tuple((row["begins"], row["ends"]) for row in given["volatile"]),
    )


def _place(field: str, *, is_user: bool) -> tuple[str, str, bool]:
    outer, _, inner = field.partition(".")
    return outer, inner, is_user
