"""A Messages request for an endpoint that speaks Messages itself, but not all of it.

The body stays a Messages request and loses, or says in other words, only what the endpoint refuses: that is data of its
profile (`[native.anthropic]`). Where nothing is refused, nothing changes. What carries words, calls or results stays:

1. Fields: those that are refused go. A schema for the answer (`output_config.format`) becomes an instruction; deferred
   tools are left out until the history has found them, since without `defer_loading` all would be sent. Adaptive
   thinking becomes thinking with the budget that Claude Code itself falls back to. What a model's own data says
   (sampling that is fixed, thinking that can't be switched, schemas of a flavour) holds at each endpoint.
2. Messages of other roles become user text where they stand (docs/facts/anthropic.md#system-messages-in-the-list): the
   beginning of a longer history keeps its bytes. Those before all others join the system text.
3. Blocks that are refused are said in words.
4. Each call has a result: one that was lost says so.
5. Claude Code's billing header goes, but for Anthropic's own models: no prompt cache could hold what follows it.
6. `anthropic-beta` and `?beta=true` name what the endpoint may not know: only what the profile accepts is left.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from ...exchange import Change, Changes, JsonObject
from ...profiles import Model, Native
from ...texts import Texts
from ...wire import rule_names
from .. import in_words, refused
from ..base import House
from ..pieces import BLANK_LINE
from ..searching import WEB_SEARCH
from ..variant import Variant
from . import errors, native_answers, native_messages, native_pairing, native_thinking, native_tools
from .native_answers import MessagesReader

BETA_HEADER: Final = "anthropic-beta"
_RULE: Final = rule_names.ANTHROPIC_NATIVE
_ANY: Final = Model("")
"""A model of which nothing is known."""


class NativeMessages(Variant):
    """Messages where the endpoint speaks them, too: no path of its own, routes choose it by the profile."""

    name = rule_names.ANTHROPIC_NATIVE
    paths: tuple[str, ...] = ()
    most_tokens = "max_tokens"
    house: House = "native"
    is_house = True

    def answer(self, chat: JsonObject, note: JsonObject) -> JsonObject:
        """`chat` itself: only the steps of chat make answers."""
        return chat

    def repaired(self, body: JsonObject, accepted: Native, model: Model, texts: Texts, note: JsonObject) -> Changes:
        """Change `body` in place to what `accepted` and `model` say. Returns a change for each thing it did."""
        return repaired(body, accepted, texts, model)

    def shown(self, body: JsonObject) -> list[Any] | None:
        """`None`: the body has messages."""
        return None

    def take_back(self, body: JsonObject, messages: list[Any], *, changed: bool) -> None:
        """Nothing: they are the body's own."""

    @property
    def reader(self) -> MessagesReader:
        """Reads Anthropic's answers."""
        return MessagesReader()

    def goes_on(self, raw: bytes, note: JsonObject) -> bool:
        """Whether the bytes of whole events tell that none has to be read."""
        return native_answers.goes_on(raw) and not (note.get(native_answers.CALL_IDS) and raw.find(b"tool_use") >= 0)

    def as_events(self, body: JsonObject) -> list[JsonObject]:
        """The events of a stream for a whole answer."""
        return native_answers.as_events(body)

    def repaired_answer(self, body: JsonObject, note: JsonObject) -> str:
        """Give a message the name of the model that was asked for, and its calls ids that no earlier call has."""
        return native_answers.repaired_answer(body, note)

    def repaired_event(self, event: JsonObject, note: JsonObject, state: JsonObject) -> tuple[list[JsonObject], str]:
        """The same for an event; an error gets the words by which its client does the right thing."""
        return native_answers.repaired_event(event, note)

    def failure(self, error: JsonObject, note: JsonObject, state: JsonObject) -> list[JsonObject]:
        """One event."""
        return [errors.event(error, note)]

    def keep_alive(self, note: JsonObject) -> list[JsonObject]:
        """A `ping`."""
        return [{"type": "ping"}]

    def closing(self, note: JsonObject) -> list[JsonObject]:
        """The end of a message, which the client waits for."""
        return [{"type": "message_stop"}]

    def remember(self, body: JsonObject, headers: Mapping[str, str], note: JsonObject) -> None:
        """How much output was asked for, and the ids of calls that another call may get, too."""
        if isinstance(body.get("max_tokens"), int):
            note["max_tokens"] = body["max_tokens"]
        if counted := native_answers.counted_ids(body.get("messages")):
            note[native_answers.CALL_IDS] = counted

    def needs_chat(self, body: JsonObject, accepted: Native, offers: Sequence[str]) -> Change | None:
        """Why `body` has to be translated: the endpoint can't search the web, and the proxy can.

        All else that only a translation could give is said in words, so that a conversation doesn't change its way: a
        prompt cache and signatures hold for one of the two. Claude Code's search is a request of its own.
        """
        number = native_tools.wants_search(body, accepted) if WEB_SEARCH in offers else None
        if number is None:
            return None
        why = "the endpoint can't search the web, the proxy can for a chat request: translated"
        return Change(self.name, f"/tools/{number}", why)


def repaired(body: JsonObject, accepted: Native, texts: Texts, model: Model = _ANY) -> Changes:
    """Change `body`, any JSON object, in place to what `accepted` and `model` say. A change for each thing it did."""
    changes = Changes()
    format_ = _answer_format(body)
    missing = native_tools.only_accepted(body, accepted, changes)
    refused.schemas_by_model(body, "input_schema", model, _RULE, changes)
    for path in accepted.refused:
        refused.without(body, path, _RULE, changes)
    refused.by_model(body, model, _RULE, changes)
    native_thinking.fit(body, accepted, model, changes)
    if not accepted.is_signed(model.id):  # Anthropic's own models may want it
        native_messages.drop_billing(body, changes)
    if isinstance(body.get("messages"), list):
        native_messages.fold(body, accepted, changes)
        native_pairing.pair(body, texts, changes)  # what was folded may be the user's next message
        native_messages.reword(body, accepted, changes)
    _trim_marks(body.get("tools"), accepted, changes)
    if format_ is not None and _answer_format(body) is None:
        pointer, asked = format_
        native_messages.add_system(body, [{"type": "text", "text": _instruction(asked, texts)}])
        changes.note_at(_RULE, pointer, "the schema of the answer becomes an instruction")
    if missing:
        native_messages.add_system(body, [{"type": "text", "text": BLANK_LINE.join(missing)}])
    return changes


def _trim_marks(listed: object, accepted: Native, changes: Changes) -> None:
    """Leave in the `cache_control` of tools only what the endpoint takes."""
    if accepted.cache_control is None or not isinstance(listed, list):
        return
    for number, tool in enumerate(listed):
        if isinstance(tool, dict) and isinstance(tool.get("cache_control"), dict):
            native_messages.trim_mark(tool, accepted.cache_control, f"/tools/{number}", changes)


def accepted_betas(given: str, accepted: Native) -> str:
    """The value of `anthropic-beta` with only those betas that the endpoint knows, in their order; `""` for none.

    A value of nothing else keeps its spelling.
    """
    betas = [beta.strip() for beta in given.split(",")]
    kept = [beta for beta in betas if beta in accepted.betas]
    return given if kept == betas else ",".join(kept)


def without_beta(query: str) -> str:
    """The query of a request without `beta`: other fields keep their spelling and their order."""
    return "&".join(field for field in query.split("&") if field.partition("=")[0] != "beta")


def _answer_format(body: JsonObject) -> tuple[str, JsonObject] | None:
    """Where the schema that the answer must have stands, and the schema; `None` where none is asked for."""
    config = body.get("output_config")
    found = config.get("format") if isinstance(config, dict) else None
    if isinstance(found, dict):
        return "/output_config/format", found
    of_beta = body.get("output_format")
    return ("/output_format", of_beta) if isinstance(of_beta, dict) else None


def _instruction(format_: JsonObject, texts: Texts) -> str:
    schema = format_.get("schema")
    if not isinstance(schema, dict):
        return texts.json_object
    return texts.json_schema.format(name=schema.get("title") or "answer", schema=in_words.as_json(schema))
