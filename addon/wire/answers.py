"""Repair of a whole (not streamed) chat answer."""

from __future__ import annotations

from addon.exchange import AnswerPlan, Change, JsonObject
from addon.wire import json_fence, rule_names, stop_text, tool_calls
from addon.wire.tool_calls import Note

_FINISH_REASONS = {"sensitive": "content_filter"}
"""The endpoint's word (hunyuan.md section 6) -> OpenAI's."""


def repair_answer(answer: JsonObject, plan: AnswerPlan) -> list[Change]:
    """Make a chat answer what the client expects, in place; what was changed.

    Undoes what `plan` says, and gives finish reasons OpenAI's names. Whatever has another shape is left alone.
    """
    changes: list[Change] = []
    choices = answer.get("choices")
    for place, choice in enumerate(choices if isinstance(choices, list) else ()):
        if isinstance(choice, dict):
            _repair(choice, plan, f"/choices/{place}", changes.append)
    return changes


def rename_finish_reason(choice: JsonObject, plan: AnswerPlan, at: str, note: Note) -> bool:
    """Give `finish_reason` the name that the client knows; whether it was changed."""
    reason = choice.get("finish_reason")
    if plan.function_call and reason == "tool_calls":
        choice["finish_reason"] = "function_call"
        why = "the client speaks `functions`: the finish reason is `function_call`"
        note(Change(rule_names.FUNCTION_CALL, f"{at}/finish_reason", why))
        return True
    if isinstance(reason, str) and reason in _FINISH_REASONS:
        choice["finish_reason"] = _FINISH_REASONS[reason]
        why = f"`{reason}` is `{_FINISH_REASONS[reason]}` in OpenAI's words"
        note(Change(rule_names.FINISH_REASON, f"{at}/finish_reason", why))
        return True
    return False


def _repair(choice: JsonObject, plan: AnswerPlan, at: str, note: Note) -> None:
    message = choice.get("message")
    if isinstance(message, dict):
        if isinstance(message.get("content"), str):
            _repair_text(message, choice.get("finish_reason"), plan, f"{at}/message/content", note)
        tool_calls.name_back(message, plan.tool_names, f"{at}/message", note)
        if plan.function_call:
            tool_calls.to_function_call(message, f"{at}/message", note)
    rename_finish_reason(choice, plan, at, note)


def _repair_text(message: JsonObject, reason: object, plan: AnswerPlan, at: str, note: Note) -> None:
    text = stop_text.cut(message["content"], plan.stop) if reason == "stop" else message["content"]
    if text != message["content"]:
        note(Change(rule_names.STOP, at, stop_text.StopText.why))
    bare = json_fence.take_off(text) if plan.json_fence else text
    if bare != text:
        note(Change(rule_names.JSON_FENCE, at, json_fence.JsonFence.why))
    message["content"] = bare
