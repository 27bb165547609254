"""TC3-HMAC-SHA256: ten requests signed by others, the vendor's own signer over random bodies, and keys of every shape.

The vectors: five of the vendor's SDK, four in the form of Go gateways, and the vendor's published example.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tencentcloud.common.credential import Credential
from tencentcloud.hunyuan.v20230901.hunyuan_client import HunyuanClient

from hunyuan_fix.upstream import tc3
from hunyuan_fix.upstream.signer import Headers, Unsigned, UnusableCredentials
from hunyuan_fix.upstream.signing import signed

VECTORS = json.loads((Path(__file__).parent / "tc3_vectors.json").read_text())["vectors"]
SIGNED_BY_SDK = [vector for vector in VECTORS if vector["name"].startswith("sdk_") and "unsigned" not in vector["name"]]
HOST = "hunyuan.tencentcloudapi.com"


def headers_of(made: Headers) -> dict[str, str]:
    pairs = [(name.decode().lower(), value.decode()) for name, value in made]
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


def sign(
    key: str,
    body: bytes = b"{}",
    *,
    url: str = f"https://{HOST}/",
    now: float = 1.7e9,
    more: dict[str, str] | None = None,
):
    others = [(name.encode(), value.encode()) for name, value in (more or {}).items()]
    given = [(b"Authorization", f"Bearer {key}".encode()), *others]
    return headers_of(signed("tc3", Unsigned("POST", url, given, body), now))


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["name"] for vector in VECTORS])
def test_each_vector(vector: dict[str, Any]):
    given, names = vector["input"], vector["signed_headers"].split(";")
    values = {"content-type": given["content_type"], "host": given["host"], "x-tc-action": given["action"].lower()}
    body = b"UNSIGNED-PAYLOAD" if given["unsigned_payload"] else given["body"].encode()
    canonical = tc3.canonical_request(
        given["method"], given["uri"], given["query"], [(name, values[name]) for name in names], tc3.payload_hash(body)
    )
    assert canonical == vector["canonical_request"]
    assert tc3.date_of(given["timestamp"]) == given["date_utc"]
    text = tc3.string_to_sign(given["timestamp"], given["date_utc"], given["service"], canonical)
    assert text == vector["string_to_sign"]
    assert tc3.signature(given["secret_key"], given["date_utc"], given["service"], text) == vector["signature"]


@pytest.mark.parametrize("vector", SIGNED_BY_SDK, ids=[vector["name"] for vector in SIGNED_BY_SDK])
def test_the_signer_sends_what_the_vendors_sdk_sends(vector: dict[str, Any]):
    given = vector["input"]
    token = f"||{given['token']}" if given["token"] else ""
    key = f"{given['secret_id']}|{given['secret_key']}{token}"
    made = sign(key, given["body"].encode(), now=given["timestamp"] + 0.9)
    theirs = {name.lower(): value for name, value in vector["sdk_headers"].items()}
    for name in ("authorization", "content-type", "x-tc-timestamp", "x-tc-token"):
        assert made.get(name) == theirs.get(name), name


PARTS = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="|"), min_size=1, max_size=40)
SDK = HunyuanClient(Credential("id", "key"), "")


@given(body=st.binary(max_size=300), secret_id=PARTS, secret_key=PARTS, now=st.integers(0, 4_000_000_000))
def test_any_body_is_signed_as_the_vendors_sdk_signs_it(body: bytes, secret_id: str, secret_key: str, now: int):
    header = {"Content-Type": "application/json", "Host": HOST, "X-TC-Timestamp": str(now)}
    request = SimpleNamespace(method="POST", uri="/", data=body, header=header)
    date = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d")
    expected = SDK._get_tc3_signature({}, request, date, "hunyuan", secret_key)
    made = sign(f"{secret_id}|{secret_key}", body, now=float(now))
    assert made["authorization"] == (
        f"TC3-HMAC-SHA256 Credential={secret_id}/{date}/hunyuan/tc3_request, SignedHeaders=content-type;host, "
        f"Signature={expected}"
    )


@pytest.mark.parametrize(
    ("key", "parts"),
    [
        ("AKID|secret", ("AKID", "secret", "")),
        ("1300000000|AKID|secret", ("AKID", "secret", "")),
        ("AKID|secret||tok/en==", ("AKID", "secret", "tok/en==")),
        ("0|AKID|secret||token", ("AKID", "secret", "token")),
        (" AKID|secret ", ("AKID", "secret", "")),
    ],
)
def test_a_key_is_read(key: str, parts: tuple[str, str, str]):
    read = tc3.credentials(key)
    assert (read.secret_id, read.secret_key, read.token) == parts
    assert tc3.credentials(read.text) == read
    assert "AKID" not in repr(read)


@pytest.mark.parametrize(
    "key",
    [
        *("sk-1234", "a|b|c|d", "1|a|b|c|d", "", "|", "||", "a|", "|b", "1|a|", "1||b", "|a|b", "a|b||", "a||token"),
        *("appid|AKID|secret", "１|AKID|secret", "-1|AKID|secret", "AK ID|secret", "AKID|sec ret", "AKID|secret||a b"),
        *("AKID|secret||a|b", "AKID|秘密", "AKID|sec\tret", "AKID|secret||token||more", " |secret", "AKID| "),
    ],
)
def test_a_key_of_another_shape_is_refused_and_not_quoted(key: str):
    with pytest.raises(UnusableCredentials) as refused:
        tc3.credentials(key)
    said = str(refused.value)
    assert not any(part in said for part in key.replace("|", " ").split() if len(part) > 3 and part != "token")


@pytest.mark.parametrize(
    ("host", "service", "region"),
    [
        ("hunyuan.tencentcloudapi.com", "hunyuan", ""),
        ("Hunyuan.AP-Guangzhou.tencentcloudapi.com", "hunyuan", "ap-guangzhou"),
        ("hunyuan.ap-shanghai-fsi.tencentcloudapi.com", "hunyuan", "ap-shanghai-fsi"),
        ("hunyuan.intl.tencentcloudapi.com", "hunyuan", ""),
        ("lkeap.na-siliconvalley.tencentcloudapi.com", "lkeap", "na-siliconvalley"),
        ("127.0.0.1", "hunyuan", ""),
        ("llm.example", "hunyuan", ""),
    ],
)
def test_service_and_region_are_those_of_the_host(host: str, service: str, region: str):
    made = sign("AKID|secret", url=f"https://{host}/")
    assert f"/{service}/tc3_request" in made["authorization"]
    assert made.get("x-tc-region", "") == region


def test_what_a_client_says_of_the_signature_does_not_leave():
    given = {"Content-Type": "application/json; charset=utf-8", "X-TC-Token": "old", "X-TC-Timestamp": "1"}
    given |= {"X-TC-Content-SHA256": "UNSIGNED-PAYLOAD", "X-TC-Action": "ChatCompletions"}
    made = sign("AKID|secret", more=given)
    assert made["content-type"] == "application/json"
    assert made["x-tc-timestamp"] == "1700000000"
    assert made["x-tc-action"] == "ChatCompletions"
    assert made.keys() & {"x-tc-token", "x-tc-content-sha256"} == set()
    assert "secret" not in str(made)


def test_the_host_header_that_is_sent_is_the_one_that_is_signed():
    ported = sign("AKID|secret", url="http://127.0.0.1:8080/")
    assert (
        sign("AKID|secret", url="http://127.0.0.1:9/", more={"Host": "127.0.0.1:8080"})["authorization"]
        == (ported["authorization"])
    )
    assert sign("AKID|secret", url="http://127.0.0.1:9/")["authorization"] != ported["authorization"]


@pytest.mark.parametrize("timestamp", [10**18, -(10**18), 2**63])
def test_a_time_outside_the_calendar_is_an_error_of_one_of_two_kinds(timestamp: int):
    with pytest.raises((ValueError, OverflowError)):
        tc3.date_of(timestamp)
