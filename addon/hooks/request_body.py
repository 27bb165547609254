"""Reads a request's body: content coding undone, JSON parsed, within bounds and off the event loop."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..exchange import Change, Response
from ..wire import content_coding, json_body, proxy_errors, rule_names
from ..wire.content_coding import CodingError, TooLarge
from ..wire.json_body import InvalidJson, TooManyValues
from ..workers import Checkpoint, Workers

_VALUE_COST = 32
"""Bytes of text whose repair takes about as long as that of an empty value."""
_BYTES_READ = 2
_BYTES_REPAIRED = 8
"""Bytes that are read in the time that `Workers` counts for two, and repaired in the time that it counts for eight."""
_PACKED_COST = 8
"""Bytes that a packed one is expected to become."""


@dataclass(frozen=True, slots=True)
class Body:
    """A body: `plain`, unpacked and otherwise unchanged; `data`, the same as strict JSON, which leaves if no rule
    changes the value.

    `flaw` says why it can't be read, if it can't. `cost` is what working on it costs, as `Workers` counts.
    """

    plain: bytes
    data: bytes
    value: Any = None
    changes: list[Change] = field(default_factory=list)
    cost: int = 0
    flaw: str = ""


async def read(raw: bytes, encoding: str, limit: int, workers: Workers) -> Body | Response:
    """The body `raw` in the content codings `encoding`, or why it is refused: what it costs is out of bounds."""

    def unpack(checkpoint: Checkpoint) -> bytes:
        return content_coding.unpack(raw, encoding, limit, checkpoint)

    packed = content_coding.is_packed(raw, encoding)
    try:
        data = await workers.run(unpack, _PACKED_COST * len(raw) if packed else 0)
    except TooLarge:
        return proxy_errors.REQUEST_TOO_LARGE(limit=limit).response()
    except CodingError as error:
        return Body(raw, raw, flaw=str(error))
    unpacked = packed and (bool(encoding) or data is not raw)
    changes = [Change(rule_names.CODING, "", "packed bodies leave plain")] if unpacked else []
    try:
        text = await workers.run(lambda _: json_body.read(data), len(data) // _BYTES_READ)
    except TooManyValues as error:
        return proxy_errors.REQUEST_TOO_COMPLEX(count=error).response()
    except InvalidJson:
        return Body(data, data, changes=changes, flaw="its body is not valid JSON")
    changes += [Change(rule_names.UNICODE, "", why) for why in text.fixes]
    cost = len(data) // _BYTES_REPAIRED + _VALUE_COST * text.structure
    return Body(data, text.data, text.value, changes, cost)
