"""A response that stands for the conversation so far: one `compaction` item, whose sealed text is the model's summary.

The next request brings the item back in place of what it sums up, so an answer without a text must not become one.
"""

from __future__ import annotations

import math
from typing import Final

from ...exchange import JsonObject
from ...wire import proxy_errors
from ...wire.openai_error import ProxyError
from .. import composer, ending
from ..composer import Block, Kind
from ..pieces import BLANK_LINE
from . import sealing
from .composer import Sink

SEALED_AS: Final = "compaction"
_CUT: Final = "\n\n[This summary was cut off at the most tokens that an answer may have.]"


class Composer(composer.Composer):
    """Gives the one item to `sink`. Reasoning, refusals and calls are no part of a summary.

    `origin`: the response's id. `feed` raises `TooMuchHeld` where the summary has more than `limit` characters.
    """

    keeps_text = True

    def __init__(self, sink: Sink, origin: str, limit: float = math.inf) -> None:
        super().__init__(origin.removeprefix("resp_"), "call", limit)
        self._sink = sink
        self._summary: list[str] = []
        self.failure: ProxyError | None = None
        """Why there is no summary."""

    @property
    def direct(self) -> Kind | None:
        """Nothing is given out before its end."""
        return None

    def finish(self, reason: object) -> None:
        """Give out the item, if there is a summary."""
        self._give_out(everything=True)
        text = BLANK_LINE.join(self._summary)
        if not text or ending.is_filtered(reason):
            self.failure = proxy_errors.NO_SUMMARY()
            return
        sealed = sealing.seal(SEALED_AS, text + _CUT if ending.is_cut(reason) else text)
        item = {"type": "compaction", "id": f"cmp_{self._origin}", "encrypted_content": sealed}
        self._sink.begin(item, "")
        self._sink.end(item)

    def _reason(self, reasoning: str) -> None:
        """Reasoning about the summary is none of it, but the client waits for its end."""
        self.held += len(reasoning)

    def _say(self, kind: Kind, text: str) -> None:
        if kind == "text":
            super()._say(kind, text)

    def _call(self, frame: JsonObject) -> None:
        """Nothing is called."""

    def _begin(self, block: Block) -> None:
        """It is given out at its end."""

    def _more(self, block: Block) -> None:
        """It is given out at its end."""

    def _end(self, block: Block) -> None:
        self._summary.append("".join(block.held))
