"""The catalogue of the proxy's own errors: its interface, its use, and its page in the docs."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from string import Formatter
from typing import Any

import pytest

from hunyuan_fix.wire import proxy_errors
from hunyuan_fix.wire.openai_error import ProxyError
from hunyuan_fix.wire.proxy_errors import CATALOGUE, Entry
from scripts.lib import error_page
from tests.looped import each

ADDON = Path(__file__).parents[2] / "addon"
SOURCES = sorted(path for path in ADDON.rglob("*.py") if "cli" not in path.relative_to(ADDON).parts)
OPTIONS = {"status", "type", "retry", "param", "retry_after", "vendor"}
"""Arguments of a call that aren't values for the message."""


def test_an_error_has_openai_s_shape() -> None:
    made = ProxyError(status=429, template="slow", type="rate_limit_error", code="x", retry_after=0.2, retry=True)
    assert json.loads(made.body()) == {
        "error": {"message": "slow", "type": "rate_limit_error", "param": None, "code": "x"}
    }
    assert made.response().status == 429
    assert made.response().body == made.body()
    assert made.response().headers == {
        "content-type": "application/json",
        "retry-after": "1",
        "x-should-retry": "true",
    }


def test_an_error_says_nothing_on_retries_unless_told() -> None:
    made = ProxyError(status=400, template="no", type="t", code=None)
    assert made.response().headers == {"content-type": "application/json"}


def test_the_vendor_s_error_stands_beside_our_own() -> None:
    made = proxy_errors.CONTENT_POLICY_VIOLATION(message="{braces} stay", vendor={"code": 451})
    assert json.loads(made.body())["error"] == {
        "message": "{braces} stay",
        "type": "invalid_request_error",
        "param": None,
        "code": "content_policy_violation",
        "vendor": {"code": 451},
    }


def test_a_call_overrules_the_catalogue_and_only_where_it_says_so() -> None:
    assert proxy_errors.VISION_RATE_LIMITED(model="m").retry_after == 5.0
    assert proxy_errors.VISION_RATE_LIMITED(model="m", retry_after=0.0).retry_after == 0.0
    assert proxy_errors.INVALID_ANSWER(flaw="x").retry is None
    assert proxy_errors.INVALID_ANSWER(flaw="x", retry=False).retry is False
    own = proxy_errors.UPSTREAM_ERROR(number=404, status=404)
    assert (own.status, own.type) == (404, "invalid_request_error")
    assert proxy_errors.UPSTREAM_ERROR(number=401, status=401, type="authentication_error").type == (
        "authentication_error"
    )


def test_a_request_that_comes_at_the_end_is_sent_elsewhere() -> None:
    for entry in (proxy_errors.SHUTTING_DOWN, proxy_errors.STOPPED):
        made = entry().response()
        assert json.loads(made.body)["error"]["type"] == "server_error"
        assert made.status == 503
        assert made.headers == {
            "content-type": "application/json",
            "retry-after": "2",
            "x-should-retry": "true",
            "connection": "close",
        }


def test_codes_statuses_and_types_are_what_clients_act_on() -> None:
    """Changing a row breaks clients: it needs a line in the changelog."""
    assert sorted({(entry.code, entry.status, entry(**values(entry)).type) for entry in CATALOGUE.values()}) == [
        ("admin_bad_request", 400, "invalid_request_error"),
        ("admin_content_gone", 404, "invalid_request_error"),
        ("admin_content_off", 404, "invalid_request_error"),
        ("admin_content_too_large", 404, "invalid_request_error"),
        ("admin_content_unread", 404, "invalid_request_error"),
        ("admin_cross_origin", 403, "invalid_request_error"),
        ("admin_failed", 500, "server_error"),
        ("admin_host_not_allowed", 403, "invalid_request_error"),
        ("admin_image_not_kept", 404, "invalid_request_error"),
        ("admin_link_invalid", 401, "invalid_request_error"),
        ("admin_method_not_allowed", 405, "invalid_request_error"),
        ("admin_no_content", 404, "invalid_request_error"),
        ("admin_no_such_exchange", 404, "invalid_request_error"),
        ("admin_no_such_image", 404, "invalid_request_error"),
        ("admin_no_such_path", 404, "invalid_request_error"),
        ("admin_no_such_session", 404, "invalid_request_error"),
        ("admin_token_invalid", 401, "invalid_request_error"),
        ("admin_token_required", 401, "invalid_request_error"),
        ("admin_too_many_failures", 429, "rate_limit_error"),
        ("admin_too_many_listeners", 503, "server_error"),
        ("admin_unknown_session", 404, "invalid_request_error"),
        ("admin_worker_silent", 503, "server_error"),
        ("api_not_offered", 404, "invalid_request_error"),
        ("budget_exceeded", 400, "insufficient_quota"),
        ("budget_held", 429, "rate_limit_error"),
        ("budget_price_unknown", 400, "invalid_request_error"),
        ("calls_unnamed", 200, "upstream_error"),
        ("cant_be_masked", 400, "invalid_request_error"),
        ("client_refused", 403, "permission_error"),
        ("content_policy_violation", 400, "invalid_request_error"),
        ("context_length_exceeded", 400, "invalid_request_error"),
        ("conversation_not_found", 404, "invalid_request_error"),
        ("endpoint_retired", 404, "invalid_request_error"),
        ("engine_overloaded", 429, "engine_overloaded_error"),
        ("headers_ambiguous", 400, "invalid_request_error"),
        ("history_too_long", 400, "invalid_request_error"),
        ("host_not_allowed", 403, "invalid_request_error"),
        ("image_cascade_failed", 502, "server_error"),
        ("insufficient_quota", 400, "insufficient_quota"),
        ("invalid_api_key", 401, "authentication_error"),
        ("invalid_api_key", 401, "invalid_request_error"),
        ("item_not_found", 404, "invalid_request_error"),
        ("masking_failed", 400, "invalid_request_error"),
        ("model_not_found", 404, "invalid_request_error"),
        ("model_not_in_plan", 403, "permission_error"),
        ("native_action_unknown", 404, "invalid_request_error"),
        ("native_header_missing", 400, "invalid_request_error"),
        ("native_protocol_unsupported", 400, "invalid_request_error"),
        ("native_untranslated", 400, "invalid_request_error"),
        ("native_version_unknown", 404, "invalid_request_error"),
        ("no_summary", 200, "upstream_error"),
        ("not_recorded", 400, "invalid_request_error"),
        ("not_sent", 400, "invalid_request_error"),
        ("not_supported", 400, "invalid_request_error"),
        ("placeholder_unknown", 502, "server_error"),
        ("previous_response_not_found", 400, "invalid_request_error"),
        ("proxy_failed", 502, "server_error"),
        ("proxy_loop", 400, "invalid_request_error"),
        ("proxy_queue_full", 429, "rate_limit_error"),
        ("proxy_queue_timeout", 429, "rate_limit_error"),
        ("proxy_shutting_down", 200, "server_error"),
        ("proxy_shutting_down", 503, "server_error"),
        ("rate_limit_exceeded", 429, "rate_limit_error"),
        ("relay_secret_unknown", 403, "permission_error"),
        ("request_too_complex", 413, "invalid_request_error"),
        ("request_too_large", 413, "invalid_request_error"),
        ("response_not_found", 404, "invalid_request_error"),
        ("run_needs_redis", 400, "invalid_request_error"),
        ("run_unreadable", 400, "invalid_request_error"),
        ("same_call_repeated", 400, "invalid_request_error"),
        ("same_request_repeated", 400, "invalid_request_error"),
        ("secret_id_unknown", 401, "invalid_request_error"),
        ("signature_expired", 401, "invalid_request_error"),
        ("signature_unreadable", 401, "invalid_request_error"),
        ("signature_wrong", 401, "invalid_request_error"),
        ("stream_answer_too_large", 200, "upstream_error"),
        ("stream_broken", 200, "upstream_error"),
        ("stream_event_too_large", 200, "upstream_error"),
        ("stream_incomplete", 200, "upstream_error"),
        ("stream_unreadable", 200, "upstream_error"),
        ("text_too_long", 400, "invalid_request_error"),
        ("too_many_inputs", 400, "invalid_request_error"),
        ("too_many_iterations", 400, "invalid_request_error"),
        ("unsupported_dimensions", 400, "invalid_request_error"),
        ("unsupported_input", 400, "invalid_request_error"),
        ("untranslatable", 400, "invalid_request_error"),
        ("upstream_down", 503, "server_error"),
        ("upstream_error", 0, "invalid_request_error"),
        ("upstream_invalid_answer", 502, "server_error"),
        ("upstream_timeout", 200, "upstream_error"),
        ("upstream_timeout", 504, "server_error"),
        ("upstream_tls_failed", 502, "server_error"),
        ("upstream_unreachable", 502, "server_error"),
        ("vision_bad_answer", 502, "server_error"),
        ("vision_call_failed", 400, "invalid_request_error"),
        ("vision_key_refused", 400, "invalid_request_error"),
        ("vision_model_not_found", 400, "invalid_request_error"),
        ("vision_timeout", 504, "server_error"),
        ("vision_unavailable", 503, "server_error"),
        ("vision_unreachable", 502, "server_error"),
        ("websocket_not_spoken", 426, "invalid_request_error"),
    ]


def test_what_a_retry_can_t_fix_isn_t_retried() -> None:
    told_not_to = {name for name, entry in CATALOGUE.items() if entry.retry is False}
    assert told_not_to == {
        "RUN_NEEDS_REDIS",
        "RUN_UNREADABLE",
        "TOKEN_MISPLACED",
        "TOKEN_INVALID",
        "TOKEN_FOR_OTHER_HOST",
        "TOKEN_REQUIRED",
        "KEY_NOT_LENT",
        "KEY_FOR_ANOTHER_HOST",
        "SIGNING_KEY_MISPLACED",
        "CREDENTIALS_UNUSABLE",
        "HOST_NOT_ALLOWED",
        "NATIVE_PROTOCOL",
        "NATIVE_HEADER_MISSING",
        "NATIVE_ACTION_UNKNOWN",
        "NATIVE_VERSION_UNKNOWN",
        "NATIVE_UNTRANSLATED",
        "SIGNATURE_EXPIRED",
        "SIGNATURE_UNREADABLE",
        "SIGNATURE_WRONG",
        "SECRET_ID_UNKNOWN",
        "REQUEST_TOO_LARGE",
        "REQUEST_TOO_LARGE_THERE",
        "REQUEST_TOO_COMPLEX",
        "HEADERS_AMBIGUOUS",
        "UNTRANSLATABLE",
        "CANT_BE_MASKED",
        "MASKING_FAILED",
        "API_NOT_OFFERED",
        "MODEL_NOT_LISTED",
        "SIMILAR_MODEL_LISTED",
        "WEBSOCKET_NOT_SPOKEN",
        "PREVIOUS_RESPONSE_NOT_FOUND",
        "NOTHING_KEPT",
        "TOO_MANY_ITERATIONS",
        "SAME_CALL",
        "SAME_REQUEST",
        "NOT_RECORDED",
        "NOT_SENT",
        "BUDGET_SPENT",
        "BUDGET_UNPRICED",
        "HISTORY_TOO_LONG",
        "CONVERSATION_NOT_FOUND",
        "ITEM_NOT_FOUND",
        "RESPONSE_NOT_FOUND",
        "KEPT_CALL_REFUSED",
        "PROXY_LOOP",
        "RELAY_SECRET_UNKNOWN",
        "UPSTREAM_SHUT_DOWN",
        "UPSTREAM_NOT_TRUSTED",
        "CERTIFICATE_NOT_TRUSTED",
        "ANSWER_TOO_LARGE",
        "BODY_TOO_LARGE",
        "VISION_MODEL_NOT_FOUND",
        "VISION_QUOTA",
        "VISION_UPSTREAM_KEY_REFUSED",
        "EMBEDDINGS_NO_KEY",
        "VISION_CALL_FAILED",
        "INSUFFICIENT_QUOTA",
        "CONTENT_POLICY_VIOLATION",
        "ADMIN_BAD_REQUEST",
        "ADMIN_CROSS_ORIGIN",
        "ADMIN_FAILED",
        "ADMIN_HOST_NOT_ALLOWED",
        "ADMIN_LINK_INVALID",
        "ADMIN_METHOD_NOT_ALLOWED",
        "ADMIN_NO_SUCH_EXCHANGE",
        "ADMIN_NO_SUCH_PATH",
        "ADMIN_TOKEN_INVALID",
        "ADMIN_TOKEN_REQUIRED",
        "ADMIN_CONTENT_GONE",
        "ADMIN_CONTENT_OFF",
        "ADMIN_CONTENT_TOO_LARGE",
        "ADMIN_CONTENT_UNREAD",
        "ADMIN_IMAGE_NOT_KEPT",
        "ADMIN_NO_CONTENT",
        "ADMIN_NO_SUCH_IMAGE",
        "ADMIN_NO_SUCH_SESSION",
        "ADMIN_UNKNOWN_SESSION",
    }


def test_an_entry_says_which_field_is_wrong() -> None:
    assert {entry.code: entry.param for entry in CATALOGUE.values() if entry.param} == {
        "context_length_exceeded": "messages",
        "previous_response_not_found": "previous_response_id",
        "history_too_long": "previous_response_id",
        "conversation_not_found": "conversation",
        "item_not_found": "input",
        "unsupported_dimensions": "dimensions",
        "too_many_inputs": "input",
        "text_too_long": "input",
        "unsupported_input": "input",
        "model_not_found": "model",
        "model_not_in_plan": "model",
    }


def fields(entry: Entry) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(entry.message) if name}


def values(entry: Entry) -> dict[str, Any]:
    return dict.fromkeys(fields(entry), 1.0)


def misuses(source: str) -> Iterator[str]:
    """Calls of entries whose arguments aren't the fields of the message.

    An entry that is chosen first and called later (`entry = proxy_errors.A`, `entry(…)`) is looked for in the same
    function.
    """
    for function in ast.walk(ast.parse(source)):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
            called = {id(call.func): [call] for call in calls if entry_name(call.func)}
            later = [call for call in calls if isinstance(call.func, ast.IfExp) or name_of(call.func) == "entry"]
            for node in ast.walk(function):
                if name := entry_name(node):
                    found = called.get(id(node), later)
                    for call in found:
                        given = {keyword.arg for keyword in call.keywords} - OPTIONS
                        if given != fields(CATALOGUE[name]):
                            yield f"{name} in {function.name}: {given}"
                    if not found:
                        yield f"{name} in {function.name} is not called"


def entry_name(node: ast.AST) -> str:
    named = isinstance(node, ast.Attribute) and name_of(node.value) == "proxy_errors" and node.attr in CATALOGUE
    return node.attr if named and isinstance(node, ast.Attribute) else ""


def name_of(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else ""


@each("path", SOURCES, ids=lambda path: path.relative_to(ADDON).as_posix())
def test_each_call_gives_the_values_that_the_message_names(path: Path) -> None:
    assert list(misuses(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "call",
    [
        "proxy_errors.KEY_NOT_LENT()",
        "proxy_errors.KEY_NOT_LENT(whi='x')",
        "proxy_errors.TOKEN_INVALID(why='x')",
        "(proxy_errors.TOKEN_INVALID if x else proxy_errors.KEY_NOT_LENT)()",
        "entry = proxy_errors.KEY_NOT_LENT\n    entry(model='x')",
        "entry = proxy_errors.TOKEN_INVALID",
    ],
)
def test_a_wrong_call_is_found(call: str) -> None:
    assert len(list(misuses(f"def f():\n    {call}\n"))) == 1


def test_every_entry_is_used() -> None:
    used = {entry_name(node) for path in SOURCES for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))}
    assert used - {""} == set(CATALOGUE)


def strangers(source: str) -> list[str]:
    """Codes of errors that are written without the catalogue, and errors made apart from it."""
    known = {entry.code for entry in CATALOGUE.values()}
    tree = ast.parse(source)
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    made = ["ProxyError" for call in calls if name_of(call.func) == "ProxyError"]
    for node in (node for node in ast.walk(tree) if isinstance(node, ast.Dict)):
        keys = [key.value if isinstance(key, ast.Constant) else None for key in node.keys]
        if "code" in keys and "message" in keys:
            value = node.values[keys.index("code")]
            texts = [text.value for text in ast.walk(value) if isinstance(text, ast.Constant)]
            made += [str(text) for text in texts if isinstance(text, str) and text not in known]
    return made


@each("path", SOURCES, ids=lambda path: path.relative_to(ADDON).as_posix())
def test_every_error_that_the_proxy_sends_is_in_the_catalogue(path: Path) -> None:
    made = strangers(path.read_text(encoding="utf-8"))
    assert made == (["ProxyError"] if path.parts[-2:] == ("proxy_errors", "entry.py") else [])


@pytest.mark.parametrize("text", ['{"error": {"message": m, "code": "new_code"}}', 'ProxyError(code="x")'])
def test_an_error_beside_the_catalogue_is_found(text: str) -> None:
    assert strangers(text)


@pytest.mark.parametrize("language", error_page.PAGES)
def test_the_page_is_made_from_the_catalogue(language: str) -> None:
    written = error_page.PAGES[language].read_text(encoding="utf-8")
    assert written == error_page.page(language), "python -m scripts.lib.error_page"


@pytest.mark.parametrize("language", error_page.PAGES)
def test_the_page_has_a_row_for_each_entry(language: str) -> None:
    own = error_page.page(language).partition("\n## Errors of endpoints")[0].partition("\n## 补充说明")[0]
    rows = [line for line in own.splitlines() if re.match(r"\| (\d|in the|the|流|接口)", line)]
    assert len(rows) == len(CATALOGUE)
    for row, entry in zip(rows, CATALOGUE.values(), strict=True):
        cells = row.strip("| ").split(" | ")
        assert len(cells) == 5
        assert cells[1] == f"`{entry.code}`"
    told = [row.rpartition("| ")[2] for row in rows if "`upstream_tls_failed`" in row]
    assert told == (["no |", "yes |"] if language == "en" else ["否 |", "是 |"]) * 2


def test_both_pages_say_the_same() -> None:
    """Row by row: the same codes, statuses and conditions."""
    pages = [error_page.page(language).splitlines() for language in ("en", "zh")]
    for one, other in zip(*([line for line in page if line.startswith("|")] for page in pages), strict=True):
        assert set(re.findall(r"`[^`]+`", one)) == set(re.findall(r"`[^`]+`", other))
        assert len(one.split(" | ")) == len(other.split(" | "))


@each("name", CATALOGUE)
def test_an_error_says_the_same_in_both_languages_and_is_the_same(name: str) -> None:
    """Names and numbers are in both; code, type, status and headers don't change."""
    entry = CATALOGUE[name]
    given: dict[str, Any] = {field: 7.0 if field == "waited" else f"<{field}>" for field in fields(entry)}
    english = entry(**given)
    chinese = english.in_language("zh")
    for value in given.values():
        assert str(value) in english.message or value == 7.0
        assert str(value) in chinese.message or value == 7.0
    one, other = english.response(), chinese.response()
    assert (one.status, one.headers) == (other.status, other.headers)
    assert {**english.fields(), "message": ""} == {**chinese.fields(), "message": ""}
    assert english.response().in_language("zh").body == other.body
    assert chinese.in_language("en").message == english.message
    if not re.fullmatch(r"\{\w+\}", entry.message):
        assert re.search(r"[\u3400-\u9fff]", chinese.message)


def test_a_reason_within_an_error_is_translated_too() -> None:
    error = proxy_errors.UPSTREAM_UNREACHABLE(where="a.example", kind="connection refused").in_language("zh")
    assert "连接被拒绝" in error.message
    error = proxy_errors.UNTRANSLATABLE(why='model: must be a text that names a model, such as "hy3".')
    assert error.in_language("zh").message == '请求无法转换为接口的格式：model：必须是模型名文本，例如 "hy3"。'


def test_what_the_endpoint_or_the_client_says_is_not_translated() -> None:
    """It may look like a sentence of ours."""
    words = "connection refused"
    assert proxy_errors.CONTENT_POLICY_VIOLATION(message=words).in_language("zh").message == words
    assert words in proxy_errors.MODEL_NOT_LISTED(model=words).in_language("zh").message


@each("name", CATALOGUE)
def test_what_the_log_says_of_an_error_is_ascii(name: str) -> None:
    assert CATALOGUE[name].when.isascii()
