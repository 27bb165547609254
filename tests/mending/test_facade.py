"""Which refusals may be of the format alone."""

from __future__ import annotations

import json

import pytest

from hunyuan_fix import profiles
from hunyuan_fix.mending.facade import is_of_the_history, may_help
from tests.mending.refusals import anthropic, openai

PROFILE = profiles.load("tokenhub")


def helps(status: int, text: str) -> bool:
    return may_help(status, text.encode(), PROFILE, "hy3")


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (400, anthropic("invalid request")),
        (400, openai("messages: unknown variant `thinking`")),
        (422, json.dumps({"detail": [{"loc": ["body", "messages", 0, "content"], "msg": "str type expected"}]})),
        (404, "<html><title>404 Not Found</title></html>"),
        (404, '{"detail":"Not Found"}'),
        (405, '{"detail":"Method Not Allowed"}'),
        (400, ""),
    ],
)
def test_of_the_format(status: int, text: str):
    assert helps(status, text)


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (400, openai("The request was rejected because it was considered high risk", type="content_filter")),
        (400, openai("Input data may contain inappropriate content.", code="data_inspection_failed")),
        (400, openai("内容违规")),
        (400, anthropic("prompt is too long: 210000 tokens > 200000 maximum")),
        (400, openai("Your request exceeded model token limit: 262144 (requested: 270000)")),
        (400, openai("This model's maximum context length is 8192 tokens", code="context_length_exceeded")),
        (400, openai("Your credit balance is too low")),
        (400, openai("token plan quota exhausted", code="20098")),
        (400, openai("Invalid API key")),
        (400, openai("The model `x` does not exist")),
        (404, openai("Not found the model hy3 or Permission denied", type="resource_not_found_error")),
        (400, json.dumps({"code": 11128, "msg": "Illegal API invocation from an unapproved channel"})),
        (401, anthropic("invalid x-api-key")),
        (403, openai("denied")),
        (429, openai("slow down")),
        (500, openai("oops")),
    ],
)
def test_of_something_that_chat_would_refuse_too(status: int, text: str):
    assert not helps(status, text)


@pytest.mark.parametrize(
    ("text", "history"),
    [
        ("thinking is enabled but reasoning_content is missing in assistant tool call message at index 3", True),
        ("The `reasoning_content` in the thinking mode must be passed back to the API.", True),
        ("Missing `reasoning_content` field in the assistant message at message index 2", True),
        ("Expected `thinking` or `redacted_thinking`, but found `tool_use`", True),
        ("`tool_use` ids were found without `tool_result` blocks immediately after: call_1", True),
        ("An assistant message with 'tool_calls' must be followed by tool messages", True),
        ("unsupported content type in ContentBlockParamUnion: tool_reference", False),
        ("context_management: Extra inputs are not permitted", False),
        ("reasoning_content", False),
    ],
)
def test_what_is_said_of_this_conversation_alone(text: str, history: bool):
    assert is_of_the_history(json.dumps({"error": {"message": text}}).encode()) is history
