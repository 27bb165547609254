"""Texts as they stand in a recording: without keys, with placeholders for folders and for data. Pure, and linear."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from ..exchange import JsonObject
from ..wire import json_body, secret_shapes
from .places import Places

ARGUMENTS: Final = "arguments"
"""The field of a call that holds JSON as a text."""


class Masked:
    """Texts as they stand in a recording: without keys, and with placeholders for folders and for data."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self.secrets: tuple[str, ...] = ()
        """Values that are hidden wherever they stand, whatever they look like."""

    def text(self, text: str) -> str:
        """`text` as it is recorded."""
        if len(text) > _LEAST_DATA and (data := _data(text)) is not None:
            return data
        for value in self.secrets:
            if value in text:
                text = text.replace(value, f"[{KEY_NAME} hidden]")
        return self._places.taken_out(secret_shapes.hidden(text))

    def value(self, value: Any) -> Any:
        """A copy of JSON, its texts as they are recorded. Names of fields stay."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if isinstance(value, dict):
            return {name: self.value(item) for name, item in value.items()}
        return value

    def restored(self, answer: JsonObject, asked: JsonObject) -> JsonObject:
        """The reverse, for an answer: with the folders of this run, and with its keys.

        What a key stood for isn't known any more. But where the request `asked` has one key of that kind, and no other
        one, it is meant: an agent that copies the key it has read copies its own again. Else it stays hidden.
        """
        kinds = set(_HIDDEN.findall(json_body.serialise(answer).decode("utf-8", "replace")))
        made: JsonObject = self._put_back(answer, self._keys(asked, kinds) if kinds else {}, in_json=False)
        return made

    def _put_back(self, value: Any, keys: Mapping[str, str], *, in_json: bool) -> Any:
        if isinstance(value, str):
            text = self._places.put_back(value, in_json=in_json)
            return _HIDDEN.sub(lambda found: keys.get(found[1], found[0]), text) if keys else text
        if isinstance(value, list):
            return [self._put_back(item, keys, in_json=False) for item in value]
        if isinstance(value, dict):
            return {name: self._put_back(item, keys, in_json=name == ARGUMENTS) for name, item in value.items()}
        return value

    def _keys(self, asked: Any, kinds: Collection[str]) -> dict[str, str]:
        """The only key of each of `kinds` in a request; those that would need to be escaped in JSON aren't known."""
        found: dict[str, set[str]] = {}
        for text in _texts(asked):
            for secret in secret_shapes.find(text):
                if secret.name in kinds:
                    found.setdefault(secret.name, set()).add(text[secret.start : secret.end])
            for value in self.secrets:
                if value in text:
                    found.setdefault(KEY_NAME, set()).add(value)
        alone = {kind: next(iter(values)) for kind, values in found.items() if len(values) == 1}
        return {kind: value for kind, value in alone.items() if _PLAIN.fullmatch(value)}


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)


KEY_NAME: Final = "API key"
"""What a key is called whose value is known, whatever it looks like."""
_HIDDEN: Final = re.compile(r"\[([A-Za-z][A-Za-z ]{0,40}) hidden\]")
_PLAIN: Final = re.compile(r"[!#-\[\]-~]{1,4096}")
_LEAST_DATA: Final = 1_000
"""Characters. What is shorter is readable enough."""
_DATA: Final = re.compile(r"(data:[A-Za-z0-9.+/-]{0,80};base64,)?[A-Za-z0-9+/_-]{1000,}+={0,2}")


def _data(text: str) -> str | None:
    """What stands for an image or a file in base64, which is `text` alone; `None`: it is something else."""
    found = _DATA.fullmatch(text)
    if found is None:
        return None
    digest = hashlib.sha256(text.encode()).hexdigest()[:32]
    return f"{found[1] or ''}⟦data {len(text)} {digest}⟧"
