"""Native requests that go wrong, or come from clients that must be known: one clear error each, and nothing is sent."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tencentcloud.common.abstract_client import AbstractClient
from tencentcloud.common.credential import Credential
from tencentcloud.common.http.request import RequestInternal
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile

from hunyuan_fix.access.client_tokens import digest_of
from tests import kept_flows
from tests.dialects.tencent_cloud.native_clients import events
from tests.end_to_end.processes import KEY, TOKENHUB, Certificates, Proxy, Simulator, run_proxy, run_simulator

NATIVE = "hunyuan.tencentcloudapi.com"
TOKEN = f"hf-{'a' * 43}"
ASKED = {"Model": "hunyuan-lite", "Messages": [{"Role": "user", "Content": "[[sim:say hello]]"}]}
SECRETS = """
[secrets.AKIDALICE]
secret_key = "alices-secret-key"
client = "alice"

[secrets.AKIDBOB]
secret_key = "bobs-secret-key"
client = "bob"
disabled = true
"""


@pytest.fixture(scope="module")
def flows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("flows") / "saved"


@pytest.fixture(scope="module")
def proxy(
    certificates: Certificates, running_tokenhub: Simulator, tmp_path_factory: pytest.TempPathFactory, flows: Path
) -> Iterator[Proxy]:
    secrets = tmp_path_factory.mktemp("secrets") / "secrets.toml"
    secrets.write_text(SECRETS)
    secrets.chmod(0o600)
    options = (
        *("--set", "hunyuan_upstream=successor"),
        *("--set", f"hunyuan_tencent_secrets_file={secrets}"),
        *("-w", str(flows)),
    )
    redirects = {f"{TOKENHUB}:443": running_tokenhub.port}
    with run_proxy(certificates, redirects, *options, environment={"HUNYUAN_API_KEY": KEY}) as running:
        yield running


def signed(
    body: dict[str, Any] | None = None,
    secret_id: str = "AKIDALICE",
    secret_key: str = "alices-secret-key",
    **changed: str | None,
) -> tuple[bytes, dict[str, str]]:
    """Body and headers as the SDK sends them; `changed` headers afterwards, `None` for none."""
    client = AbstractClient(
        Credential(secret_id, secret_key, "an-sts-token"), "", ClientProfile(httpProfile=HttpProfile(endpoint=NATIVE))
    )
    client._service, client._apiVersion = "hunyuan", "2023-09-01"
    request = RequestInternal(NATIVE, "POST", "/")
    client._build_req_with_tc3_signature("ChatCompletions", ASKED if body is None else body, request)
    headers = {name.lower(): value for name, value in request.header.items()}
    headers |= {name.replace("_", "-"): value for name, value in changed.items() if value is not None}
    return request.data.encode(), {name: value for name, value in headers.items() if changed.get(name, "") is not None}


def post(proxy: Proxy, given: tuple[bytes, dict[str, str]], method: str = "POST", path: str = "/") -> httpx.Response:
    """Through the proxy, by a tunnel to the dead name."""
    with httpx.Client(
        proxy=proxy.url, verify=proxy.certificates.proxy_trusted(), trust_env=False, timeout=60
    ) as client:
        return client.request(method, f"https://{NATIVE}{path}", content=given[0], headers=given[1])


def code(answer: httpx.Response) -> str:
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    said = answer.json()["Response"]
    assert said["RequestId"] == answer.headers["x-tc-requestid"] == answer.headers["x-hunyuan-request-id"]
    assert said["Error"]["Message"]
    return str(said["Error"]["Code"])


def without(headers: tuple[bytes, dict[str, str]], name: str) -> tuple[bytes, dict[str, str]]:
    return headers[0], {key: value for key, value in headers[1].items() if key != name}


def changed(given: tuple[bytes, dict[str, str]], **headers: str) -> tuple[bytes, dict[str, str]]:
    return given[0], given[1] | {name.replace("_", "-"): value for name, value in headers.items()}


def test_a_known_client_is_answered_and_named(proxy: Proxy, tokenhub: Simulator) -> None:
    answer = post(proxy, signed())
    assert answer.json()["Response"]["Choices"][0]["Message"]["Content"] == "hello"
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-hunyuan-fix"].split(",")[0] == "tencent-cloud"
    assert "client=alice" in proxy.process.wait_for(r"POST / .*client=alice.*")[0]
    (sent,) = tokenhub.requests()
    assert "AKID" not in json.dumps(sent)
    assert "sts-token" not in json.dumps(sent)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (lambda: signed(secret_key="another"), "AuthFailure.SignatureFailure"),
        (lambda: (b"{}", signed()[1]), "AuthFailure.SignatureFailure"),
        (lambda: signed(secret_id="AKIDBOB", secret_key="bobs-secret-key"), "AuthFailure.SecretIdNotFound"),
        (lambda: changed(signed(), authorization="TC3-HMAC-SHA256 x"), "AuthFailure.InvalidAuthorization"),
        (lambda: changed(signed(), x_tc_timestamp=str(int(time.time()) - 900)), "AuthFailure.SignatureExpire"),
        (lambda: changed(signed(), x_tc_timestamp=str(int(time.time()) + 900)), "AuthFailure.SignatureExpire"),
        (lambda: without(signed(), "x-tc-timestamp"), "MissingParameter"),
        (lambda: without(signed(), "x-tc-version"), "MissingParameter"),
        (lambda: without(signed(), "x-tc-action"), "MissingParameter"),
        (lambda: changed(signed(), x_tc_version="2018-03-21"), "NoSuchVersion"),
        (lambda: changed(signed(), x_tc_action="ChatTranslations"), "InvalidAction"),
        (lambda: changed(signed(), x_tc_action="ChatCompletionz\u007f"), "InvalidAction"),
        (lambda: changed(signed(), content_type="multipart/form-data; boundary=x"), "UnsupportedProtocol"),
        (lambda: signed({"Model": "m"}), "MissingParameter"),
        (lambda: signed({"Model": "m", "Messages": [1]}), "InvalidParameter"),
    ],
)
def test_what_is_wrong_is_refused_and_nothing_is_sent(
    proxy: Proxy, tokenhub: Simulator, given: Any, wanted: str
) -> None:
    assert code(post(proxy, given())) == wanted
    assert tokenhub.requests() == []


def test_get_and_older_signatures_are_refused(proxy: Proxy, tokenhub: Simulator) -> None:
    query = "/?Action=ChatCompletions&Version=2023-09-01&SecretId=AKIDALICE&Signature=abc&Model=hunyuan-lite"
    assert code(post(proxy, (b"", {}), "GET", query)) == "UnsupportedProtocol"
    form = (b"Action=ChatCompletions", {"content-type": "application/x-www-form-urlencoded"})
    assert code(post(proxy, form)) == "UnsupportedProtocol"
    assert code(post(proxy, signed(), "GET")) == "UnsupportedProtocol"
    assert tokenhub.requests() == []


def test_ten_megabytes_are_the_most(proxy: Proxy, tokenhub: Simulator) -> None:
    large = {"Model": "hunyuan-lite", "Messages": [{"Role": "user", "Content": "x" * (10 << 20)}]}
    assert code(post(proxy, signed(large))) == "RequestSizeLimitExceeded"
    body, headers = signed(large)
    with httpx.Client(
        proxy=proxy.url, verify=proxy.certificates.proxy_trusted(), trust_env=False, timeout=60
    ) as client:
        pieces = iter([body[:1000], body[1000:]])  # no length is known before
        assert code(client.post(f"https://{NATIVE}/", content=pieces, headers=headers)) == "RequestSizeLimitExceeded"
    assert tokenhub.requests() == []


def test_a_body_that_is_no_json(proxy: Proxy, tokenhub: Simulator) -> None:
    for body in (b"", b"[]", b"{", b"\xff"):
        given = (body, {**signed()[1], "authorization": "SKIP"})
        assert code(post(proxy, given)) == "InvalidParameter"
    assert tokenhub.requests() == []


def test_a_charset_behind_the_content_type(proxy: Proxy, tokenhub: Simulator) -> None:
    given = changed(signed(), content_type="application/json; charset=utf-8", authorization="SKIP")
    assert post(proxy, given).json()["Response"]["Choices"][0]["Message"]["Content"] == "hello"


@pytest.mark.parametrize("mode", ["off", "observe"])
def test_what_may_not_be_translated_is_refused(proxy: Proxy, tokenhub: Simulator, mode: str) -> None:
    assert code(post(proxy, changed(signed(), x_hunyuan_mode=mode))) == "UnsupportedOperation"
    assert tokenhub.requests() == []


def test_an_error_in_the_middle_of_a_stream(proxy: Proxy, tokenhub: Simulator) -> None:
    for fault in ("error_event_mid", "cut:2", "no_finish"):
        tokenhub.program({"fault": fault, "times": 9})
        answer = post(proxy, signed({**ASKED, "Stream": True}))
        assert answer.headers["content-type"] == "text/event-stream"
        *said, last = events([answer.content])
        assert last["ErrorMsg"]["Code"] == 4000
        assert {event["Choices"][0]["FinishReason"] for event in [*said, last]} == {""}
        tokenhub.reset()


def test_errors_in_chinese(proxy: Proxy, tokenhub: Simulator) -> None:
    answer = post(proxy, changed(signed(), x_tc_action="ChatTranslations", x_tc_language="zh-CN"))
    assert "只" in answer.json()["Response"]["Error"]["Message"]


@pytest.fixture(scope="module")
def native(certificates: Certificates, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Simulator, Proxy]]:
    """An endpoint that speaks the API itself and knows more clients than the proxy, where it stands in its place."""
    secrets = tmp_path_factory.mktemp("secrets") / "secrets.toml"
    secrets.write_text(SECRETS)
    secrets.chmod(0o600)
    known = ("--secret", "AKIDALICE|alices-secret-key", "--secret", "AKIDCAROL|carols-secret-key")
    options = ("--set", f"hunyuan_tencent_secrets_file={secrets}")
    with (
        run_simulator(certificates, "--native", *known, hosts=[NATIVE], profile="hunyuan") as endpoint,
        run_proxy(certificates, {f"{NATIVE}:443": endpoint.port}, *options) as running,
    ):
        yield endpoint, running


TWO_USERS = {"Model": "hunyuan-lite", "Messages": [*ASKED["Messages"], *ASKED["Messages"]]}
"""What the endpoint refuses: it wants turns that alternate."""


def test_a_known_client_is_repaired_and_signed_anew(native: tuple[Simulator, Proxy]) -> None:
    endpoint, running = native
    endpoint.reset()
    answer = post(running, signed(TWO_USERS)).json()["Response"]
    assert answer["Choices"][0]["Message"]["Content"] == "hello"
    (sent,) = endpoint.requests()
    assert len(sent["body"]["Messages"]) == 1
    assert "client=alice" in running.process.output
    assert code(post(running, signed(TWO_USERS, secret_key="another"))) == "AuthFailure.SignatureFailure"
    assert len(endpoint.requests()) == 1


def test_an_unknown_client_passes_untouched_and_is_announced_once(native: tuple[Simulator, Proxy]) -> None:
    endpoint, running = native
    endpoint.reset()
    carol = ("AKIDCAROL", "carols-secret-key")
    for _ in range(2):
        answer = post(running, signed(ASKED, *carol)).json()["Response"]
        assert answer["Choices"][0]["Message"]["Content"] == "hello"
    refused = post(running, signed(TWO_USERS, *carol)).json()["Response"]
    assert refused["Error"]["Code"] == "InvalidParameter"
    assert running.process.output.count("is signed with a SecretId that this proxy doesn't know") == 1


@pytest.fixture(scope="module")
def by_token(certificates: Certificates, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Simulator, Proxy]]:
    """The same, for clients with tokens, too."""
    folder = tmp_path_factory.mktemp("secrets")
    secrets, tokens = folder / "secrets.toml", folder / "clients.toml"
    for file, text in (
        (secrets, SECRETS),
        (tokens, f'[clients.dora]\nhash = "sha256:{digest_of(TOKEN).hex()}"\n'),
    ):
        file.touch(0o600)
        file.write_text(text)
    given = {"hunyuan_tencent_secrets_file": secrets, "hunyuan_client_tokens_file": tokens}
    options = [word for name, value in given.items() for word in ("--set", f"{name}={value}")]
    with (
        run_simulator(
            certificates, "--native", "--secret", "AKIDALICE|alices-secret-key", hosts=[NATIVE], profile="hunyuan"
        ) as endpoint,
        run_proxy(certificates, {f"{NATIVE}:443": endpoint.port}, *options) as running,
    ):
        yield endpoint, running


def test_a_client_with_a_token_signs_for_its_endpoint(by_token: tuple[Simulator, Proxy]) -> None:
    endpoint, running = by_token
    answer = post(running, changed(signed(TWO_USERS), x_api_key=TOKEN)).json()["Response"]
    assert answer["Choices"][0]["Message"]["Content"] == "hello"
    assert "client=dora" in running.process.output
    assert TOKEN not in json.dumps(endpoint.requests())
    wrong = post(running, changed(signed(TWO_USERS, secret_key="another"), x_api_key=TOKEN))
    assert code(wrong) == "AuthFailure.SignatureFailure"


@pytest.mark.parametrize("mode", ["off", "observe"])
def test_a_native_endpoint_gets_what_its_client_signed(native: tuple[Simulator, Proxy], mode: str) -> None:
    endpoint, running = native
    endpoint.reset()
    answer = post(running, changed(signed(), x_hunyuan_mode=mode)).json()["Response"]
    assert answer["Choices"][0]["Message"]["Content"] == "hello"
    refused = post(running, changed(signed(TWO_USERS), x_hunyuan_mode=mode)).json()["Response"]
    assert refused["Error"]["Code"] == "InvalidParameter"
    assert len(endpoint.requests()) == 2


def test_a_native_endpoint_says_itself_which_actions_it_has(native: tuple[Simulator, Proxy]) -> None:
    endpoint, running = native
    endpoint.reset()
    refused = post(running, changed(signed(), x_tc_action="ChatTranslations")).json()["Response"]
    assert refused["Error"]["Code"] == "InvalidAction"
    assert len(endpoint.requests()) == 1


@pytest.fixture(scope="module")
def strict(
    certificates: Certificates, running_tokenhub: Simulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Proxy]:
    """A proxy for clients that it knows: two requests a minute each."""
    secrets = tmp_path_factory.mktemp("secrets") / "secrets.toml"
    secrets.write_text(SECRETS)
    secrets.chmod(0o600)
    given = {
        "hunyuan_upstream": "successor",
        "hunyuan_tencent_secrets_file": str(secrets),
        "hunyuan_trust_loopback": "false",
        "hunyuan_requests_per_minute": "2",
    }
    options = [word for name, value in given.items() for word in ("--set", f"{name}={value}")]
    redirects = {f"{TOKENHUB}:443": running_tokenhub.port}
    with run_proxy(certificates, redirects, *options, environment={"HUNYUAN_API_KEY": KEY}) as running:
        yield running


def test_where_no_address_says_who_a_client_is_its_signature_does(strict: Proxy, tokenhub: Simulator) -> None:
    assert code(post(strict, signed(secret_id="AKIDNOBODY"))) == "AuthFailure.SecretIdNotFound"
    assert code(post(strict, (signed()[0], {**signed()[1], "authorization": "SKIP"}))) == "AuthFailure.SecretIdNotFound"
    for _ in range(3):  # a wrong signature counts against nobody's limit
        assert code(post(strict, signed(secret_key="another"))) == "AuthFailure.SignatureFailure"
    assert tokenhub.requests() == []

    assert "Choices" in post(strict, signed()).json()["Response"]
    assert post(strict, signed()).headers["x-ratelimit-remaining-requests"] == "0"
    limited = post(strict, signed())
    assert code(limited) == "RequestLimitExceeded"
    assert int(limited.headers["retry-after"]) > 0
    assert len(tokenhub.requests()) == 2


def test_nothing_that_a_client_authenticates_with_is_kept(proxy: Proxy, flows: Path) -> None:
    kept = flows.read_bytes()
    assert kept.count(b"ChatCompletions") > 5, "the flows of the tests before"
    for secret in (b"SignedHeaders", b"an-sts-token", b"alices-secret-key"):
        assert secret not in kept
    assert "SignedHeaders" not in proxy.process.output
    assert len(kept_flows.read(flows)) > 5
