from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from typing import Any

import brotli
import pytest
import zstandard

from hunyuan_fix import options
from hunyuan_fix.answers import whole_body
from hunyuan_fix.exchange import AnswerPlan, Exchange
from hunyuan_fix.pipeline import Pipeline
from hunyuan_fix.runtime import Runtime

LIMIT = 1 << 20
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "gzip": gzip.compress,
    "br": brotli.compress,
    "zstd": zstandard.compress,
}
STEPS = Pipeline(options.parse({}), Runtime(options.parse({})))


def exchange(dialect: str = "chat", **plan: Any) -> Exchange:
    return Exchange(profile="hunyuan", dialect=dialect, base_url="https://h", plan=AnswerPlan(**plan))


def chat(content: str, reason: str = "stop") -> bytes:
    message = {"role": "assistant", "content": content}
    return json.dumps({"choices": [{"index": 0, "message": message, "finish_reason": reason}]}).encode()


@pytest.mark.parametrize("encoding", PACKERS)
def test_a_whole_answer_is_repaired(encoding: str):
    begun = exchange(json_fence=True)
    body = whole_body.repair_answer(begun, STEPS, PACKERS[encoding](chat("```json\n{}\n```")), encoding, LIMIT)
    assert isinstance(body, bytes)
    assert json.loads(body)["choices"][0]["message"]["content"] == "{}"
    assert begun.rules == ["answer-json-fence"]


@pytest.mark.parametrize(
    ("body", "encoding"),
    [(chat("fine"), ""), (b"x", "compress"), (b"x", "gzip, compress"), (chat("x" * LIMIT, "sensitive"), "")],
)
def test_an_answer_that_needs_nothing_or_can_not_be_read_is_left_alone(body: bytes, encoding: str):
    begun = exchange()
    assert whole_body.repair_answer(begun, STEPS, body, encoding, LIMIT) is None
    assert begun.rules == []


def test_embeddings_are_packed_where_they_were_asked_for():
    body = b'{"data": [{"index": 0, "embedding": [1.0]}]}'
    assert whole_body.repair_answer(exchange("embeddings"), STEPS, body, "", LIMIT) is None
    packed = whole_body.repair_answer(exchange("embeddings", base64_embeddings=True), STEPS, body, "", LIMIT)
    assert isinstance(packed, bytes)
    assert json.loads(packed)["data"][0]["embedding"] == "AACAPw=="


@pytest.mark.parametrize("encoding", PACKERS)
def test_errors_get_the_status_that_they_mean(encoding: str):
    body = json.dumps({"error": {"message": "请求限频", "type": "runtime_error", "code": "2003"}}).encode()
    refusal = whole_body.repair_error(exchange(), 400, PACKERS[encoding](body), encoding, "7")
    assert refusal is not None
    assert (refusal.status, refusal.headers["retry-after"]) == (429, "7")


def test_other_errors_pass():
    assert whole_body.repair_error(exchange(), 500, b"<h1>", "", None) is None
    assert whole_body.repair_error(exchange(), 400, b"x", "gzip", None) is None
