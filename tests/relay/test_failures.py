from __future__ import annotations

import json
from typing import Any

import pytest

from hunyuan_fix import profiles
from hunyuan_fix.admission import Account
from hunyuan_fix.relay import Job, failures
from hunyuan_fix.upstream.client import CallFailed
from hunyuan_fix.wire.flaws import Flaw
from hunyuan_fix.wire.openai_error import ProxyError


def job(profile: str = "hunyuan") -> Job:
    return Job(
        url="http://127.0.0.1/v1",
        upstream="http://127.0.0.1",
        account=Account("test", 1),
        profile=profiles.load(profile),
        model="m",
        streamed=False,
        tries=1,
        deadline=1.0,
        silence=1.0,
        until=0.0,
        ahead=False,
        max_body=1,
    )


def body(**error: Any) -> bytes:
    return json.dumps({"error": error}).encode()


@pytest.mark.parametrize(
    ("profile", "error", "status"),
    [
        ("hunyuan", {"code": "2003", "message": "x"}, 400),
        ("hunyuan", {"code": 2003, "message": "x"}, 400),
        ("hunyuan", {"code": "2000", "message": "x"}, 502),
        ("tokenhub", {"code": "429001", "message": "x"}, 429),
        ("tokenhub", {"code": 502001, "message": "x"}, 502),
        ("tokenhub", {"code": "503", "message": "x"}, 503),
        ("tokenhub", {"code": "٤٠٠", "message": "x"}, 502),
        ("tokenhub", {"code": None, "type": "rate_limit_error"}, 429),
        ("tokenhub", {"code": "200001", "type": ["?"]}, 502),
    ],
)
def test_error_in_a_success_has_the_status_that_it_means(profile: str, error: dict[str, Any], status: int) -> None:
    text = body(**error)
    failure = failures.unusable(
        Flaw("x", text), [(b"content-encoding", b"gzip"), (b"x-request-id", b"r")], job(profile)
    )
    assert failure.response.status == status
    assert failure.response.body == text
    assert (b"x-request-id", b"r") in failure.response.headers
    assert b"content-encoding" not in dict(failure.response.headers)


def test_own_error_keeps_what_the_endpoint_says_about_trying_again() -> None:
    made = failures.own(
        ProxyError(status=503, type="server_error", code=None, template="x"),
        headers=[(b"Retry-After", b"3"), (b"Server", b"nginx")],
    )
    assert (b"Retry-After", b"3") in made.headers
    assert b"Server" not in dict(made.headers)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (CallFailed("connection refused"), "upstream_unreachable"),
        (CallFailed("host name not found"), "upstream_unreachable"),
        (CallFailed("TLS failed"), "upstream_tls_failed"),
        (CallFailed("ReadError", begun=True), "upstream_invalid_answer"),
    ],
)
def test_failed_calls_are_told_apart(error: CallFailed, code: str) -> None:
    failure = failures.unreached(error, job())
    assert failure.may_pass
    assert failure.response.status == 502
    assert json.loads(failure.response.body)["error"]["code"] == code


def test_a_certificate_that_is_not_trusted_is_told_at_once() -> None:
    failure = failures.unreached(CallFailed("certificate not trusted"), job())
    assert not failure.may_pass
    assert failure.response.status == 502
    assert (b"x-should-retry", b"false") in failure.response.headers
    error = json.loads(failure.response.body)["error"]
    assert error["code"] == "upstream_tls_failed"
    assert "ssl_verify_upstream_trusted_ca" in error["message"]


@pytest.mark.parametrize(("timed_out", "code"), [(True, "upstream_timeout"), (False, "stream_broken")])
def test_end_of_a_broken_stream_is_one_line(timed_out: bool, code: str) -> None:
    line = failures.stream_broken(job(), timed_out=timed_out)
    assert b"\n" not in line
    assert json.loads(line)["error"]["code"] == code
