"""The texts of an embeddings request, and which of them have vectors by now. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..exchange import JsonObject
from .vectors import Vector


@dataclass(slots=True)
class Lookup:
    """The texts that one request asks for, in their order, with the key of each."""

    keys: list[bytes]
    texts: list[str]
    vectors: dict[bytes, Vector] = field(default_factory=dict)
    """By key."""
    keeps: bool = False
    """New ones are kept."""

    @property
    def missing(self) -> list[str]:
        """The texts without a vector, each once, in their order."""
        known = {key: text for key, text in zip(self.keys, self.texts, strict=True) if key not in self.vectors}
        return list(known.values())

    def take(self, texts: Sequence[str], items: Sequence[object]) -> dict[bytes, Vector]:
        """Take the vectors of an answer's items for `texts`, some of the missing ones, one for each. Returns them by
        key."""
        by_text = dict(zip(self.texts, self.keys, strict=True))
        new = {
            by_text[text]: item["embedding"]
            for text, item in zip(texts, items, strict=True)
            if isinstance(item, dict) and isinstance(item.get("embedding"), list | str)
        }
        self.vectors |= new
        return new

    def answer(self, model: str, rest: JsonObject | None = None) -> JsonObject:
        """The answer with all vectors. `rest`: that for the missing ones, whose other fields it has."""
        data = [
            {"object": "embedding", "index": index, "embedding": self.vectors[key]}
            for index, key in enumerate(self.keys)
        ]
        if rest is None:
            usage: Mapping[str, int] = {"prompt_tokens": 0, "total_tokens": 0}
            return {"object": "list", "data": data, "model": model, "usage": usage}
        return {**rest, "data": data}
