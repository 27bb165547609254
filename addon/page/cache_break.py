"""Which message broke a prompt's cache: a request beside that of the turn before, on demand.

Both are compared as the prompt-cache ledger compares them (`observe.prompts`), but with their texts, where they are
kept: as they came, and as they left.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, Final, TypedDict

from ..exchange import JsonObject, Response
from ..observe import prompts
from ..observe.admin.route import json_answer
from ..observe.last_exchanges import LastExchanges
from ..views import shorten
from ..views.diff import printable
from ..wire import json_body, proxy_errors
from ..wire.openai_error import ProxyError
from . import turns
from .changed_words import Compared, compared
from .content import Content
from .sources import Sources

_LONGEST: Final = 100_000
"""Characters of one message that are compared."""
_SHOWN: Final = 1200
"""Characters of a message that stands alone, or beside one that it has nothing to do with."""
_SPOKEN: Final = ("text", "input_text", "output_text")
"""Types of parts that are text."""
_UNSAID: Final = ("role", "content", "cache_control", "id", "status", "type")
_DATA: Final = re.compile(r"data:[^,]{0,200},|[A-Za-z0-9+/_=-]{2000}", re.IGNORECASE)
"""The beginning of a file's data."""
_DEPTH: Final = 20
"""Levels of JSON that are shown."""
_IN_A_THREAD: Final = 1 << 20
"""What reading four bodies costs, at least, as `Workers` counts it: the event loop doesn't wait for it."""


class Message(TypedDict):
    """One entry of a prompt: a message, a tool, the system text, a parameter."""

    role: str
    """`""`: it is no message."""
    text: str
    """Its beginning."""
    more: int
    """Characters behind that."""


class Changed(TypedDict):
    """Where two prompts differ first."""

    pointer: str
    what: str
    """As `events.Done.prompt_cache` says it."""
    before: Message | None
    """What stood there in the turn before; `None`: nothing."""
    now: Message | None
    words: Compared | None
    """Both beside each other; `None` where one stands for something else, or is missing."""


class CacheBreak(TypedDict):
    """The answer of `GET /api/exchanges/{id}/cache`."""

    id: str
    before: str
    """The exchange of the turn before; `""`: none is known."""
    prompt_cache: JsonObject
    """As in `events.Done`."""
    missing: str
    """Why there are no texts: `before` (there is no turn before), `content` (it isn't kept, or not any more)."""
    came: Changed | None
    """As the client sent both; `None`: one begins with the other, or they aren't kept."""
    sent: Changed | None
    """As they left; `None` also where nothing was changed on the way."""


async def explained(sources: Sources, values: Mapping[str, Any], language: str) -> Response | ProxyError:
    """`GET /api/exchanges/{id}/cache`."""
    id = values["id"]
    kept = sources.exchanges.get(id)
    if kept is None:
        return proxy_errors.ADMIN_NO_SUCH_EXCHANGE()
    told = kept.get("prompt_cache") or {}
    before = told.get("before") or turn_before(sources.exchanges, id)
    answer: CacheBreak = {
        "id": id,
        "before": before,
        "prompt_cache": told,
        "missing": "" if before else "before",
        "came": None,
        "sent": None,
    }
    if not before or sources.contents is None:
        answer["missing"] = answer["missing"] or "content"
        return json_answer(answer)
    contents = sources.contents

    def look(_: object) -> None:
        then, now = contents.get(before), contents.get(id)
        if then is None or now is None:
            answer["missing"] = "content"
        else:
            answer["came"], answer["sent"] = differences(then, now)

    await sources.workers.run(look, _IN_A_THREAD)
    return json_answer(answer)


def turn_before(exchanges: LastExchanges, id: str) -> str:
    """The exchange of the same session and kind of call before the one with this id; `""`: there is none."""
    own = exchanges.get(id)
    session = turns.session_of(own) if own is not None else ""
    if own is None or not session:
        return ""
    for kept in exchanges.newest(id):
        if turns.session_of(kept) == session and kept.get("kind") == own.get("kind"):
            return kept.id
    return ""


def differences(before: Content, now: Content) -> tuple[Changed | None, Changed | None]:
    """Where two requests differ first: as they came, and as they left if anything was changed on the way."""
    came = _difference(before.came, now.came)
    if before.sent is before.came and now.sent is now.came:
        return came, None
    return came, _difference(before.sent, now.sent)


def _difference(before: bytes | None, now: bytes | None) -> Changed | None:
    old, new = (json_body.parse_object(body) if body is not None else None for body in (before, now))
    if old is None or new is None:
        return None
    prompts_of = prompts.prompt_of(old), prompts.prompt_of(new)
    if prompts_of[0] is None or prompts_of[1] is None:
        return None
    found = prompts.difference(prompts_of[0], prompts_of[1])
    if found is None:
        return None
    entries = _entry(old, found.pointer), _entry(new, found.pointer)
    texts = tuple(_text(entry) if entry is not None else "" for entry in entries)
    if texts[0] == texts[1]:  # what differs is in no text
        texts = tuple(_as_json(entry) for entry in entries)
    are_one = None not in entries and _is_the_same(found.what)
    return {
        "pointer": found.pointer,
        "what": found.what,
        "before": _message(entries[0], texts[0]),
        "now": _message(entries[1], texts[1]),
        "words": compared(texts[0][:_LONGEST], texts[1][:_LONGEST]) if are_one else None,
    }


def _is_the_same(what: str) -> bool:
    """Whether what stands at a place now is what stood there before, in other words."""
    return not what.endswith(("inserted", "removed", "another order", prompts.COMPACTED, "added"))


def _entry(body: JsonObject, pointer: str) -> Any:
    """What is at `pointer`, which has one name or a name and a number; `None`: nothing is."""
    name, _, number = pointer[1:].partition("/")
    value = body.get(name)
    if not number:
        return value
    index = int(number)
    return value[index] if isinstance(value, list) and index < len(value) else None


def _message(entry: Any, text: str) -> Message | None:
    if entry is None:
        return None
    role = entry.get("role") if isinstance(entry, dict) else ""
    return {
        "role": printable(role[:40]) if isinstance(role, str) else "",
        "text": text[:_SHOWN],
        "more": max(0, len(text) - _SHOWN),
    }


def _text(entry: Any, levels: int = _DEPTH) -> str:
    """What a person reads of an entry: its text, then whatever else it has as JSON."""
    if isinstance(entry, str):
        return printable(_without_data(entry, 0))
    if not isinstance(entry, dict) or not levels or not ("role" in entry or "content" in entry or _is_spoken(entry)):
        return _as_json(entry)  # a tool, a part that is no text
    if _is_spoken(entry):
        return _text(entry["text"])
    content = entry.get("content")
    parts = content if isinstance(content, list) else [content] if content else []
    beside = {name: value for name, value in entry.items() if name not in _UNSAID and value not in (None, [], "")}
    return "\n\n".join([*(_text(part, levels - 1) for part in parts), *([_as_json(beside)] if beside else [])])


def _is_spoken(part: JsonObject) -> bool:
    return part.get("type") in _SPOKEN and isinstance(part.get("text"), str)


def _as_json(value: Any) -> str:
    return printable(json.dumps(_without_data(value, _DEPTH), ensure_ascii=False, indent=2))


def _without_data(value: Any, levels: int) -> Any:
    """A value with the data of files made short, which are told apart by a digest."""
    if isinstance(value, str):
        if not _DATA.match(value):
            return value
        digest = blake2b(value.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
        return f"{shorten.text(value)} ({digest})"
    if not isinstance(value, dict | list):
        return value
    if not levels:
        return "…"
    if isinstance(value, dict):
        return {name: _without_data(one, levels - 1) for name, one in value.items() if name != "cache_control"}
    return [_without_data(one, levels - 1) for one in value]
