"""Embedding answers: floats packed as the client asked for them, the answers to a split batch joined."""

from __future__ import annotations

import base64
import sys
from array import array
from collections.abc import Sequence

from ..exchange import Change, JsonObject
from ..wire import rule_names


def pack(answer: JsonObject) -> list[Change]:
    """Write every vector of floats as OpenAI does for `encoding_format: base64`: little-endian float32.

    In place. What isn't a list of numbers (a vector that is packed already, say) is left as it is.
    """
    changes: list[Change] = []
    for position, item in enumerate(_items(answer)):
        if not isinstance(item, dict) or not isinstance(item.get("embedding"), list):
            continue
        try:
            item["embedding"] = _packed(item["embedding"])
        except (TypeError, OverflowError):
            continue
        pointer = f"/data/{position}/embedding"
        changes.append(Change(rule_names.EMBEDDINGS, pointer, "the vector is packed in base64, as was asked for"))
    return changes


def join(answers: Sequence[JsonObject]) -> JsonObject:
    """One answer from those to the parts of a split batch, in the order of the parts.

    `data` is put in a row and numbered anew, the numbers in `usage` are summed, the rest is the first answer's.
    Raises `ValueError` without any answer.
    """
    if not answers:
        raise ValueError("no answers to join")
    joined = dict(answers[0])
    items = [item for answer in answers for item in _in_order(_items(answer))]
    joined["data"] = [{**item, "index": index} if isinstance(item, dict) else item for index, item in enumerate(items)]
    usages = [answer["usage"] for answer in answers if isinstance(answer.get("usage"), dict)]
    if usages:
        joined["usage"] = _sum(usages)
    return joined


def _packed(vector: list[float]) -> str:
    floats = array("f", vector)
    if sys.byteorder == "big":
        floats.byteswap()
    return base64.b64encode(floats.tobytes()).decode("ascii")


def _items(answer: JsonObject) -> list[object]:
    data = answer.get("data")
    return data if isinstance(data, list) else []


def _in_order(items: list[object]) -> list[object]:
    """One answer's items by their `index`, if that numbers them; the legacy SDK documents it as always 0."""
    numbered = {item["index"]: item for item in items if isinstance(item, dict) and isinstance(item.get("index"), int)}
    if numbered.keys() == set(range(len(items))):
        return [numbered[index] for index in range(len(items))]
    return items


def _sum(usages: Sequence[JsonObject]) -> JsonObject:
    total: JsonObject = {}
    for usage in usages:
        for name, count in usage.items():
            if isinstance(count, int) and isinstance(total.get(name, 0), int):
                total[name] = total.get(name, 0) + count
            else:
                total.setdefault(name, count)
    return total
