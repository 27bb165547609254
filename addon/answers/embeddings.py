"""Embeddings answers: packs vectors as base64 if the client asked for that, joins the answers to a split batch."""

from __future__ import annotations

import base64
import sys
from array import array
from collections.abc import Sequence

from ..exchange import Change, JsonObject
from ..wire import rule_names


def pack(answer: JsonObject) -> list[Change]:
    """Replace each vector by its base64 text (little-endian float32) in place, and return the changes.

    OpenAI writes vectors like this for `encoding_format: base64`. An `embedding` that is no list of numbers stays: it
    may be base64 text already.
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
    """Join the answers to the parts of a split batch to one answer. They are in the order of the parts.

    `data` has the items of all answers under new indexes, `usage` has the sums; other fields are the first answer's.
    Raises `ValueError` if there is no answer.
    """
    if not answers:
        raise ValueError("no answers to join")
    joined = dict(answers[0])
    items = [item for answer in answers for item in in_order(answer)]
    joined["data"] = [{**item, "index": index} if isinstance(item, dict) else item for index, item in enumerate(items)]
    usages = [answer["usage"] for answer in answers if isinstance(answer.get("usage"), dict)]
    if usages:
        joined["usage"] = _sum(usages)
    return joined


def in_order(answer: JsonObject) -> list[object]:
    """The items of an answer, in the order of its texts."""
    return _in_order(_items(answer))


def _packed(vector: list[float]) -> str:
    floats = array("f", vector)
    if sys.byteorder == "big":
        floats.byteswap()
    return base64.b64encode(floats.tobytes()).decode("ascii")


def _items(answer: JsonObject) -> list[object]:
    data = answer.get("data")
    return data if isinstance(data, list) else []


def _in_order(items: list[object]) -> list[object]:
    """The items sorted by `index`, if the indexes are 0 to n - 1. Else unsorted: the legacy SDK documents 0 for all."""
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
