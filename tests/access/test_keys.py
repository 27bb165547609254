from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mitmproxy.http import Headers

from hunyuan_fix import options
from hunyuan_fix.access import keys
from hunyuan_fix.access.callers import Caller
from hunyuan_fix.access.keys import Destination, LentKey, Withheld
from hunyuan_fix.config.option import OptionError
from hunyuan_fix.options import Settings

HOST = "api.hunyuan.cloud.tencent.com"
HERE, ELSEWHERE = Caller(True), Caller(False)
PAGE = "http://localhost:3000"
KEY = "Bearer sk-lent"


def lend(
    caller: Caller = HERE,
    *,
    key: str | None = "sk-lent",
    encrypted: bool = True,
    verified: bool = True,
    on_this_machine: bool = False,
    addressed: bool = True,
    of_the_keys_vendor: bool = True,
    origins: frozenset[str] = frozenset(),
    headers: Mapping[str, str] | None = None,
) -> str | Withheld:
    given = Headers([(name.encode(), value.encode()) for name, value in (headers or {}).items()])
    to = Destination(on_this_machine, encrypted, verified, of_the_keys_vendor)
    return keys.lend(key, given, caller, to, addressed=lambda: addressed, origins=origins)


def test_lent_to_a_client_on_this_machine_that_has_none():
    assert lend() == KEY


def test_lent_to_a_client_elsewhere_that_has_shown_who_it_is():
    assert lend(Caller(False, signed_in=True)) == KEY
    assert lend(Caller(False, client="alice")) == KEY


@pytest.mark.parametrize("caller", [HERE, Caller(False, client="alice"), Caller(True, signed_in=True)])
@pytest.mark.parametrize("on_this_machine", [False, True])
def test_never_for_another_vendors_host(caller: Caller, on_this_machine: bool):
    assert lend(caller, of_the_keys_vendor=False, on_this_machine=on_this_machine) is Withheld.VENDOR
    assert lend(caller, of_the_keys_vendor=False, headers={"x-api-key": "sk-own"}) is Withheld.OWN


def test_never_to_a_stranger():
    assert lend(ELSEWHERE) is Withheld.STRANGER


@pytest.mark.parametrize("empty", ["", "  ", "Bearer", "Bearer ", "bearer  "])
def test_an_empty_key_is_none(empty: str):
    assert lend(headers={"authorization": empty}) == KEY
    assert lend(headers={"x-api-key": empty}) == KEY


@pytest.mark.parametrize("placeholder", ["hunyuan-fix", " Hunyuan-Fix ", "Bearer hunyuan-fix"])
@pytest.mark.parametrize("name", ["authorization", "x-api-key", "api-key"])
def test_a_placeholder_is_no_key_and_gets_none_that_another_would_not_get(name: str, placeholder: str):
    assert lend(headers={name: placeholder}) == KEY
    assert lend(ELSEWHERE, headers={name: placeholder}) is Withheld.STRANGER
    assert lend(headers={name: f"{placeholder}x"}) is Withheld.OWN


@pytest.mark.parametrize("name", ["authorization", "Authorization", "x-api-key", "Api-Key"])
def test_a_key_of_its_own_is_kept(name: str):
    assert lend(headers={name: "sk-own"}) is Withheld.OWN
    assert lend(Caller(False, client="alice"), headers={name: "sk-own"}) is Withheld.OWN


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "NULL", "", f"{PAGE}.evil.example", f"{PAGE}/"])
@pytest.mark.parametrize("caller", [Caller(True), Caller(False, client="alice")])
def test_never_to_a_web_page_that_is_not_allowed(caller: Caller, origin: str):
    assert lend(caller, headers={"origin": origin}) is Withheld.ORIGIN
    assert lend(caller, headers={"origin": origin}, origins=frozenset([PAGE, "null"])) is Withheld.ORIGIN


def test_lent_to_a_web_page_that_is_allowed():
    assert lend(headers={"origin": PAGE}, origins=frozenset([PAGE])) == KEY
    assert lend(headers={"Origin": "HTTP://LocalHost:3000"}, origins=frozenset([PAGE])) == KEY
    assert lend(ELSEWHERE, headers={"origin": PAGE}, origins=frozenset([PAGE])) is Withheld.STRANGER


def test_two_origins_are_none_that_is_allowed():
    given = Headers([(b"origin", PAGE.encode()), (b"origin", PAGE.encode())])
    to = Destination(on_this_machine=False, encrypted=True, verified=True, of_the_keys_vendor=True)
    answer = keys.lend("sk", given, Caller(True), to, addressed=lambda: True, origins=frozenset([PAGE]))
    assert answer is Withheld.ORIGIN


def test_never_over_the_network_in_the_clear():
    assert lend(encrypted=False) is Withheld.IN_CLEAR
    assert lend(encrypted=False, on_this_machine=True) == KEY


def test_never_to_somebody_whom_nobody_has_verified():
    assert lend(verified=False) is Withheld.UNVERIFIED
    assert lend(Caller(False, client="alice"), verified=False) is Withheld.UNVERIFIED
    assert lend(verified=False, encrypted=False) is Withheld.IN_CLEAR
    assert lend(verified=False, on_this_machine=True) == KEY


FORWARDED = [
    "X-Forwarded-For",
    "X-Forwarded-Proto",
    "X-Forwarded-Host",
    "Forwarded",
    "Via",
    "X-Real-IP",
    "CF-Connecting-IP",
    "True-Client-IP",
]


@pytest.mark.parametrize("name", [*FORWARDED, *(name.lower() for name in FORWARDED)])
@pytest.mark.parametrize("value", ["127.0.0.1", ""])
def test_what_another_proxy_has_sent_on_needs_a_token(name: str, value: str):
    """A web server in front makes every client one of this machine."""
    assert lend(headers={name: value}) is Withheld.FORWARDED
    assert lend(Caller(False), headers={name: value}) is Withheld.STRANGER
    assert lend(Caller(True, client="alice"), headers={name: value}) == KEY
    assert lend(Caller(True, signed_in=True), headers={name: value}) == KEY


@pytest.mark.parametrize("name", ["forwarded-by-nobody", "x-via", "viable", "x-real-ip-of-mine"])
def test_other_headers_of_such_names_say_nothing(name: str):
    assert lend(headers={name: "1"}) == KEY


@pytest.mark.parametrize("caller", [Caller(True), Caller(False, client="alice")])
def test_a_browser_that_says_it_is_for_another_site_gets_none(caller: Caller):
    """A GET of an image has no Origin."""
    for site in ("cross-site", "same-site", "CROSS-SITE", "", "same-origin, cross-site", "whatever"):
        assert lend(caller, headers={"sec-fetch-site": site}) is Withheld.ORIGIN
        allowed = {"sec-fetch-site": site, "origin": PAGE}
        assert lend(caller, headers=allowed) is Withheld.ORIGIN
        assert lend(caller, headers=allowed, origins=frozenset([PAGE])) == KEY
        other = {"sec-fetch-site": site, "origin": "https://evil.example"}
        assert lend(caller, headers=other, origins=frozenset([PAGE])) is Withheld.ORIGIN
    for site in ("same-origin", "none", " None "):
        assert lend(caller, headers={"sec-fetch-site": site}) == KEY


def test_a_name_that_leads_here_by_rebinding_gets_none_without_a_token():
    assert lend(addressed=False) is Withheld.HOST
    assert lend(addressed=False, headers={"sec-fetch-site": "same-origin"}) is Withheld.HOST
    assert lend(Caller(True, client="alice"), addressed=False) == KEY


@pytest.mark.parametrize(
    ("sent", "addressed"),
    [
        (["127.0.0.1"], True),
        (["127.0.0.1:8081"], True),
        (["localhost"], True),
        (["LOCALHOST.:8081"], True),
        (["app.localhost:8081"], True),
        (["[::1]:8081"], True),
        (["[::1]"], True),
        (["devbox:8081"], True),
        (["192.168.1.9:8081"], True),
        ([HOST], True),
        ([f"{HOST.upper()}.:443"], True),
        (["localhost:"], True),
        (["evil.example"], False),
        (["evil.example:8081"], False),
        (["localhost.evil.example"], False),
        (["127.0.0.1.evil.example"], False),
        (["evil.example:8081", "127.0.0.1:8081"], False),
        (["127.0.0.1:8081", "evil.example"], False),
        (["127.0.0.1:8081, evil.example"], False),
        (["127.0.0.1@evil.example"], False),
        (["0.0.0.0:8081"], False),
        (["192.168.1.8"], False),
        ([""], False),
        ([], False),
    ],
)
def test_what_a_request_may_be_addressed_to(sent: list[str], addressed: bool):
    own = {"devbox", "192.168.1.9"}
    assert keys.is_addressed(sent, own, lambda host: host == HOST) is addressed


def test_each_reason_is_a_sentence_of_its_own():
    reasons = [reason.value for reason in Withheld]
    assert len(set(reasons)) == len(reasons)


def test_nothing_to_lend():
    assert lend(key=None) is Withheld.NONE


@given(
    st.sampled_from([Caller(True), Caller(False), Caller(False, True), Caller(False, client="alice")]),
    st.sampled_from(["", "Bearer", "Bearer hunyuan-fix", "sk-own"]),
    st.none() | st.sampled_from([PAGE, "null", "https://evil.example"]),
    st.none() | st.sampled_from(["none", "same-origin", "cross-site"]),
    st.none() | st.sampled_from(FORWARDED),
    st.tuples(st.booleans(), st.booleans(), st.booleans()),
    st.booleans(),
)
def test_the_key_is_put_on_only_if_every_condition_holds(
    caller: Caller,
    own: str,
    origin: str | None,
    site: str | None,
    forwarded: str | None,
    destination: tuple[bool, bool, bool],
    addressed: bool,
):
    on_this_machine, encrypted, verified = destination
    given = {"authorization": own, "origin": origin, "sec-fetch-site": site, forwarded or "x": "1"}
    answer = lend(
        caller,
        on_this_machine=on_this_machine,
        encrypted=encrypted,
        verified=verified,
        addressed=addressed,
        origins=frozenset([PAGE]),
        headers={name: value for name, value in given.items() if value is not None},
    )
    allowed = (
        own != "sk-own"
        and caller != Caller(False)
        and (origin == PAGE or (origin is None and site != "cross-site"))
        and (caller.known or (addressed and forwarded is None))
        and (on_this_machine or (encrypted and verified))
    )
    assert (answer == KEY) == allowed


# Where it comes from


def settings(file: Path | None = None) -> Settings:
    return replace(options.parse({}), api_key_file=file)


def key_file(folder: Path, text: str = "sk-file\n", name: str = "key") -> Path:
    new = folder / "new"
    new.write_text(text)
    new.chmod(0o600)
    return new.replace(folder / name)


def test_the_environments_key_comes_before_the_environments_file(tmp_path: Path):
    named = {"HUNYUAN_API_KEY_FILE": str(key_file(tmp_path))}
    assert LentKey({}).configured(settings()).value is None
    assert LentKey(named).configured(settings()).value == "sk-file"
    assert LentKey(named | {"HUNYUAN_API_KEY": " sk-environment\n"}).configured(settings()).value == "sk-environment"
    assert LentKey(named | {"HUNYUAN_API_KEY": " "}).configured(settings()).value == "sk-file"


def test_the_options_file_comes_before_both(tmp_path: Path):
    other = str(key_file(tmp_path, "sk-other", "other"))
    both = LentKey({"HUNYUAN_API_KEY_FILE": other, "HUNYUAN_API_KEY": "sk-environment"})
    of_file = both.configured(settings(key_file(tmp_path)))
    assert of_file.value == "sk-file"
    assert of_file.configured(settings()).value == "sk-environment"


def test_a_home_that_nobody_has_is_a_file_that_is_missing():
    with pytest.raises(OptionError, match=r"^HUNYUAN_API_KEY_FILE: .*can't be read"):
        LentKey({"HUNYUAN_API_KEY_FILE": "~nobody-of-that-name/key"}).configured(settings())


@pytest.mark.parametrize("wrong", ["", " \n", "sk-one\nsk-two", "sk-a b", "sk-é", "sk-\x00"])
def test_a_file_or_variable_that_holds_anything_else_is_refused(tmp_path: Path, wrong: str):
    path = key_file(tmp_path, wrong)
    with pytest.raises(OptionError, match=f"^hunyuan_api_key_file: {path}: needed is one key") as from_option:
        LentKey({}).configured(settings(path))
    with pytest.raises(OptionError, match=f"^HUNYUAN_API_KEY_FILE: {path}: needed is one key"):
        LentKey({"HUNYUAN_API_KEY_FILE": str(path)}).configured(settings())
    if wrong.strip():
        with pytest.raises(OptionError, match=r"^HUNYUAN_API_KEY: needed is one key"):
            LentKey({"HUNYUAN_API_KEY": wrong}).configured(settings())
    assert "sk-" not in str(from_option.value)


def test_a_file_that_others_can_read_is_refused(tmp_path: Path):
    path = key_file(tmp_path)
    path.chmod(0o644)
    with pytest.raises(OptionError, match=r"hunyuan_api_key_file: .*chmod 600"):
        LentKey({}).configured(settings(path))


async def test_a_changed_file_is_taken_over_and_a_wrong_one_is_not(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    path = key_file(tmp_path)
    key = LentKey({}).configured(settings(path))
    key_file(tmp_path, "sk-next")
    await key.refresh()
    await key.refresh()  # a change is taken over at the second look
    assert key.value == "sk-next"
    key_file(tmp_path, "sk-a b")
    await key.refresh()
    await key.refresh()  # a change is taken over at the second look
    assert key.value == "sk-next"
    assert "needed is one key" in caplog.text
    assert "sk-" not in caplog.text
    await LentKey({}).refresh()


def test_other_options_change_without_the_file_being_read_again(tmp_path: Path):
    path = key_file(tmp_path)
    key = LentKey({}).configured(settings(path))
    path.unlink()
    assert key.configured(settings(path)) is key
    assert key.configured(settings()).value is None


def test_it_never_shows(tmp_path: Path):
    key = LentKey({"HUNYUAN_API_KEY": "sk-environment"}).configured(settings(key_file(tmp_path)))
    assert "sk-" not in repr(key)


def sent(**given: str) -> Headers:
    return Headers([(name.replace("_", "-").encode(), value.encode()) for name, value in given.items()])


@pytest.mark.parametrize("alone", [True, False])
@pytest.mark.parametrize("given", [{"x_api_key": "sk"}, {"X_API_Key": " sk "}, {"api_key": "Bearer sk"}])
def test_a_key_in_another_header_is_sent_as_bearer(given: dict[str, str], alone: bool):
    headers = sent(**given, accept="x")
    assert keys.send_as_bearer(headers, alone=alone)
    assert dict(headers.items()) == {"accept": "x", "Authorization": "Bearer sk"}
    assert not keys.send_as_bearer(headers, alone=alone)


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "Bearer ", "Basic eDp5", ""])
def test_it_takes_the_place_of_what_is_no_key(scheme: str):
    headers = sent(authorization=scheme, x_api_key="sk", api_key="other")
    assert keys.send_as_bearer(headers, alone=False)
    assert headers == sent(authorization="Bearer sk")


def test_a_key_that_stands_where_it_should_is_left_there():
    headers = sent(authorization="bearer sk", x_api_key="other", api_key="")
    assert not keys.send_as_bearer(headers, alone=False)
    assert headers == sent(authorization="bearer sk", x_api_key="other", api_key="")
    assert not keys.send_as_bearer(headers, alone=True)
    assert headers == sent(authorization="bearer sk")


def test_without_a_key_nothing_is_sent_as_one():
    headers = sent(x_api_key="", api_key="Bearer", accept="x")
    assert not keys.send_as_bearer(headers, alone=True)
    assert headers == sent(accept="x")
    headers = sent(authorization="Basic eDp5")
    assert not keys.send_as_bearer(headers, alone=True)
    assert headers == sent(authorization="Basic eDp5")


def test_all_that_authenticates_is_dropped():
    secrets = dict.fromkeys(("x_api_key", "Authorization", "api_key", "Cookie", "x_goog_api_key", "X_Token"), "x")
    headers = sent(**secrets, accept="x", anthropic_version="2023-06-01")
    assert keys.drop(headers)
    assert headers == sent(accept="x", anthropic_version="2023-06-01")
    assert not keys.drop(sent(cookie="x", authorization="Bearer"))


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"authorization": "Bearer a", "x-api-key": "b"}, "Bearer a"),
        ({"x-api-key": "b"}, "Bearer b"),
        ({"api-key": "Bearer c"}, "Bearer c"),
        ({"x-api-key": " "}, None),
        ({}, None),
    ],
)
def test_one_key_wherever_it_stands(headers: dict[str, str], expected: str | None) -> None:
    assert keys.authorization(headers) == expected


# Who is who


def test_a_caller_is_known_by_its_token_its_key_or_its_name() -> None:
    alone = Caller(True)
    named = Caller(True, client="alice")
    signed = Caller(True, signed_in=True)
    mine, other = {"authorization": "Bearer sk-mine"}, {"authorization": "Bearer sk-other"}
    told = [
        keys.identity(alone, {}),
        keys.identity(alone, mine),
        keys.identity(alone, other),
        keys.identity(named, {}),
        keys.identity(Caller(True, client="bob"), {}),
        keys.identity(signed, {}, "carol"),
        keys.identity(signed, {}, "dave"),
        keys.identity(signed, mine, "carol"),
    ]
    assert len(set(told)) == len(told)
    assert {len(digest) for digest in told} == {16}


def test_what_tells_no_callers_apart() -> None:
    mine = {"authorization": "Bearer sk-mine"}
    assert keys.identity(Caller(True), mine) == keys.identity(Caller(True), {"x-api-key": "sk-mine"})
    assert keys.identity(Caller(True), mine) == keys.identity(Caller(False), mine)
    assert keys.identity(Caller(True), {}) == keys.identity(Caller(True), {"authorization": "Bearer"})
    named = Caller(True, client="alice")
    assert keys.identity(named, {}) == keys.identity(named, mine), "a token counts before a key that came with it"
    assert keys.identity(Caller(True), {}, "carol") == keys.identity(Caller(True), {}), "who has not signed in"
