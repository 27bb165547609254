"""Clients that sign: claims held against what the vendor's SDK signs, and the file of their keys."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from mitmproxy import http
from tencentcloud.common.abstract_client import AbstractClient
from tencentcloud.common.credential import Credential
from tencentcloud.common.http.request import RequestInternal
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile

from hunyuan_fix.access import signed_clients
from hunyuan_fix.access.secret_files import SecretFile
from hunyuan_fix.access.signed_clients import Claim, SignedClients, SignedSettings, read_claim
from hunyuan_fix.config.option import OptionError
from hunyuan_fix.upstream import tc3
from hunyuan_fix.wire.openai_error import ProxyError

SCHEME, MADE = "TC3-HMAC-SHA256 ", ", Signature=" + "0" * 64
FILE = """
[secrets.AKIDALICE]
secret_key = "alices-key"
client = "alice"

[secrets.AKIDBOB]
secret_key = "bobs-key"
client = "bob"
disabled = true
"""


@pytest.fixture
def secrets(tmp_path: Path) -> SignedClients:
    path = tmp_path / "secrets.toml"
    path.write_text(FILE)
    path.chmod(0o600)
    return SignedClients(SecretFile(path, signed_clients.parse))


def signed(
    body: Mapping[str, Any],
    secret_id: str = "AKIDALICE",
    secret_key: str = "alices-key",
    endpoint: str = "hunyuan.tencentcloudapi.com",
    *,
    unsigned_payload: bool = False,
) -> http.Request:
    """What the SDK sends."""
    profile = ClientProfile(httpProfile=HttpProfile(endpoint=endpoint))
    profile.unsignedPayload = unsigned_payload
    client = AbstractClient(Credential(secret_id, secret_key), "ap-guangzhou", profile)
    client._service, client._apiVersion = "hunyuan", "2023-09-01"
    request = RequestInternal(endpoint, "POST", "/")
    client._build_req_with_tc3_signature("ChatCompletions", body, request)
    return http.Request.make("POST", f"https://{endpoint}/", request.data, request.header)


def claim_of(request: http.Request, secrets: SignedClients, now: float | None = None) -> Claim:
    found = read_claim(request, request.headers["host"], secrets, time.time() if now is None else now)
    assert isinstance(found, Claim)
    return found


def refusal(request: http.Request, secrets: SignedClients, now: float | None = None) -> str | None:
    found = read_claim(request, request.headers["host"], secrets, time.time() if now is None else now)
    error = found if isinstance(found, ProxyError) else found.wrong(request.content or b"") if found else None
    return error.code if error else None


def test_the_sdks_signature_names_the_client(secrets: SignedClients) -> None:
    rng = random.Random(7)
    for endpoint in ("hunyuan.tencentcloudapi.com", "127.0.0.1:8081"):
        for unsigned_payload in (False, True):
            text = "".join(chr(rng.choice([60, 62, 38, 0x4E2D, 0x2028, 34])) for _ in range(40))
            request = signed({"Model": text}, endpoint=endpoint, unsigned_payload=unsigned_payload)
            claim = claim_of(request, secrets)
            assert claim.client == "alice"
            assert claim.wrong(request.content or b"") is None


def test_node_signs_the_host_without_its_port_and_names_the_service_by_it(secrets: SignedClients) -> None:
    now = int(time.time())
    date, body = tc3.date_of(now), b"{}"
    headers = (("content-type", "application/json"), ("host", "127.0.0.1"))
    canonical = tc3.canonical_request("POST", "/", "", headers, tc3.payload_hash(body))
    made = tc3.signature("alices-key", date, "127", tc3.string_to_sign(now, date, "127", canonical))
    scope = f"{date}/127/tc3_request"
    authorization = f"{SCHEME}Credential=AKIDALICE/{scope}, SignedHeaders=content-type;host, Signature={made}"
    given = {"host": "127.0.0.1:8081", "content-type": "application/json", "x-tc-timestamp": str(now)}
    request = http.Request.make("POST", "http://127.0.0.1:8081/", body)
    request.headers.update({**given, "authorization": authorization})
    assert refusal(request, secrets) is None
    assert claim_of(request, secrets).client == "alice"


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "application/json; charset=utf-8", "host": "hunyuan.tencentcloudapi.com"},
        {"content-type": "application/json", "host": "Hunyuan.TencentCloudAPI.com"},
        {"content-type": "application/json", "host": "hunyuan.tencentcloudapi.com", "x-tc-action": "ChatCompletions"},
    ],
)
@pytest.mark.parametrize("lowers", [False, True])
def test_other_signers_sign_other_headers(secrets: SignedClients, headers: dict[str, str], lowers: bool) -> None:
    """Java's SDK names a charset; gateways sign the action, too, in lower case, as the vendor's document has it."""
    now, body = int(time.time()), b'{"Model": "a"}'
    date = tc3.date_of(now)
    signed_as = [(name, value.lower() if lowers else value) for name, value in headers.items()]
    canonical = tc3.canonical_request("POST", "/", "", signed_as, tc3.payload_hash(body))
    made = tc3.signature("alices-key", date, "hunyuan", tc3.string_to_sign(now, date, "hunyuan", canonical))
    request = http.Request.make("POST", "https://hunyuan.tencentcloudapi.com/", body)
    request.headers.update({"x-tc-timestamp": str(now), **headers})
    scope, names = f"{date}/hunyuan/tc3_request", ";".join(headers)
    request.headers["authorization"] = f"{SCHEME}Credential=AKIDALICE/{scope}, SignedHeaders={names}, Signature={made}"
    assert refusal(request, secrets) is None
    request.headers["content-type"] = "text/plain"
    assert refusal(request, secrets) == "signature_wrong"


def test_what_was_changed_is_noticed(secrets: SignedClients) -> None:
    request = signed({"Model": "a"})
    request.content = json.dumps({"Model": "b"}).encode()
    assert refusal(request, secrets) == "signature_wrong"
    assert refusal(signed({}, secret_key="another"), secrets) == "signature_wrong"
    for name, value in (("content-type", "text/plain"), ("x-tc-timestamp", str(int(time.time()) - 60))):
        other = signed({"Model": "a"})
        other.headers[name] = value
        assert refusal(other, secrets) == "signature_wrong"
    odd = signed({"Model": "a"})
    odd.headers["content-type"] = "application/json; \udcff"
    assert refusal(odd, secrets) == "signature_wrong"


def test_a_disabled_client_and_an_unknown_one(secrets: SignedClients) -> None:
    bob = signed({}, "AKIDBOB", "bobs-key")
    assert claim_of(bob, secrets).client is None
    assert refusal(bob, secrets) == "secret_id_unknown"
    stranger = signed({}, "AKIDNOBODY", "x")
    assert claim_of(stranger, secrets).client is None
    assert refusal(stranger, secrets) is None, "nobody can check it"
    assert refusal(stranger, SignedClients()) is None


@pytest.mark.parametrize(
    ("seconds", "code"), [(0, None), (299, None), (-299, None), (302, "signature_expired"), (-302, "signature_expired")]
)
def test_clocks_may_differ_by_five_minutes(secrets: SignedClients, seconds: int, code: str | None) -> None:
    request = signed({})
    assert refusal(request, secrets, int(request.headers["x-tc-timestamp"]) + seconds) == code


@pytest.mark.parametrize("timestamp", [None, "", "soon", "-1", "1e9", "9" * 400, "１７"])
def test_a_time_that_is_none(secrets: SignedClients, timestamp: str | None) -> None:
    request = signed({})
    if timestamp is None:
        del request.headers["x-tc-timestamp"]
    else:
        request.headers["x-tc-timestamp"] = timestamp
    assert refusal(request, secrets) in ("native_header_missing", "signature_expired")


@pytest.mark.parametrize(
    "authorization",
    [
        "TC3-HMAC-SHA256",
        "TC3-HMAC-SHA256 nothing",
        SCHEME + "Credential=AKIDALICE/2001-01-01/hunyuan/tc3_request, SignedHeaders=content-type;host" + MADE,
        SCHEME + "Credential=AKIDALICE/{date}/hunyuan/tc3_request, SignedHeaders=content-type" + MADE,
        SCHEME + "Credential=AKIDALICE/{date}/hunyuan/tc3_request, SignedHeaders=content-type;host, Signature=0",
    ],
)
def test_a_signature_that_nobody_can_read(secrets: SignedClients, authorization: str) -> None:
    request = signed({})
    request.headers["authorization"] = authorization.format(date=tc3.date_of(int(time.time())))
    assert refusal(request, secrets) == "signature_unreadable"


def test_what_is_not_signed_claims_nothing(secrets: SignedClients) -> None:
    for authorization in ("SKIP", "Bearer sk-test", ""):
        request = signed({})
        request.headers["authorization"] = authorization
        assert read_claim(request, "h", secrets, time.time()) is None


def test_the_signature_is_taken_off_and_a_key_stays() -> None:
    request = signed({})
    request.headers["x-tc-token"] = "sts"
    assert signed_clients.drop_signature(request.headers)
    assert "authorization" not in request.headers
    assert "x-tc-token" not in request.headers
    request.headers["authorization"] = "Bearer sk-test"
    assert not signed_clients.drop_signature(request.headers)
    assert request.headers["authorization"] == "Bearer sk-test"


def test_a_claim_shows_no_secret(secrets: SignedClients) -> None:
    shown = repr(claim_of(signed({}), secrets)) + repr(secrets.of("AKIDALICE"))
    assert "alices-key" not in shown
    assert "Signature" not in shown


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("secrets", "not valid TOML"),
        ("[clients.alice]\nhash = 'x'", "accepted are tables"),
        ("[secrets]\nAKID = 'key'", "secrets.AKID: accepted are tables"),
        ("[secrets.A]\nsecret_key = 'top-secret'\nclient = 'a'\nhash = 1", "there is no field hash"),
        ("[secrets.A]\nclient = 'a'", "secret_key: needed is"),
        ("[secrets.A]\nsecret_key = 'top secret'\nclient = 'a'", "secret_key: needed is"),
        ("[secrets.A]\nsecret_key = 'top-secret'", "client: accepted as a name"),
        ("[secrets.A]\nsecret_key = 'top-secret'\nclient = 'a'\ndisabled = 'no'", "disabled: accepted are"),
    ],
)
def test_a_file_that_is_wrong_is_explained_without_its_keys(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "secrets.toml"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(OptionError) as raised:
        SignedClients().configured(SignedSettings(path))
    assert said in str(raised.value)
    assert "top" not in str(raised.value)
    assert str(path) in str(raised.value)


def test_others_must_not_read_the_file(tmp_path: Path) -> None:
    path = tmp_path / "secrets.toml"
    path.write_text(FILE)
    path.chmod(0o644)
    with pytest.raises(OptionError, match="chmod 600"):
        SignedClients().configured(SignedSettings(path))
    path.chmod(0o600)
    read = SignedClients().configured(SignedSettings(path))
    assert read.configured(SignedSettings(path)) is read
    assert read.configured(SignedSettings()).of("AKIDALICE") is None
