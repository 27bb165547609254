"""Where the texts of a request stand, and of its answer, in whichever format: all of its strings, but for those here.

Whatever is left alone on one way is left alone on the other: a value that was put back is masked again when it returns.
What its endpoint has signed or encrypted stays byte for byte, since it refuses it otherwise; it has placeholders in it,
as the endpoint never had anything else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from ..dialects.anthropic import thinking
from ..dialects.responses import sealing
from ..exchange import Changes, JsonObject
from ..wire import json_body, rule_names
from .masked import Masking

_ROOTS: Final = ("system", "instructions", "input", "messages", "prediction", "prompt")
"""Where a request has texts, by the formats' names."""
_LEFT: Final = frozenset(
    [
        *("type", "role", "id", "name", "tool_call_id", "tool_use_id", "call_id", "tool_name", "server_name", "status"),
        *("signature", "data", "encrypted_content", "encrypted_index", "reasoning_details", "thinking_blocks"),
        *("url", "file_url", "image_url", "video_url", "audio_url", "input_audio", "audio", "file_data", "file_id"),
        *("media_type", "mime_type", "cache_control", "format", "detail", "logprobs"),
    ]
)
"""Keys with names, ids, files and what is signed."""
_FREE: Final = frozenset(["arguments", "action", "operation"])
"""Keys with what a call says, where each key is the tool's own. A call of Messages has it in its `input`."""
_OF_CALLS: Final = _FREE | {"input", "partial_json"}
"""Keys of an answer with what a call says, or with a piece of that."""
_CALLS: Final = frozenset(["tool_use", "server_tool_use", "mcp_tool_use"])
_SMALLEST: Final = 10**10
"""A number with fewer digits is none that is looked for."""

WHY: Final = {
    "key": "a placeholder is sent in the place of what looks like a key",
    "phone": "a placeholder is sent in the place of a phone number",
    "id": "a placeholder is sent in the place of an identity number",
    "card": "a placeholder is sent in the place of a card number",
}
"""Kind of a value -> what is said of it."""


class _Place(NamedTuple):
    """A string of a body, or a whole number in what a call says; or with `key` `None` the names of such an object."""

    holder: Any
    key: Any
    value: Any
    path: _Path
    is_free: bool


type _Path = tuple[_Path, str] | str
"""The pointer of a part: that of what it is in, and its key there. It is spelt out for a change alone."""


def mask(
    body: JsonObject,
    masking: Masking,
    checkpoint: Callable[[], None],
    *,
    keeps_thinking: bool = False,
    shows_messages: bool = False,
) -> Changes:
    """Mask the texts of a request in place. `checkpoint` is called between two messages.

    `keeps_thinking`: what its endpoint has signed or encrypted of a model's thoughts is left alone. `shows_messages`:
    its `messages` are its `input`, shown to steps that read them; what is masked there is counted once.
    """
    changes = Changes()
    is_left = _is_signed if keeps_thinking else _is_redacted
    shown = "messages" if shows_messages else ""
    for root in _ROOTS:
        counts, noted = dict(masking.counts), Changes() if root == shown else changes
        given = body.get(root)
        listed = isinstance(given, list)
        for number, item in enumerate(given if isinstance(given, list) else (given,)):
            checkpoint()
            holder, key = (given, number) if listed else (body, root)
            path: _Path = (f"/{root}", str(number)) if listed else f"/{root}"
            is_models = _is_models(item)
            for place in _places(holder, key, item, path, is_left):
                _mask(place, masking, noted, is_models=is_models)
        if root == shown:
            masking.counts = counts
    return changes


def _is_models(item: object) -> bool:
    """Whether the model has said it: a message of its turn, or what it thought. Its calls have passed as an answer."""
    return isinstance(item, dict) and (item.get("role") == "assistant" or item.get("type") == "reasoning")


def _mask(place: _Place, masking: Masking, changes: Changes, *, is_models: bool = False) -> None:
    holder, key, value, path, is_free = place
    if key is None:
        masked = {name: masking.text(name) for name in holder}
        _rename(holder, {name: new for name, (new, _) in masked.items()})
        kinds = [kind for _, found in masked.values() for kind in found]
    elif isinstance(value, int):
        holder[key], kinds = masking.number(value)
    elif key in _FREE and not is_free:
        holder[key], kinds = _arguments(value, masking)
    else:
        holder[key], kinds = masking.text(value, is_models=is_models and not (is_free or key in _OF_CALLS))
    for kind in kinds:
        changes.note_at(rule_names.MASKING, _spelt_out(path), WHY[kind])


def _arguments(text: str, masking: Masking) -> tuple[str, list[str]]:
    """A call's arguments, a JSON text, which stays one: a number that is masked becomes a string."""
    masked, kinds = masking.text(text)
    if kinds in ([], ["key"]) or _parsed(masked) is not None:
        return masked, kinds
    said = _parsed(text)
    if said is None:
        return masked, kinds
    for place in _places(said, "arguments", said["arguments"], "", _is_redacted, is_free=True):
        _mask(place, masking, Changes())
    return json_body.serialise(said["arguments"]).decode("utf-8", "surrogatepass"), kinds


def _parsed(text: str) -> JsonObject | None:
    """The value of a JSON text, as `arguments` of an object; `None` where it is none."""
    try:
        return {"arguments": json_body.parse(text.encode("utf-8", "surrogatepass"))}
    except ValueError:
        return None


def changed(
    answer: JsonObject, of_text: Callable[[str], str], of_call: Callable[[str], str], *, keeps_thinking: bool
) -> bool:
    """Put in the place of each string of an answer, or of a part of one, what `of_text` makes of it; whether one
    changed. `of_call` does so for what a call says.

    `keeps_thinking`: what the model thought is left alone, since its endpoint signs it.
    """
    has_changed = False
    is_left = is_thinking if keeps_thinking else _is_redacted
    says_call = is_of_call(answer)
    for holder, key, value, _, is_free in _places({}, "", answer, "", is_left):
        change = of_call if says_call or is_free or key in _OF_CALLS else of_text
        if key is None:
            has_changed = _rename(holder, {name: change(name) for name in holder}) or has_changed
        elif isinstance(value, str) and (new := change(value)) != value:
            holder[key], has_changed = new, True
    return has_changed


def _rename(holder: JsonObject, names: Mapping[str, str]) -> bool:
    """Give the values of an object other names, in the same order; whether any is another."""
    if all(name == new for name, new in names.items()):
        return False
    renamed = {names[name]: value for name, value in holder.items()}
    holder.clear()
    holder.update(renamed)
    return True


def _places(
    holder: Any, key: Any, value: Any, path: _Path, is_left: Callable[[JsonObject], bool], *, is_free: bool = False
) -> Iterator[_Place]:
    """The places of `value`, which stands in `holder` under `key`: they may be changed while they are gone through.

    Objects that are left (`is_left`) have none. `is_free`: it is what a call says.
    """
    waiting: list[_Place] = [_Place(holder, key, value, path, is_free)]
    while waiting:
        place = waiting.pop()
        part, is_free = place.value, place.is_free
        if isinstance(part, str) or (is_free and type(part) is int and part >= _SMALLEST):
            yield place
        elif isinstance(part, list):
            within = [_Place(part, at, item, (place.path, str(at)), is_free) for at, item in enumerate(part)]
            waiting += reversed(within)
        elif isinstance(part, dict) and is_free:
            if place.key is None:
                yield place
                continue
            # Its names come last: what is in it is found under them until then.
            waiting.append(place._replace(key=None, holder=part))
            # The tool's own names are the client's words, and belong into no pointer.
            waiting += reversed([_Place(part, at, item, place.path, True) for at, item in part.items()])
        elif isinstance(part, dict) and not is_left(part):
            waiting += reversed(
                [
                    _Place(part, at, item, (place.path, at), not isinstance(item, str) and _is_free(at, part))
                    for at, item in part.items()
                    if at not in _LEFT
                ]
            )


def is_of_call(event: JsonObject) -> bool:
    """Whether an event of Responses has what a call says, or a piece of that."""
    kind = event.get("type")
    return isinstance(kind, str) and "_call_" in kind and "_output" not in kind


def is_thinking(part: JsonObject) -> bool:
    """Whether a block of Messages, its delta, or an item or an event of Responses has what the model thought."""
    kind = part.get("type")
    return isinstance(kind, str) and (kind in _THINKING or kind.startswith("response.reasoning"))


_THINKING: Final = frozenset(["thinking", "redacted_thinking", "thinking_delta", "reasoning"])


def _is_signed(part: JsonObject) -> bool:
    """Whether it is a thought that its endpoint, not this proxy, has signed or encrypted."""
    kind = part.get("type")
    if kind == "thinking":
        return bool(part.get("signature")) and not thinking.is_ours(part["signature"])
    if kind == "reasoning":
        return bool(part.get("encrypted_content")) and not sealing.is_ours(part["encrypted_content"])
    return kind == "redacted_thinking"


def _is_redacted(part: JsonObject) -> bool:
    return part.get("type") == "redacted_thinking"


def _is_free(key: str, part: JsonObject) -> bool:
    kind = part.get("type")
    return key in _FREE or (key == "input" and isinstance(kind, str) and kind in _CALLS)


def _spelt_out(path: _Path) -> str:
    """The JSON Pointer of a part."""
    keys: list[str] = []
    while not isinstance(path, str):
        path, key = path
        keys.append(key.replace("~", "~0").replace("/", "~1"))
    return "/".join([path, *reversed(keys)])
