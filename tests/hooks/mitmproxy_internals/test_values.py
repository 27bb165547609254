from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mitmproxy.http import Headers, MessageData, RequestData, ResponseData
from mitmproxy.optmanager import _Option

from hunyuan_fix.hooks.mitmproxy_internals import replacements, values


class Named(str):
    __slots__ = ()


class OwnHeaders(Headers):
    pass


ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(max_size=3),
    st.binary(max_size=3),
    st.sampled_from([Headers(), OwnHeaders(), Named("x"), [], (), object()]),
)
GOOD: dict[type[MessageData], dict[str, Any]] = {}
GOOD[RequestData] = {
    "http_version": b"HTTP/1.1",
    "headers": Headers(),
    "content": b"",
    "trailers": None,
    "timestamp_start": 1.5,
    "timestamp_end": None,
    "host": "localhost",
    "port": 1,
    "method": b"GET",
    "scheme": b"http",
    "authority": b"",
    "path": b"/",
}
GOOD[ResponseData] = {name: GOOD[RequestData][name] for name in list(GOOD[RequestData])[:6]} | {
    "status_code": 200,
    "reason": b"OK",
}


def verdict(check: Any, data: MessageData) -> str | None:
    try:
        check(data)
    except TypeError as error:
        return str(error)
    return None


@given(st.data(), st.sampled_from(list(GOOD)))
def test_what_is_wrong_in_a_message_is_refused_in_the_same_words(data: st.DataObject, kind: type[MessageData]):
    message = kind.__new__(kind)
    own = replacements.original("mitmproxy.http:MessageData.__post_init__")
    vars(message).update(GOOD[kind])
    assert verdict(own, message) is verdict(values.check_types, message) is None
    wrong = data.draw(st.dictionaries(st.sampled_from(list(GOOD[kind])), ANYTHING, max_size=2))
    vars(message).update(wrong)
    assert verdict(values.check_types, message) == verdict(own, message)


@pytest.mark.parametrize("kind", GOOD)
def test_a_right_message_costs_no_call_of_mitmproxys_check(kind: type[MessageData], monkeypatch: pytest.MonkeyPatch):
    def check(_: MessageData) -> None:
        raise AssertionError

    monkeypatch.setattr(values, "_check_all", check)
    message = kind.__new__(kind)
    vars(message).update(GOOD[kind])
    values.check_types(message)
    vars(message).update(timestamp_start=1, timestamp_end=2, content=None, trailers=Headers())
    values.check_types(message)


@pytest.mark.parametrize(
    ("kind", "default", "given"),
    [(bool, True, False), (int, 1, 2), (str, "a", Named("b")), (str | None, "a", None), (Sequence[str], ["a"], ["b"])],
)
def test_an_option_has_the_value_that_mitmproxy_reads(kind: Any, default: object, given: object):
    option = _Option("any", kind, default, "help", None)
    own = replacements.original("mitmproxy.optmanager:_Option.current")
    assert values.current(option) == own(option) == default
    option.set(given)
    assert values.current(option) == own(option) == given
    assert type(values.current(option)) is type(own(option))


def test_a_list_that_was_read_can_be_changed_without_changing_the_option():
    option = _Option("any", Sequence[str], ["a"], "help", None)
    values.current(option).append("b")
    assert values.current(option) == ["a"]
    option.set(["c"])
    values.current(option).append("d")
    assert values.current(option) == ["c"]


# Headers


NAMES = st.sampled_from([b"Host", b"host", b"HOST", b"Hosts", b"x-\xff", b"", b"A"])
ASKED = st.one_of(NAMES, st.sampled_from(["host", "Host", "x-\udcff", "", "a", "Hos", None, 5, ("a",), ["a"]]))


class Folded(Headers):
    """A subclass that looks names up in its own way."""

    def get_all(self, name: str | bytes) -> list[str]:
        return ["own", *super().get_all(name)]


class Exact(Headers):
    """A subclass whose names differ by their case."""

    @staticmethod
    def _kconv(key: Any) -> Any:
        return key


def outcome(call: Any, *given: Any) -> tuple[str, Any]:
    try:
        return "gives", call(*given)
    except Exception as error:
        return "raises", (type(error), error.args)


@given(
    st.sampled_from([Headers, Folded, Exact]),
    st.lists(st.tuples(NAMES, st.sampled_from([b"", b"a", b"b, c", b"\xe4", "é".encode()])), max_size=5),
    ASKED,
    st.sampled_from([None, "", "other"]),
)
def test_headers_are_found_as_by_mitmproxy(kind: Any, fields: Any, name: Any, default: Any):
    headers = kind(fields)
    places = {
        "mitmproxy.http:Headers.__getitem__": (values.header, (name,)),
        "mitmproxy.http:Headers.get": (values.header_or, (name, default)),
        "mitmproxy.http:Headers.__contains__": (values.has_header, (name,)),
        "mitmproxy.http:Headers.get_all": (values.all_headers, (name,)),
    }
    for place, (faster, given_) in places.items():
        own = replacements.original(place)
        assert outcome(faster, headers, *given_) == outcome(own, headers, *given_)
    assert headers.fields == kind(fields).fields


@given(
    st.sampled_from([Headers, Folded, Exact]),
    st.lists(st.tuples(NAMES, NAMES), max_size=5),
    ASKED,
    st.lists(st.one_of(NAMES, st.sampled_from(["", "é", "\udce9", None])), max_size=3),
)
def test_headers_are_set_as_by_mitmproxy(kind: Any, fields: Any, name: Any, given_: list[Any]):
    ours, own = kind(fields), kind(fields)
    own_way = outcome(replacements.original("mitmproxy.http:Headers.set_all"), own, name, list(given_))
    assert outcome(values.set_headers, ours, name, list(given_)) == own_way
    assert ours.fields == own.fields


FIELDS = st.one_of(
    st.lists(st.one_of(st.tuples(NAMES, NAMES), st.sampled_from([("a", b""), (b"a", None), [b"a", b"b"], (b"a",), 7]))),
    st.sampled_from([None, 7, Headers([(b"a", b"b")]).fields]),
)


@given(st.sampled_from([Headers, Folded]), FIELDS, st.dictionaries(st.sampled_from(["host", "content_type"]), ASKED))
def test_headers_are_made_as_by_mitmproxy(kind: Any, fields: Any, given_: dict[str, Any]):
    made, own = kind.__new__(kind), kind.__new__(kind)
    own_way = outcome(lambda: replacements.original("mitmproxy.http:Headers.__init__")(own, fields, **given_))
    assert outcome(lambda: values.make_headers(made, fields, **given_)) == own_way
    assert vars(made) == vars(own)


@given(
    st.one_of(
        st.text(),
        st.binary(),
        st.sampled_from(
            ["h", "h:80", "H:80", "[::1]:80", "ü.de:1", "h:99999", "a b", b"h:80", b"xn--tda.de", b"\xff", 7]
        ),
    ),
    st.booleans(),
)
def test_an_authority_is_read_as_by_mitmproxy(authority: Any, check: bool):
    own = replacements.original("mitmproxy.net.http.url:parse_authority")
    for _ in range(2):
        assert outcome(values.authority, authority, check) == outcome(own, authority, check)
