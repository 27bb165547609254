"""Repair of a whole (not streamed) chat answer."""

from __future__ import annotations

from .. import dialects, profiles
from ..exchange import AnswerPlan, Change, Exchange, JsonObject, Response
from ..wire import answer_facts, noted_errors, proxy_errors, rule_names, usage, vendor_errors
from ..wire.flaws import Flaw
from ..wire.openai_error import ErrorResponse, response_in
from . import json_fence, leaks, stop_text, tool_calls
from .tool_frames import Note, ToolFrames
from .tool_placing import ToolNames
from .translated import plan_of

_FINISH_REASONS = {"sensitive": "content_filter"}
"""The endpoint's word (docs/facts/hunyuan.md#finish-reasons) -> OpenAI's."""

_CUT = frozenset(["length", "content_filter", "sensitive", "max_tokens", "max_output_tokens", "model_length"])
"""Finish reasons of an answer that isn't whole, OpenAI's and others' words."""


ERROR_RULE = "answer-error"
"""The name under which an error that got the status that it means is noted."""


def repair(exchange: Exchange, answer: JsonObject) -> bool:
    """Repair a whole answer in place, chat or embeddings, note its tokens and the changes; whether it was changed."""
    usage.note(exchange, usage.of_answer(answer))
    is_chat = dialects.DIALECTS[exchange.dialect].house == "chat"
    changes = repair_answer(answer, plan_of(exchange)) if is_chat else []
    exchange.note(changes)
    if answer_facts.are_wanted(exchange):
        answer_facts.note(exchange, answer_facts.of_answer(answer))
    return bool(changes)


def error_for(exchange: Exchange, flaw: Flaw) -> Response:
    """The error that takes the place of an answer with a `flaw`, in the client's language; noted."""
    exchange.note_name(ERROR_RULE)
    error = vendor_errors.unusable_answer(
        flaw,
        profiles.load(exchange.profile),
        exchange.model,
        key=vendor_errors.key_shape(exchange.headers),
        base_url=exchange.base_url,
    )
    noted_errors.answer(exchange, error)
    return response_in(exchange.error_language, error)


def refused(exchange: Exchange) -> Response:
    """The error that takes the place of an answer whose call has an unknown placeholder; noted."""
    exchange.note_name(ERROR_RULE)
    error = proxy_errors.PLACEHOLDER_UNKNOWN().response()
    noted_errors.answer(exchange, error)
    return response_in(exchange.error_language, error)


def finished(exchange: Exchange, status: int, body: bytes, retry_after: str | None) -> ErrorResponse | None:
    """The endpoint's error in OpenAI's shape with what is known of it; `None` where it says all that itself."""
    return vendor_errors.translate_error(
        status,
        body,
        retry_after,
        profiles.load(exchange.profile),
        exchange.model,
        key=vendor_errors.key_shape(exchange.headers),
        base_url=exchange.base_url,
        models=exchange.offered,
    )


def repair_answer(answer: JsonObject, plan: AnswerPlan) -> list[Change]:
    """Make a chat answer what the client expects, in place; what was changed.

    Undoes what `plan` says, and gives finish reasons OpenAI's names. Whatever has another shape is left alone.
    """
    changes: list[Change] = []
    choices = answer.get("choices")
    for place, choice in enumerate(choices if isinstance(choices, list) else ()):
        if isinstance(choice, dict):
            at, note = f"/choices/{place}", changes.append
            calls = _repair_message(answer, choice, plan, place, note)
            rename_finish_reason(choice, plan, at, note, calls=calls)
    _repair_usage(answer, changes.append)
    return changes


def _repair_usage(answer: JsonObject, note: Note) -> None:
    """Put the usage where clients look for it, and the cached tokens in it."""
    used = usage.of_answer(answer)
    if used is None:
        return
    if answer.get("usage") is not used:
        answer["usage"] = {**used}
        note(Change(rule_names.USAGE, "/usage", USAGE_MOVED))
    if usage.complete(answer["usage"]):
        note(Change(rule_names.USAGE, "/usage", USAGE_CACHED))


USAGE_MOVED = "the usage that stands in a choice is given in its usual place, too"
USAGE_CACHED = "the cached tokens are given in `prompt_tokens_details`, too"


def origin(answer: JsonObject) -> str:
    """What tells an answer, or a stream's chunks, from others: the ids of tool calls without one are made from it."""
    return f"{answer.get('id')}/{answer.get('created')}"


def is_cut(finish_reason: object) -> bool:
    """Whether an answer ends before the model had done."""
    return isinstance(finish_reason, str) and finish_reason.lower() in _CUT


def rename_finish_reason(choice: JsonObject, plan: AnswerPlan, at: str, note: Note, *, calls: bool) -> bool:
    """Give `finish_reason` the name that the client knows; whether it was changed.

    `calls`: the choice has tool calls, all complete. Then it ended because of them, whatever the endpoint says
    (BerriAI/litellm#12862): agents run no tool after `stop`.
    """
    reason = choice.get("finish_reason")
    meant = _FINISH_REASONS.get(reason, reason) if isinstance(reason, str) else reason
    if calls and not is_cut(reason):
        meant = "tool_calls"
    if plan.function_call and meant == "tool_calls":
        meant = "function_call"
    if meant == reason:
        return False
    choice["finish_reason"] = meant
    if meant == "function_call":
        change = Change(rule_names.FUNCTION_CALL, f"{at}/finish_reason", _FUNCTION_CALL)
    else:
        why = f"`{meant}` in OpenAI's words" + (": there are complete tool calls" if meant == "tool_calls" else "")
        change = Change(rule_names.FINISH_REASON, f"{at}/finish_reason", why)
    note(change)
    return True


_FUNCTION_CALL = "the client speaks `functions`: the finish reason is `function_call`"


def _repair_message(answer: JsonObject, choice: JsonObject, plan: AnswerPlan, place: int, note: Note) -> bool:
    """Whether there are tool calls, all complete. `place`: of the `choice` in the `answer`."""
    message, reason = choice.get("message"), choice.get("finish_reason")
    if not isinstance(message, dict):
        return False
    at, complete = f"/choices/{place}/message", False
    leaks.repair_message(message, plan, at, note, cut=is_cut(reason))
    if isinstance(message.get("content"), str):
        _repair_text(message, reason, plan, f"{at}/content", note)
    if isinstance(message.get("tool_calls"), list):
        frames = ToolFrames(ToolNames(plan), place, lambda: origin(answer))
        message["tool_calls"] = frames.whole(message["tool_calls"], at, note, cut=is_cut(reason))
        complete = frames.complete
    if plan.function_call:
        tool_calls.to_function_call(message, at, note)
    return complete


def _repair_text(message: JsonObject, reason: object, plan: AnswerPlan, at: str, note: Note) -> None:
    text = stop_text.cut(message["content"], plan.stop) if reason == "stop" else message["content"]
    if text != message["content"]:
        note(Change(rule_names.STOP, at, stop_text.StopText.why))
    bare = json_fence.take_off(text) if plan.json_fence else text
    if bare != text:
        note(Change(rule_names.JSON_FENCE, at, json_fence.JsonFence.why))
    message["content"] = bare
