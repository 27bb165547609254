"""A Messages request becomes a chat request: nothing that a client says is lost, and what is reworded is told.

What goes where: the fact page docs/facts/anthropic.md#messages, and the files beside this one. The translation knows no
profile: it writes plain chat, and the house rules make of it what the endpoint accepts.
"""

from __future__ import annotations

from collections.abc import Mapping

from ...counting.body import rough
from ...exchange import JsonObject
from ..base import BadRequest
from ..names import Names
from ..pieces import Piece, as_content
from ..searching import WANTED
from ..told import Told
from . import content, history, parameters, tools
from .api import AnthropicApi


def to_chat(body: JsonObject, headers: Mapping[str, str], note: JsonObject) -> JsonObject:
    """The chat request for a Messages request. `body` stays as it is, and its large texts are shared, not copied.

    `note` gets what the answer must know: `model` and `max_tokens` (as the client asked), `client` ("claude-code" or
    ""), `stream`, `thinking` ("off", "omitted", "shown": how thinking is answered), `stop_sequences`, `tool_names`
    (name in chat -> the client's), `input_tokens` (an estimate), and `changes` ([pointer, why] for each thing dropped
    or reworded).

    Raises `BadRequest` where a part has the wrong type, for nothing that Anthropic's SDKs accept.
    """
    told = Told()
    # 1. The model.
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise BadRequest('model: must be a text that names a model, such as "hy3".', "model")
    # 2. The conversation, which says what tools were found.
    names = Names(tools.names_of(body.get("tools")))
    conversation = history.converted(body.get("messages"), names, told)
    # 3. Tools, parameters, and the system text, which names the tools that can't be had.
    offered = tools.offered(body, conversation, names, told, note.get("offers", ()))
    system = _system(body.get("system"), offered.missing, names, told)
    chat: JsonObject = {"model": model, "messages": [*system, *conversation.messages]}
    chat |= parameters.parameters(body, note, told)
    if offered.functions:
        chat["tools"] = offered.functions
    chat |= tools.choice(body, offered.functions, names, told)
    # 4. What the answer must know.
    note["model"] = model
    if isinstance(body.get("max_tokens"), int):
        note["max_tokens"] = body["max_tokens"]
    if offered.search is not None:
        note[WANTED] = offered.search
    note["client"] = AnthropicApi().client(headers)
    note["tool_names"] = names.renamed()
    note["input_tokens"] = rough(chat)
    note["changes"] = told.lines()
    return chat


def _system(given: object, missing: list[str], names: Names, told: Told) -> list[JsonObject]:
    """The system message, if there is anything to say."""
    reader = content.Reader(names, told)
    pieces: list[Piece] = []
    for index, block in enumerate(content.blocks(given, "/system")):
        pointer, rest = f"/system/{index}", content.without_billing(block.get("text"))
        if rest is not None:
            told.say(pointer, "Claude Code's billing header, which changes with each request, is dropped")
            pieces += filter(None, [rest])
        else:
            pieces += reader.pieces(block, pointer)
    pieces += missing
    return [{"role": "system", "content": as_content(pieces)}] if pieces else []
