from __future__ import annotations

import gzip
import hmac
import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mitmproxy.http import Headers, Request

from hunyuan_fix import options
from hunyuan_fix.access import client_tokens
from hunyuan_fix.access.client_tokens import CARRIERS, Client, ClientTokens, Quota, digest_of, parse
from hunyuan_fix.access.token_search import MARK, TokenSearch
from hunyuan_fix.config.option import OptionError
from hunyuan_fix.workers import Workers

ALICE, BOB, NOBODY = (f"hf-{letter * 43}" for letter in "abn")
URL_SAFE = st.text("ABCXYZabcxyz0189_-", min_size=43, max_size=43)
TOKENS = URL_SAFE.map("hf-{}".format)


def hashed(token: str) -> str:
    return f'hash = "sha256:{digest_of(token).hex()}"'


SEARCH = TokenSearch(frozenset([digest_of(ALICE)]))


def table(name: str, token: str, *lines: str) -> str:
    return "\n".join([f"[clients.{name}]", hashed(token), *lines, ""])


def write(path: Path, text: str, mode: int = 0o600) -> Path:
    new = path.with_name("new")
    new.write_text(text, "utf-8")
    new.chmod(mode)
    new.replace(path)
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    text = table("alice", ALICE) + table("bob", BOB, "requests_per_minute = 5", "tokens_per_minute = 0")
    return write(tmp_path / "clients.toml", text)


def opened(path: Path | None, before: ClientTokens | None = None) -> ClientTokens:
    settings = replace(options.parse({}), client_tokens_file=path)
    return (before or ClientTokens()).configured(settings)


# The file


def test_a_token_leads_to_its_owner(path: Path):
    tokens = opened(path)
    alice, bob = tokens.owner(ALICE), tokens.owner(BOB)
    assert (alice and alice.name, bob and bob.name) == ("alice", "bob")
    assert tokens.owner(NOBODY) is None
    assert tokens.owner("") is None


def test_without_a_file_nobody_has_one():
    assert opened(None).owner(ALICE) is None
    assert opened(None).path is None


def test_a_disabled_client_has_none(path: Path):
    write(path, table("alice", ALICE, "disabled = true") + table("bob", BOB, "disabled = false"))
    tokens = opened(path)
    assert tokens.owner(ALICE) is None
    assert tokens.owner(BOB) is not None


def test_every_entry_is_compared_in_constant_time(path: Path, monkeypatch: pytest.MonkeyPatch):
    compared = []
    really = hmac.compare_digest

    def compare(one: bytes, other: bytes) -> bool:
        compared.append(one)
        return really(one, other)

    write(path, "".join(table(f"client-{at}", client_tokens.new_token()) for at in range(4)) + table("last", ALICE))
    tokens = opened(path)
    monkeypatch.setattr(hmac, "compare_digest", compare)
    for token in (ALICE, NOBODY):
        compared.clear()
        tokens.owner(token)
        assert len(compared) == 5


def test_limits_are_the_entrys_own_or_the_options(path: Path):
    settings = options.parse({"hunyuan_requests_per_minute": "60", "hunyuan_tokens_per_minute": "1000"})
    tokens = opened(path)
    assert tokens.quota("alice", settings) == Quota(60, 1000)
    assert tokens.quota("bob", settings) == Quota(5, 0)
    assert tokens.quota("gone", settings) == Quota(60, 1000)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[clients.alice\n", r"not valid TOML \(at line 1"),
        ("[client.alice]\n", r"^client: accepted are tables such as \[clients.alice\]"),
        ("clients = 1\n", r"^clients: accepted are tables"),
        ("[clients]\nalice = 1\n", r"^client alice: accepted is a table such as \[clients.alice\]"),
        ('[clients."a/b"]\n', "^client a/b: accepted as a name"),
        (f'[clients."{"x" * 65}"]\n', "accepted as a name"),
        ("[clients.alice]\n", "^client alice: hash: needed"),
        ("x = " + "[" * 100_000, "nested too deep"),
        ("x = " + "9" * 10_000, "a number without end"),
        (f"'{ALICE}' = 1\n", "^…: accepted are tables"),
        (f"[clients.{ALICE}]\n", "^client …: accepted as a name"),
        (f"a = {{ '{ALICE}' = 1, '{ALICE}' = 2 }}\n", r"^not valid TOML \(at line 1"),
        (table("alice", ALICE, f"'{ALICE}' = 1"), "^client alice: there is no field …"),
        (f'[clients.alice]\nhash = "{ALICE}"\n', "^client alice: hash: needed"),
        ('[clients.alice]\nhash = "sha256:abc"\n', "^client alice: hash: needed"),
        ("[clients.alice]\nhash = 1\n", "^client alice: hash: needed"),
        (
            table("alice", ALICE, "requests_per_minut = 1"),
            "no field requests_per_minut; did you mean requests_per_minute",
        ),
        (table("alice", ALICE, "note = 1"), "no field note$"),
        (table("alice", ALICE, "requests_per_minute = -1"), "^client alice: requests_per_minute: .*from 0 up"),
        (table("alice", ALICE, "tokens_per_minute = true"), "^client alice: tokens_per_minute: .*from 0 up"),
        (table("alice", ALICE, "tokens_per_minute = 1.5"), "tokens_per_minute: .*from 0 up"),
        (table("alice", ALICE, 'disabled = "no"'), "^client alice: disabled: accepted are true and false"),
        (table("alice", ALICE) + table("bob", ALICE), "^client bob: hash: the same as that of client alice"),
    ],
)
def test_what_is_wrong_is_said_by_client_and_field_and_no_secret(path: Path, text: str, said: str):
    with pytest.raises(ValueError, match=said) as wrong:
        parse(text)
    assert ALICE not in str(wrong.value)
    write(path, text)
    with pytest.raises(OptionError, match=f"^hunyuan_client_tokens_file: {path}: "):
        opened(path)


TOML_VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers())


@given(st.dictionaries(st.sampled_from(["hash", "requests_per_minute", "disabled", "x"]), TOML_VALUES))
def test_an_entry_is_right_or_a_value_error(entry: dict[str, Any]):
    try:
        client_tokens._client("alice", {"hash": f"sha256:{'0' * 64}", **entry})
    except ValueError as error:
        assert str(error).startswith("client alice: ")


def test_a_file_for_others_to_read_is_refused(path: Path):
    path.chmod(0o640)
    with pytest.raises(OptionError, match=r"hunyuan_client_tokens_file: .*chmod 600"):
        opened(path)


async def test_a_change_is_taken_over_and_a_wrong_one_is_not(path: Path, caplog: pytest.LogCaptureFixture):
    tokens = opened(path)
    write(path, table("nobody", NOBODY))
    await tokens.refresh()
    await tokens.refresh()  # a change is taken over at the second look
    assert tokens.owner(ALICE) is None
    assert tokens.owner(NOBODY) is not None
    write(path, f'[clients.alice]\nhash = "{ALICE}"\n')
    for _ in range(3):
        await tokens.refresh()
    assert tokens.owner(NOBODY) is not None
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert "client alice: hash" in caplog.text
    assert ALICE not in caplog.text
    await ClientTokens().refresh()


async def test_other_options_change_without_the_file_being_read_again(path: Path):
    tokens = opened(path)
    write(path, "wrong")
    assert opened(path, tokens) is tokens
    assert tokens.owner(ALICE) is not None
    assert opened(None, tokens).owner(ALICE) is None


def test_nothing_shows_of_it(path: Path):
    tokens = opened(path)
    digest = digest_of(ALICE)
    client = tokens.owner(ALICE)
    assert client == Client("alice", digest)
    for shown in (repr(client), repr(tokens)):
        assert digest.hex() not in shown
        assert repr(digest) not in shown


# Tokens in requests


def test_a_new_token_has_the_form_of_one():
    made = {client_tokens.new_token() for _ in range(200)}
    assert len(made) == 200
    assert all(map(client_tokens.is_token, made))


def headers(*fields: tuple[str, str]) -> Headers:
    return Headers([(name.encode(), value.encode()) for name, value in fields])


def request_of(fields: Headers, path: str = "/v1/models") -> Request:
    request = Request.make("POST", "http://h/", b"", {})
    request.headers, request.path = fields, path
    return request


SCHEMES = st.sampled_from(["Bearer ", "bearer ", "BEARER\t", " Bearer   ", ""])


@given(TOKENS, SCHEMES, st.sampled_from(["", " "]))
def test_a_token_is_taken_from_authorization(token: str, scheme: str, after: str):
    request = headers(("authorization", scheme + token + after), ("accept", "*/*"))
    assert client_tokens.take(request) == {token}
    assert request == headers(("accept", "*/*"))


@given(TOKENS, st.sampled_from(["x-api-key", "X-API-Key", "api-key", "Api-Key"]))
def test_a_token_is_taken_from_the_other_headers_for_keys(token: str, name: str):
    request = headers((name, token), ("authorization", "Bearer sk-own"))
    assert client_tokens.take(request) == {token}
    assert request == headers(("authorization", "Bearer sk-own"))


@given(URL_SAFE)
def test_what_is_no_token_stays(text: str):
    for value in (f"sk-{text}", f"hf_{text}", f"HF-{text}", text):
        request = headers(*((name, value) for name in CARRIERS), ("authorization", f"Bearer {value}"))
        before = request.copy()
        assert client_tokens.take(request) == set()
        assert request == before


def test_two_tokens_are_both_taken():
    request = headers(("authorization", f"Bearer {ALICE}"), ("authorization", f"Bearer {BOB}"), ("api-key", ALICE))
    assert client_tokens.take(request) == {ALICE, BOB}
    assert not request.fields


@given(st.lists(st.tuples(st.binary(max_size=60), st.binary(max_size=60))), st.binary(max_size=60))
def test_whatever_holds_no_token_stays(fields: list[tuple[bytes, bytes]], path: bytes):
    request = request_of(Headers(fields))
    request.data.path = path
    assert not client_tokens.scrub(request, SEARCH)
    assert (request.headers.fields, request.data.path) == (tuple(fields), path)


def test_the_search_follows_the_file(path: Path):
    tokens = opened(path)
    search = tokens.search
    assert search.redacted(ALICE.encode()) == MARK
    assert tokens.search is search
    assert not ClientTokens().search


# Bodies


@pytest.mark.parametrize("coding", ["", "gzip"])
async def test_a_token_in_a_body_is_replaced(coding: str):
    body = json.dumps({"content": f"key {ALICE}, from hf-mirror"}).encode()
    request = Request.make("POST", "http://h/", b"", Headers(content_encoding=coding) if coding else Headers())
    request.raw_content = gzip.compress(body) if coding else body
    await client_tokens.scrub_body(request, SEARCH, 10**6, Workers())
    assert request.raw_content == body.replace(ALICE.encode(), MARK)
    assert "content-encoding" not in request.headers


@pytest.mark.parametrize(
    "data",
    [gzip.compress(b"hf-mirror"), b"\x1f\x8b damaged", gzip.compress(b"0" * 2000)],
    ids=["packed", "damaged", "many times as large"],
)
async def test_a_packed_body_without_a_token_stays(data: bytes):
    request = Request.make("POST", "http://h/", b"", Headers(content_encoding="gzip"))
    request.raw_content = data
    await client_tokens.scrub_body(request, SEARCH, 1000, Workers())
    assert request.raw_content == data
    assert request.headers["content-encoding"] == "gzip"


async def test_a_large_body_and_trailers():
    request = Request.make("POST", "http://h/", b"", {})
    request.raw_content = b"x" * 100_000 + ALICE.encode()
    request.trailers = headers(("x-key", ALICE))
    await client_tokens.scrub_body(request, SEARCH, 10**6, Workers())
    assert request.raw_content == b"x" * 100_000 + MARK
    assert request.trailers == headers(("x-key", MARK.decode()))
