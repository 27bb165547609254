from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mitmproxy.addons import proxyauth
from mitmproxy.addons.proxyauth import make_auth_required_response
from mitmproxy.connection import Client
from mitmproxy.http import Headers, Request

from hunyuan_fix import options
from hunyuan_fix.access import callers
from hunyuan_fix.access.callers import Caller, UnauthenticatedClients
from hunyuan_fix.access.client_tokens import ClientTokens, digest_of
from hunyuan_fix.access.token_search import MARK
from hunyuan_fix.exchange import Response

ALICE, BOB, DISABLED, NOBODY = (f"hf-{letter * 43}" for letter in "abdn")
ELSEWHERE = "192.168.1.7"


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> ClientTokens:
    path: Path = tmp_path_factory.mktemp("tokens") / "clients.toml"
    clients = {"alice": (ALICE, "false"), "bob": (BOB, "false"), "gone": (DISABLED, "true")}
    path.write_text(
        "".join(
            f'[clients.{name}]\nhash = "sha256:{digest_of(token).hex()}"\ndisabled = {disabled}\n'
            for name, (token, disabled) in clients.items()
        )
    )
    path.chmod(0o600)
    return ClientTokens().configured(replace(options.parse({}), client_tokens_file=path))


def headers(*fields: tuple[str, str]) -> Headers:
    return Headers([(name.encode(), value.encode()) for name, value in fields])


def asked(*fields: tuple[str, str], path: str = "/v1/chat/completions") -> Request:
    request = Request.make("POST", "http://h/", b"", {})
    request.headers, request.path = headers(*fields), path
    return request


def recognised(request: Request, tokens: ClientTokens, *, signed_in: bool = False) -> Caller | Response:
    return callers.recognised(request, on_this_machine=False, signed_in=signed_in, tokens=tokens)


def assert_unauthorised(answer: object) -> None:
    """As OpenAI's clients understand it, and once is enough."""
    assert isinstance(answer, Response)
    error = json.loads(answer.body)["error"]
    assert (answer.status, error["type"], error["code"]) == (401, "invalid_request_error", "invalid_api_key")
    assert answer.headers["x-should-retry"] == "false"
    assert "hf-" not in answer.body.decode()


def test_a_valid_token_says_who_it_is_and_goes_no_further(tokens: ClientTokens):
    for name, value in (("authorization", f"Bearer {ALICE}"), ("x-api-key", ALICE), ("api-key", ALICE)):
        request = asked((name, value), ("accept", "*/*"))
        assert recognised(request, tokens) == Caller(False, client="alice")
        assert request.headers == headers(("accept", "*/*"))


def test_a_key_of_its_own_beside_the_token_stays(tokens: ClientTokens):
    request = asked(("authorization", "Bearer sk-own"), ("x-api-key", BOB))
    assert recognised(request, tokens) == Caller(False, client="bob")
    assert request.headers == headers(("authorization", "Bearer sk-own"))


@pytest.mark.parametrize("token", [NOBODY, DISABLED])
@pytest.mark.parametrize("name", ["authorization", "x-api-key", "api-key"])
def test_an_unknown_or_disabled_token_gets_a_401(name: str, token: str, tokens: ClientTokens):
    assert_unauthorised(recognised(asked((name, token)), tokens, signed_in=True))
    assert_unauthorised(recognised(asked((name, token)), ClientTokens()))


def test_nobody_is_two_clients(tokens: ClientTokens):
    assert_unauthorised(recognised(asked(("authorization", f"Bearer {ALICE}"), ("api-key", BOB)), tokens))
    assert_unauthorised(recognised(asked(("authorization", f"Bearer {ALICE}"), ("api-key", NOBODY)), tokens))
    same = asked(("authorization", f"Bearer {ALICE}"), ("api-key", ALICE))
    assert recognised(same, tokens) == Caller(False, client="alice")
    assert not same.headers.fields


@pytest.mark.parametrize("name", ["cookie", "proxy-authorization", "x-anything"])
def test_a_valid_token_in_another_place_is_replaced_and_any_other_stays(name: str, tokens: ClientTokens):
    for token, left in ((ALICE, MARK.decode()), (DISABLED, MARK.decode()), (NOBODY, NOBODY)):
        request = asked((name, f"key={token}"), path=f"/v1/models?key={token}x")
        assert recognised(request, tokens) == Caller(False)
        assert request.headers == headers((name, f"key={left}"))
        assert request.path == f"/v1/models?key={left}x"
        request = asked(("authorization", f"Bearer {ALICE}"), (name, token), (token, "x"))
        assert recognised(request, tokens) == Caller(False, client="alice")
        assert request.headers == headers((name, left), (left, "x"))


def test_a_token_in_the_method_is_replaced(tokens: ClientTokens):
    request = asked()
    request.data.method = f"X{ALICE}".encode()
    recognised(request, tokens)
    assert request.data.method == b"X" + MARK


@pytest.mark.parametrize("name", ["authorization", "x-api-key", "api-key"])
def test_a_key_that_begins_like_a_token_and_is_none_gets_a_401(name: str, tokens: ClientTokens):
    for key in (ALICE + "x", ALICE[:-1], "hf-", "hf-mirror", f"{ALICE} {ALICE}"):
        values = [key, f"Bearer {key}", f" bearer  {key} "] if name == "authorization" else [key]
        for value in values:
            request = asked((name, value))
            assert_unauthorised(recognised(request, tokens))
            assert ALICE not in str(request.headers.fields)
    for key in ("sk-hf-1", "hf_abc", "HF-abc"):
        assert recognised(asked((name, key)), tokens) == Caller(False)


@pytest.mark.parametrize("spelt", ["Basic {basic}", "Bearer x{token}", "Bearer {percent}", "{token},"])
def test_a_token_in_another_spelling_is_no_key(spelt: str, tokens: ClientTokens):
    basic = base64.b64encode(f"user:{ALICE}".encode()).decode()
    value = spelt.format(basic=basic, token=ALICE, percent=ALICE.replace("-", "%2D"))
    request = asked(("authorization", value))
    assert_unauthorised(recognised(request, tokens))
    assert value not in str(request.headers.fields)


def test_who_has_no_token_is_nobody_in_particular(tokens: ClientTokens):
    request = asked(("authorization", "Bearer sk-own"))
    assert recognised(request, tokens) == Caller(False)
    assert recognised(request, tokens, signed_in=True) == Caller(False, signed_in=True)
    assert request.headers == headers(("authorization", "Bearer sk-own"))


@given(st.text("hfHF-_ aB,", max_size=60), st.sampled_from([ALICE, BOB, DISABLED]), st.text(max_size=3))
def test_whoever_it_is_no_token_is_left(tokens: ClientTokens, before: str, token: str, after: str):
    request = asked(("authorization", f"{before} {token} {after}"), path=f"/{token}")
    recognised(request, tokens)
    assert token not in request.path + str(request.headers)


def test_who_may_use_the_lent_key():
    assert Caller(True).trusted
    assert Caller(False, signed_in=True).trusted
    assert Caller(False, client="alice").trusted
    assert not Caller(False).trusted


@pytest.mark.parametrize(
    ("address", "trust", "here"),
    [
        ("127.0.0.1", True, True),
        ("::1", True, True),
        ("::ffff:127.0.0.1", True, True),
        (ELSEWHERE, True, False),
        ("127.0.0.1", False, False),
        ("::1", False, False),
        (ELSEWHERE, False, False),
    ],
)
def test_an_address_says_who_a_client_is_only_where_it_is_trusted(address: str, trust: bool, here: bool):
    settings = callers.TrustSettings(trust_loopback=trust)
    assert callers.is_on_this_machine(address, settings) is here


STRANGER, MEMBER, SIGNED_IN = Caller(False), Caller(False, client="alice"), Caller(False, signed_in=True)


def status(caller: Caller, *, known_host: bool, requires_token: bool) -> int | None:
    refusal = callers.refused(caller, known_host=known_host, requires_token=requires_token)
    return refusal.status if refusal else None


@pytest.mark.parametrize(
    ("caller", "known_host", "requires_token", "expected"),
    [
        (STRANGER, True, True, 401),
        (STRANGER, False, True, 403),
        (STRANGER, True, False, None),
        (STRANGER, False, False, None),
        (MEMBER, True, True, None),
        (MEMBER, False, True, 401),
        (MEMBER, False, False, 401),
        (SIGNED_IN, True, True, None),
        (SIGNED_IN, False, True, None),
    ],
)
def test_what_a_client_may_ask_for(caller: Caller, known_host: bool, requires_token: bool, expected: int | None):
    assert status(caller, known_host=known_host, requires_token=requires_token) == expected


@pytest.mark.parametrize(
    ("signed_in", "known_host", "requires_token", "expected"),
    [(False, False, True, 403), (False, True, True, None), (True, False, True, None), (False, False, False, None)],
)
def test_through_where_a_client_may_tunnel(
    signed_in: bool, known_host: bool, requires_token: bool, expected: int | None
):
    refusal = callers.tunnel_refused(signed_in=signed_in, known_host=known_host, requires_token=requires_token)
    assert (refusal.status if refusal else None) == expected


def test_refusals_are_openais_and_not_to_be_repeated():
    assert_unauthorised(callers.refused(STRANGER, known_host=True, requires_token=True))
    assert_unauthorised(callers.no_key("it has none"))
    forbidden = callers.refused(STRANGER, known_host=False, requires_token=True)
    assert forbidden is not None
    assert json.loads(forbidden.body)["error"]["code"] == "host_not_allowed"
    assert forbidden.headers["x-should-retry"] == "false"


def test_a_token_overrules_what_proxyauth_says_on_a_reverse_port_and_nothing_else():
    def overrules(who: Caller | Response, *, is_proxy: bool = False, realm: str | None = None) -> bool:
        response = make_auth_required_response(is_proxy)
        return callers.overrules(who, response.status_code, realm or response.headers.get("www-authenticate", ""))

    wrong = callers.no_key("it is another's")
    assert overrules(MEMBER)
    assert overrules(wrong)  # a 401 all the same, that its client understands
    assert not overrules(STRANGER)
    assert not overrules(SIGNED_IN)
    for who in (MEMBER, wrong):
        assert not overrules(who, is_proxy=True)
        assert not overrules(who, realm='Basic realm="another"')
        assert not callers.overrules(who, 200, make_auth_required_response(False).headers["www-authenticate"])


def connection() -> Client:
    return Client(peername=(ELSEWHERE, 1), sockname=("0.0.0.0", 8080))


def test_clients_are_unauthenticated_until_they_are_removed():
    unknown, first, second = UnauthenticatedClients(), connection(), connection()
    unknown.add(first)
    unknown.add(second)
    unknown.remove(first)
    assert first not in unknown
    assert second in unknown


def test_a_connection_that_was_never_added_is_not_among_them():
    assert connection() not in UnauthenticatedClients()


def test_proxyauth_still_calls_itself_so() -> None:
    """Else its 401 would not be recognised, and no client token would work on a reverse port with a password."""
    assert proxyauth.REALM == callers.PROXYAUTH_REALM
