from __future__ import annotations

import json

import pytest

from hunyuan_fix import profiles
from hunyuan_fix.fallbacks import reasons
from hunyuan_fix.fallbacks.reasons import Reason

TOKENHUB, HUNYUAN, PLAN = (profiles.load(name) for name in ("tokenhub", "hunyuan", "tokenhub-plan"))


def error(message: str = "no", type: str = "x", code: str = "x") -> bytes:
    return json.dumps({"error": {"message": message, "type": type, "code": code}}).encode()


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (500, error(), "down"),
        (503, b"<html>", "down"),
        (529, error(), "down"),
        (408, b"", "down"),
        (429, error(), "rate_limit"),
        (402, error(), "quota"),
        (429, error("You exceeded your current quota", "insufficient_quota", "insufficient_quota"), "quota"),
        (404, error(), "model"),
        (400, error("The model `x` does not exist", code="model_not_found"), "model"),
        (400, error("Model Not Exist", "invalid_request_error"), "model"),
        (400, error("Model does not exist. Please check it carefully."), "model"),
        (400, error("The remodelled house was not found"), "refused"),
        (400, error(), "refused"),
        (400, error(type="rate_limit_error"), "rate_limit"),
        (400, b'{"error":{"message":"x","code":["model_not_found"],"type":7}}', "refused"),
        (400, b'{"error":"x"}', "refused"),
        (400, b"", "refused"),
        (401, error(), "refused"),
        (403, error(), "refused"),
        (413, error(), "refused"),
        (422, error(), "refused"),
        (451, error(), "content"),
        (500, error("maximum context length is 8 tokens", code="context_length_exceeded"), "refused"),
    ],
)
def test_what_an_error_means(status: int, body: bytes, reason: Reason):
    assert reasons.of_error(status, body, TOKENHUB) == reason


def test_a_profiles_rules_count_first():
    limited = error("请求限频，请稍后重试", "runtime_error", "2003")
    assert reasons.of_error(400, limited, HUNYUAN) == "rate_limit"
    assert reasons.of_error(400, limited, TOKENHUB) == "refused"
    assert reasons.of_error(403, error("token plan quota exhausted", "permission_error", "20098"), PLAN) == "quota"


def test_what_leads_on():
    kinds: tuple[Reason, ...] = ("", "down", "busy", "rate_limit", "quota", "model", "refused", "content")
    assert [kind for kind in kinds if not reasons.leads_on(kind, from_first=True)] == ["", "refused", "content"]
    assert [kind for kind in kinds if not reasons.leads_on(kind, from_first=False)] == ["", "content"]


@pytest.mark.parametrize("kind", ["down", "busy", "rate_limit", "quota", "model", "refused", "content", ""])
def test_each_is_said(kind: Reason):
    said = reasons.said(kind, "hy3")
    assert said.startswith("hy3 ")
