"""Real errors of Moonshot, Tencent's plans and CodeBuddy, as clients of the three formats get them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from hunyuan_fix import profiles
from hunyuan_fix.answers import whole_body
from hunyuan_fix.dialects import DIALECTS
from hunyuan_fix.exchange import Exchange, Response
from hunyuan_fix.upstream import retry
from hunyuan_fix.wire.vendor_errors import as_meant, key_shape, translate_error

TOKENHUB = profiles.load("tokenhub")
PLAN = replace(TOKENHUB, plan=True, hosts=("api.lkeap.cloud.tencent.com/plan",))
CLAUDE_CODE = {"client": "claude-code", "model": "claude-kimi-k2.6", "input_tokens": 270000}


def body(type: str = "invalid_request_error", message: str = "?", **fields: Any) -> bytes:
    return json.dumps({"error": {"message": message, "type": type, **fields}}).encode()


OVERLOADED = body("engine_overloaded_error", "The engine is currently overloaded, please try again later")
RATE = body(
    "rate_limit_reached_error",
    "Your account org-1<ak-2> request reached organization max RPM: 3, please try again after 7 seconds",
)
QUOTA = body(
    "exceeded_current_quota_error", "Your account org-1 is suspended due to insufficient balance, please recharge"
)
USED_UP = body("permission_error", "You've reached your usage limit for this billing cycle.")
TERMINATED = body(
    "access_terminated_error",
    "Kimi For Coding is currently only available for Coding Agents such as Kimi CLI, Claude Code, Roo Code, etc.",
)
NO_KEY = body("invalid_authentication_error", "Invalid Authentication")
NOT_AUTHORIZED = body("invalid_request_error", "You are not authorized.", code="not_authorized")
FILTERED = body("content_filter", "The request was rejected because it was considered high risk")
TOO_LARGE = body(message="total message size 11041058 exceeds limit 4194304")
OUTSIDE = body("permission_error", "no permission", code=403002)
OPENAI_QUOTA = body(
    "insufficient_quota", "You exceeded your current quota, please check your plan.", code="insufficient_quota"
)
TOKENS_A_MINUTE = body("insufficient_quota", "Allocated quota exceeded, please wait.", code="insufficient_quota")
EMPTY_PLAN = body("rate_limit_error", "token plan quota exhausted", code="20098")
CODEBUDDY = json.dumps({"code": 11128, "msg": "Illegal API invocation from an unapproved channel"}).encode()


def told(status: int, given: bytes, dialect: str = "chat", headers: dict[str, str] | None = None) -> Response:
    """The endpoint's error as a client of `dialect` gets it."""
    exchange = Exchange(profile="tokenhub", dialect=dialect, spoken=dialect, model="kimi-k2.6", headers=headers or {})
    if dialect == "anthropic":
        exchange.note_of(dialect).update(CLAUDE_CODE)
    elif dialect == "responses":
        exchange.note_of(dialect)["client"] = "codex"
    made = whole_body.repair_error(exchange, status, given, "", None)
    if dialect == "chat":
        return made or Response(status, {}, given)
    assert made is not None
    return DIALECTS[dialect].error(made, exchange.note_of(dialect))


def fields(response: Response) -> Any:
    return json.loads(response.body)["error"]


STATUSES = [
    # what it is, its status and body, and the status for chat, for Claude Code, for Codex; whether another try may help
    ("overload", 429, OVERLOADED, 429, 529, 529, True),
    ("rate limit", 429, RATE, 429, 429, 429, True),
    ("quota", 429, QUOTA, 400, 402, 400, False),
    ("quota of an account, forbidden", 403, QUOTA, 400, 402, 400, False),
    ("quota of a membership", 403, USED_UP, 400, 402, 400, False),
    ("quota of a period", 429, USED_UP, 400, 402, 400, False),
    ("quota in OpenAI's words", 429, OPENAI_QUOTA, 400, 402, 400, False),
    ("program", 403, TERMINATED, 403, 402, 400, False),
    ("key", 401, NO_KEY, 401, 401, 400, False),
    ("kind of key", 401, NOT_AUTHORIZED, 401, 401, 400, False),
    ("content", 400, FILTERED, 400, 451, 400, False),
    ("bytes", 400, TOO_LARGE, 413, 402, 400, False),
    ("outside the plan", 403, OUTSIDE, 403, 402, 400, False),
    ("plan", 429, EMPTY_PLAN, 400, 402, 400, False),
    ("channel", 400, CODEBUDDY, 403, 402, 400, False),
]


@pytest.mark.parametrize(
    ("status", "given", "chat", "claude", "codex", "passes"),
    [row[1:] for row in STATUSES],
    ids=[row[0] for row in STATUSES],
)
def test_each_client_gets_the_status_after_which_it_does_the_right_thing(
    status: int, given: bytes, chat: int, claude: int, codex: int, passes: bool
) -> None:
    made = [told(status, given, dialect) for dialect in ("chat", "anthropic", "responses")]
    assert [response.status for response in made] == [chat, claude, codex]
    words = json.loads(given).get("error", {}).get("message") or json.loads(given)["msg"]
    assert all(words.rstrip(".") in fields(response)["message"] for response in made)
    assert retry.may_pass(status, given, TOKENHUB, "kimi-k2.6") == passes
    if not passes:
        # After 451, which Claude Code gets for a refusal of content, nobody asks again either.
        assert all(response.status < 429 or response.status == 451 for response in made)


def test_an_overload_is_told_from_a_rate_limit() -> None:
    overloaded, limited = told(429, OVERLOADED), told(429, RATE)
    assert (fields(overloaded)["code"], fields(limited)["code"]) == ("engine_overloaded", "rate_limit_exceeded")
    assert (overloaded.headers["retry-after"], limited.headers["retry-after"]) == ("5", "7")
    assert fields(told(429, OVERLOADED, "anthropic"))["type"] == "overloaded_error"
    assert fields(told(429, RATE, "anthropic"))["type"] == "rate_limit_error"
    assert told(429, RATE, "anthropic").headers["retry-after"] == "7"


@pytest.mark.parametrize("given", [OVERLOADED, RATE])
def test_an_error_that_says_when_to_come_back_stays(given: bytes) -> None:
    assert translate_error(429, given, "30", TOKENHUB, "kimi-k2.6") is None


def test_a_rate_limit_of_unknown_length_stays() -> None:
    given = body("rate_limit_reached_error", "Your account reached max TPD: 1500000")
    assert translate_error(429, given, None, TOKENHUB, "kimi-k2.6") is None


def test_a_limit_a_minute_under_the_code_of_a_quota_may_pass() -> None:
    assert told(429, TOKENS_A_MINUTE).status == 429
    assert retry.may_pass(429, TOKENS_A_MINUTE, TOKENHUB, "kimi-k2.6")


@pytest.mark.parametrize("dialect", ["chat", "anthropic", "responses"])
def test_what_may_be_the_plan_or_the_quota_says_both_once(dialect: str) -> None:
    message = fields(told(429, EMPTY_PLAN, dialect))["message"]
    assert message.count("or this model is not in the plan") == 1
    assert message.count("(code 20098)") == 1
    message = fields(told(403, OUTSIDE, dialect))["message"]
    assert message.count("does not cover this model") == 1


def test_a_plan_names_its_known_models() -> None:
    for status, given in ((403, OUTSIDE), (429, EMPTY_PLAN)):
        of_plan, of_others = (translate_error(status, given, None, profile, "hy3") for profile in (PLAN, TOKENHUB))
        assert of_plan is not None and of_others is not None
        known = fields(of_plan)["message"].partition("Known models of such plans: ")[2]
        assert known.startswith("hy3, hy3-preview, ")
        assert "kinfra-text-embedding" not in known and "hunyuan-lite" not in known
        assert "Known models" not in fields(of_others)["message"]


@pytest.mark.parametrize(
    ("key", "says"),
    [
        (
            "sk-tp-abcdef",
            "The key begins with sk-tp-: it is one of Tencent's Token Plan or Coding Plan, for https://api.lkeap",
        ),
        ("sk-kimi-abcdef", "The key begins with sk-kimi-: it is one of Kimi Code, for https://api.kimi.com/coding."),
        ("sk-abcdef", ""),
    ],
)
@pytest.mark.parametrize("name", ["authorization", "x-api-key"])
def test_a_key_that_tells_what_it_is_for_is_sent_to_its_host(key: str, says: str, name: str) -> None:
    headers = {name: f"Bearer {key}" if name == "authorization" else key}
    for status, given in ((401, NO_KEY), (401, NOT_AUTHORIZED)):
        for dialect in ("chat", "anthropic", "responses"):
            message = fields(told(status, given, dialect, headers))["message"]
            assert says in message
            assert ("The key begins with" in message) == bool(says)
            assert "abcdef" not in message


@pytest.mark.parametrize("dialect", ["chat", "anthropic", "responses"])
def test_a_key_for_another_host_is_told_whatever_words_refuse_it(dialect: str) -> None:
    given = body("authentication_error", "invalid api key")
    if dialect == "anthropic":
        given = json.dumps({"type": "error", **json.loads(given)}).encode()
    refused = told(401, given, dialect, {"authorization": "Bearer sk-kimi-abcdef"})
    assert "for https://api.kimi.com/coding" in fields(refused)["message"]
    of_tokenhub = translate_error(401, given, None, TOKENHUB, "hy3", key=key_shape({"x-api-key": "sk-abcdef"}))
    assert of_tokenhub is not None
    assert "begins with" not in fields(of_tokenhub)["message"]
    assert translate_error(404, given, None, TOKENHUB, "hy3", key=key_shape({"x-api-key": "sk-kimi-abcdef"})) is None


@pytest.mark.parametrize("type", ["invalid_authentication_error", "authentication_error"])
def test_the_hosts_of_moonshots_keys_are_named_at_those_hosts_alone(type: str) -> None:
    given = body(type, "Invalid Authentication")
    for name in ("moonshot", "kimi-coding"):
        refused = translate_error(401, given, None, profiles.load(name), "kimi-k2.6")
        assert refused is not None
        assert "good for their own host only" in fields(refused)["message"]
    for name in ("zenmux", "deepseek", "openrouter"):
        refused = translate_error(401, given, None, profiles.load(name), "kimi-k2.6")
        assert refused is None or "api.moonshot.cn" not in fields(refused)["message"]


def test_a_key_at_its_own_host_gets_no_such_hint() -> None:
    shape = key_shape({"authorization": "bearer  sk-tp-1"})
    refused = translate_error(401, NOT_AUTHORIZED, None, PLAN, "hy3", key=shape)
    assert refused is not None
    assert "begins with" not in fields(refused)["message"]


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (
            "Invalid request: Your request exceeded model token limit: 262144 (requested: 270000)",
            "prompt is too long: 270000 tokens > 262144 maximum",
        ),
        ("Your request exceeded model token limit : 262144", "prompt is too long: 270000 tokens > 262144 maximum"),
        ("Input token length too long", "prompt is too long: Input token length too long"),
        (
            "length of prompt_tokens (68957) must be less than max_seq_len (65536).",
            "prompt is too long: 68957 tokens > 65536 maximum",
        ),
        (
            "max_total_tokens (33802) must be less than or equal to max_seq_len (32768)",
            "prompt is too long: 33802 tokens > 32768 maximum",
        ),
        (
            "This endpoint's maximum context length is 262144 tokens. However, you requested about 300000 tokens "
            "(250000 of text input, 18000 of tool input, 32000 in the output).",
            "prompt is too long: 300000 tokens > 262144 maximum",
        ),
    ],
)
def test_claude_code_is_told_of_a_full_window_in_the_words_that_it_compacts_at(message: str, words: str) -> None:
    made = told(400, body(message=message), "anthropic")
    assert (made.status, fields(made)["message"]) == (400, words)
    assert fields(told(400, body(message=message), "responses"))["code"] == "context_length_exceeded"


def test_a_limit_of_bytes_is_no_full_window() -> None:
    for dialect in ("anthropic", "responses"):
        message = fields(told(400, TOO_LARGE, dialect))["message"]
        assert not message.startswith("prompt is too long")
        assert "a limit of bytes, not of tokens" in message
    assert fields(told(400, TOO_LARGE))["code"] == "request_too_large"


def test_chat_clients_find_a_full_window_by_its_code() -> None:
    made = told(400, body(message="Your request exceeded model token limit: 262144"))
    assert (made.status, fields(made)["code"]) == (400, "context_length_exceeded")
    made = told(500, body("runtime_error", "input too long", code="20059"))
    assert (made.status, fields(made)["code"]) == (400, "context_length_exceeded")


@pytest.mark.parametrize(("given", "status"), [(OVERLOADED, 429), (QUOTA, 400), (FILTERED, 400), (CODEBUDDY, 200)])
def test_such_an_error_in_a_success_gets_its_status(given: bytes, status: int) -> None:
    assert as_meant(Response(200, {}, given), TOKENHUB, "kimi-k2.6").status == status


def test_what_the_vendor_sent_is_kept() -> None:
    for status, given in ((429, QUOTA), (400, FILTERED), (401, NO_KEY), (400, TOO_LARGE)):
        assert fields(told(status, given))["vendor"] == json.loads(given)["error"]
    assert fields(told(400, CODEBUDDY))["vendor"]["code"] == "11128"


@pytest.mark.parametrize("status", [500, 503])
def test_an_overload_under_an_honest_status_stays(status: int) -> None:
    deepseek = profiles.load("deepseek")
    given = body("service_unavailable_error", "Server Overloaded")
    assert translate_error(status, given, None, deepseek, "deepseek-chat") is None
    assert translate_error(status, OVERLOADED, None, TOKENHUB, "kimi-k2.6") is None
    assert retry.may_pass(status, given, deepseek, "deepseek-chat")


@pytest.mark.parametrize("name", ["moonshot", "kimi-coding"])
def test_a_path_that_there_is_not_is_no_missing_model(name: str) -> None:
    profile = profiles.load(name)
    model = body("resource_not_found_error", "Not found the model kimi-k9 or Permission denied")
    missing = translate_error(404, model, None, profile, "kimi-k9")
    assert missing is not None
    assert fields(missing)["code"] == "model_not_found"
    path = body("resource_not_found_error", "The requested resource was not found")
    assert translate_error(404, path, None, profile, "kimi-k9") is None
