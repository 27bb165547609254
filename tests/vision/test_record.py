"""What a person can see of vision calls: bounded, plain, without keys."""

from __future__ import annotations

import json
from typing import Any

from hunyuan_fix.vision.record import (
    MOST_ANSWER,
    MOST_CALLS,
    MOST_PROMPT,
    MOST_TEXT,
    REDACTED,
    CallRecord,
    Records,
)
from tests.cascading import Setting, body, setting
from tests.vision_server import Received, Reply, chat, error, image_part, png

__all__ = ["setting"]


def by_place(note: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {call["at"]: call for call in note["calls"]}


async def test_a_call_is_told_with_its_prompt_answer_and_tokens(setting: Setting) -> None:
    outcome = await setting.describe(body([{"type": "text", "text": "why?"}, image_part(png("a cat"))]))
    (call,) = outcome.note["calls"]
    (asked,) = outcome.note["prompts"]
    assert "why?" in asked
    assert (call["at"], call["how"], call["outcome"]) == ("/messages/0/content/1", "called", "described")
    assert (call["status"], call["tries"], call["prompt"]) == (200, 1, 0)
    assert json.loads(call["answer"])["choices"]
    assert outcome.note["model"] == "hunyuan-vision-1.5-instruct"


async def test_images_that_are_known_cost_no_call(setting: Setting) -> None:
    await setting.describe(body([image_part(png("a"))]))
    outcome = await setting.describe(body([image_part(png("a")), image_part(png("b")), image_part(png("b"))]))
    told = by_place(outcome.note)
    assert [told[f"/messages/0/content/{number}"]["how"] for number in range(3)] == ["known", "called", "known"]
    assert len(outcome.note["prompts"]) == 1


async def test_the_same_prompt_is_kept_once(setting: Setting) -> None:
    outcome = await setting.describe(body([image_part(png(name)) for name in "abc"]))
    assert [call["prompt"] for call in outcome.note["calls"]] == [0, 0, 0]
    assert len(outcome.note["prompts"]) == 1


async def test_a_call_that_was_tried_again_and_failed_is_told(setting: Setting) -> None:
    async def busy(_: Received) -> Reply:
        return error(503)

    setting.server.handler = busy
    outcome = await setting.describe(body([image_part(png("a"))], [image_part(png("b"))]))
    assert outcome.refusal is not None
    told = by_place(outcome.note)
    assert {(call["how"], call.get("status")) for call in told.values()} == {("called", 503)}
    assert {call["tries"] for call in told.values()} == {3}
    assert {call["outcome"] for call in told.values()} <= {"vision_unavailable", "unfinished"}


async def test_an_image_that_no_call_can_help_has_its_reason(setting: Setting) -> None:
    outcome = await setting.describe(body([image_part("data:image/png;base64,%%%")]))
    (call,) = outcome.note["calls"]
    assert call["how"] == "none"
    assert call["outcome"] != "described"


async def test_a_key_that_the_endpoint_quotes_is_not_kept(setting: Setting) -> None:
    async def quotes(received: Received) -> Reply:
        return chat(f"refused: {received.headers['authorization']}")

    setting.server.handler = quotes
    key = "sk-only-the-endpoint-may-know"
    target = type(setting.target)(setting.server.url, {"authorization": f"Bearer {key}"})
    outcome = await setting.describe(body([image_part(png("a"))]), target=target)
    assert key not in json.dumps(outcome.note)
    assert REDACTED in outcome.note["calls"][0]["answer"]


def test_a_note_has_bounds() -> None:
    records = Records("m", {})
    for number in range(MOST_CALLS + 7):
        record = CallRecord()
        record.answered(200, b"x" * 100_000)
        records.add(f"/messages/{number}/content/0", "called", "described", f"{number} " + "p" * 10_000, record)
    note = records.to_plain(1.0)
    assert (len(note["calls"]), note["more"]) == (MOST_CALLS, 7)
    assert {len(prompt) for prompt in note["prompts"]} == {MOST_PROMPT}
    assert max(len(call["answer"]) for call in note["calls"]) == MOST_ANSWER
    texts = [*note["prompts"], *(call["answer"] for call in note["calls"])]
    assert MOST_TEXT - MOST_PROMPT <= sum(map(len, texts)) <= MOST_TEXT


def test_tokens_of_all_tries_count() -> None:
    record = CallRecord()
    for _ in range(2):
        record.answered(200, b'{"choices": [], "usage": {"prompt_tokens": 8, "completion_tokens": 3}}')
    record.unanswered()
    assert record.to_plain([]) == {"ms": 0.0, "tries": 3, "answer": "", "tokens": {"input": 16, "output": 6}}
