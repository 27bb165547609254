"""The output items of a response, of whole answers and of streams.

Arguments of plain functions go to the client as they come, since its delta events bring any text. What the client gets
as something else than text (the input of a custom tool, a command, a query) waits for the end of its call.
"""

from __future__ import annotations

import math
from typing import Final, Literal, Protocol

from ...exchange import JsonObject
from ...rules import arguments
from ...wire import proxy_errors
from ...wire.openai_error import ProxyError
from .. import composer, ending
from ..composer import Block, Kind, TooMuchHeld
from . import calls, sealing

type Says = Literal[
    "", "output_text", "refusal", "reasoning_text", "reasoning_summary_text", "function_call_arguments",
    "custom_tool_call_input",
]  # fmt: skip
"""What the pieces of an item are, as their events are called; "" for an item without pieces."""


class Sink(Protocol):
    """Where items go: one after the other, each begun, given in pieces and ended."""

    def begin(self, item: JsonObject, says: Says) -> None:
        """The next item, as it is before it has any content."""

    def add(self, piece: str) -> None:
        """The next piece of its text."""

    def end(self, item: JsonObject) -> None:
        """The whole item."""


class Composer(composer.Composer):
    """Gives the items of a response to `sink`, for the client whose request left `note`.

    `origin`: the response's id. `feed` raises `TooMuchHeld` where the answer has more than `limit` characters: the last
    events of a stream repeat all of it.
    """

    keeps_text = True

    def __init__(self, note: JsonObject, sink: Sink, origin: str, limit: float = math.inf) -> None:
        super().__init__(origin.removeprefix("resp_"), "call", limit)
        self._sink = sink
        tools, reasoning = note.get("tools"), note.get("reasoning")
        self._tools: JsonObject = tools if isinstance(tools, dict) else {}
        asked: JsonObject = reasoning if isinstance(reasoning, dict) else {}
        self._summarises, self._seals = asked.get("summary") is True, asked.get("encrypted") is True
        self._refuses_in_text = note.get("client") == "codex"
        """Codex loses a message with a part that it doesn't know (docs/facts/responses.md#answers)."""
        self._item: JsonObject = {}
        """The open item, as it was begun."""
        self._items = 0
        self._cut = False
        self._looked = 0
        """Pieces of the open call in which the beginning of its arguments was looked for."""
        self._is_text: bool | None = None
        """Whether the arguments of the open call go to the client as they come; `None` before they begin."""
        self.calls = 0
        """Calls that the client gets."""
        self.nameless = 0
        """Calls of the model without a name, which it doesn't get."""

    def finish(self, reason: object) -> None:
        """Give out what is left. `reason`: why the answer ends."""
        self._cut = ending.is_cut(reason)
        super().finish(reason)

    def given_out(self, text: str) -> None:
        """Keep a piece of the open item, which was given out already."""
        size = len(text)
        self.written += size
        self.held += size
        block = self._blocks[0]
        block.held.append(text)
        block.shown += 1
        if self.held > self._limit:
            raise TooMuchHeld

    def _say(self, kind: Kind, text: str) -> None:
        super()._say("text" if self._refuses_in_text else kind, text)

    @property
    def failure(self) -> ProxyError | None:
        """Why the answer can't be given to the client. A turn that asked for calls must not end as if it had not."""
        return proxy_errors.CALLS_UNNAMED() if self.nameless and not self.calls else None

    # An item, from its beginning to its end

    def _begin(self, block: Block) -> None:
        self._looked, self._is_text = 0, None
        if block.kind == "call":
            self._begin_call(block)
        elif block.kind == "reasoning":
            item: JsonObject = {"type": "reasoning", "summary": [], "content": [], "encrypted_content": None}
            self._open(item, "rs", "reasoning_summary_text" if self._summarises else "reasoning_text")
        else:
            item = {"type": "message", "role": "assistant", "content": []}
            self._open(item, "msg", "output_text" if block.kind == "text" else "refusal")

    def _begin_call(self, block: Block) -> None:
        """A call of a function begins here; others at their end, so that no half of a command is ever run."""
        if not block.name or self._type(block) is not None:
            return
        self.calls += 1
        item = {"type": "function_call", "call_id": self._call_id(block.id), **self._named(block), "arguments": ""}
        self._open(item, "fc", "function_call_arguments")

    def _more(self, block: Block) -> None:
        if block.kind != "call" or (block.name and self._type(block) is None and self._begins_as_object(block)):
            self._give(block)

    def _end(self, block: Block) -> None:
        if block.kind == "call":
            self._end_call(block)
            return
        self._give(block)
        text = _joined(block.held)
        if block.kind == "reasoning":
            self._close(
                summary=[{"type": "summary_text", "text": text}] if self._summarises else [],
                content=[{"type": "reasoning_text", "text": text}],
                encrypted_content=sealing.seal("reasoning", text) if self._seals else None,
            )
        elif block.kind == "refusal":
            self._close(content=[{"type": "refusal", "refusal": text}])
        else:
            self._close(content=[{"type": "output_text", "text": text, "annotations": [], "logprobs": []}])

    def _end_call(self, block: Block) -> None:
        if not block.name:
            self.nameless += 1
            return
        kind = self._type(block)
        if kind is None:
            self._end_function(block)
            return
        text = _joined(block.held)
        if self._is_half(text):
            return
        self.calls += 1
        named = self._named(block)
        made = kind.made(named["name"], text)
        beside = {"namespace": named["namespace"]} if "namespace" in named else {}
        item = {"type": kind.type, "call_id": self._call_id(block.id), **made, **beside}
        if kind.type == "custom_tool_call":
            self._open({**item, "input": ""}, kind.prefix, "custom_tool_call_input")
            if made["input"]:
                self._sink.add(made["input"])
        else:
            self._open(item, kind.prefix, "")
        self._close(**made)

    def _is_half(self, text: str) -> bool:
        """Whether the answer was cut within these arguments of a call."""
        if not self._cut or arguments.is_object(text):
            return False
        return len(self._blocks) == 1 or text.lstrip().startswith("{")

    def _end_function(self, block: Block) -> None:
        if self._begins_as_object(block):
            self._give(block)
        else:  # nothing, or an object in a text: nothing of it was given out
            block.held[:] = [arguments.as_object("".join(block.held))]
            self._give(block)
        text = _joined(block.held)
        self._close(arguments=text, status="incomplete" if self._is_half(text) else "completed")

    def _open(self, item: JsonObject, prefix: str, says: Says) -> None:
        self._item = {**item, "id": f"{prefix}_{self._origin}_{self._items}", "status": "in_progress"}
        self._items += 1
        self._sink.begin(self._item, says)

    def _close(self, **fields: object) -> None:
        last = self._cut and len(self._blocks) == 1
        status = "incomplete" if last and self._item["type"] in ("message", "reasoning") else "completed"
        self._sink.end({**self._item, "status": status, **fields})

    def _give(self, block: Block) -> None:
        """Give out the pieces that weren't yet, as one."""
        piece = _whole("".join(block.held[block.shown :]))
        block.held[block.shown :] = [piece] if piece else []
        block.shown = len(block.held)
        if piece:
            self._sink.add(piece)

    def _begins_as_object(self, block: Block) -> bool:
        """Whether the arguments begin as an object does. Others are put right first, at the end of the call."""
        while self._is_text is None and self._looked < len(block.held):
            begins = block.held[self._looked].lstrip()[:1]
            self._is_text = begins == "{" if begins else None
            self._looked += 1
        return self._is_text is True

    def _type(self, block: Block) -> calls.Type | None:
        return calls.type_of(self._tool(block))

    def _tool(self, block: Block) -> JsonObject:
        tool = self._tools.get(block.name)
        return tool if isinstance(tool, dict) else {}

    def _named(self, block: Block) -> dict[str, str]:
        """The tool's name for the client, and its namespace, if it has one."""
        tool = self._tool(block)
        name, namespace = tool.get("name"), tool.get("namespace")
        named = {"name": name if isinstance(name, str) and name else block.name}
        return {**named, "namespace": namespace} if isinstance(namespace, str) and namespace else named


class Items:
    """The list of whole items."""

    def __init__(self) -> None:
        self.items: list[JsonObject] = []

    def begin(self, item: JsonObject, says: Says) -> None:
        """An item without content."""

    def add(self, piece: str) -> None:
        """A piece of its content, which the whole item has, too."""

    def end(self, item: JsonObject) -> None:
        """The whole item."""
        self.items.append(item)


_PAIRS: Final = "utf-16-le"


def _whole(text: str) -> str:
    """`text` with U+FFFD for each half of a character: strict readers refuse halves."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(_PAIRS, "surrogatepass").decode(_PAIRS, "replace")
    return text


def _joined(pieces: list[str]) -> str:
    """The pieces of an item as one text, as its events gave them."""
    text = "".join(pieces)
    return text if _whole(text) is text else "".join(map(_whole, pieces))
