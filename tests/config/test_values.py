"""How texts become values. What each option accepts is in test_options.py."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.config import values as read
from hunyuan_fix.config.values import BaseUrl, StorePlaces

URLS: list[Callable[[str], object]] = [read.base_url, read.proxy, read.origins, read.store]


@pytest.mark.parametrize("reader", URLS)
@pytest.mark.parametrize("rest", ["//[", "//[::1", "//host:port", "//host:70000", "//host:0", "//", ":host"])
def test_of_an_address_that_is_none_it_is_said_what_is_accepted(reader: Callable[[str], object], rest: str):
    """Python's own complaint ("Invalid IPv6 URL") wouldn't help anybody."""
    with pytest.raises(ValueError, match=r"^accepted (is|are) "):
        reader(("redis:" if reader is read.store else "http:") + rest)


@pytest.mark.parametrize(
    "text",
    [
        "https://tokenhub.tencentmaas.com/v1",
        "http://127.0.0.1:9000",
        "http://[::1]:9000/v1",
        "https://host:80/v1",
        "http://host/a/b",
    ],
)
def test_a_base_url_is_written_as_it_was_read(text: str):
    assert str(read.base_url(text)) == text


def test_the_port_that_is_the_schemes_own_is_left_out():
    assert str(BaseUrl("https", "host", 443, "/v1")) == "https://host/v1"
    assert str(read.base_url("HTTP://Host:80/")) == "http://host"


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (" https://host.example/v1 ", "https://host.example/v1"),
        ("https://host.example./v1", "https://host.example/v1"),
        ("https://中文.example/v1", "https://xn--fiq228c.example/v1"),
        ("https://ｈｏｓｔ.example/v1", "https://host.example/v1"),
        ("https://host。example/v1", "https://host.example/v1"),
        ("http://hunyuan_proxy:4000", "http://hunyuan_proxy:4000"),
        ("https://[FE80::1%eth0]/v1", "https://[fe80::1%eth0]/v1"),
    ],
)
def test_a_base_url_has_the_host_that_is_asked_for(given: str, meant: str):
    assert str(read.base_url(given)) == meant


@pytest.mark.parametrize("reader", [read.base_url, read.proxy, read.origins])
@pytest.mark.parametrize(
    "host",
    [
        ".h",
        "h..i",
        "h..",
        "h i",
        "{host}",
        "$HOST",
        "h\\v1",
        "a.example,https:",
        "h'",
        "\x00",
        "a" * 64,
        "a." * 127 + "bc",
    ],
)
def test_a_host_that_can_not_be_is_refused(reader: Callable[[str], object], host: str):
    with pytest.raises(ValueError, match=r"^accepted (is|are) "):
        reader(f"https://{host}")


@pytest.mark.parametrize("path", ["/a b", "/路径", "/{x}", "/v1\x00", "/v1\x7f", "/v1|x", "/<v1>", '/v1"', "/a\\b"])
def test_a_path_that_no_url_has_is_refused(path: str):
    with pytest.raises(ValueError, match=r"^accepted is a base URL"):
        read.base_url(f"https://host.example{path}")


@pytest.mark.parametrize("reader", [read.count(1), read.size])
def test_a_number_that_nothing_can_count_is_refused_in_words(reader: Callable[[str], object]):
    with pytest.raises(ValueError, match=r"^accepted is a "):
        reader("9" * 5000)


@given(
    st.from_regex(r"https?", fullmatch=True),
    st.from_regex(r"[a-z0-9]{1,10}(\.[a-z0-9]{1,10}){0,3}", fullmatch=True),
    st.integers(1, 65535),
    st.from_regex(r"(/[A-Za-z0-9._-]{1,8}){0,3}", fullmatch=True),
)
def test_any_base_url_survives_being_written(scheme: str, host: str, port: int, path: str):
    once = read.base_url(f"{scheme}://{host}:{port}{path}")
    assert read.base_url(str(once)) == once


@given(st.integers(1, 2**40), st.sampled_from([("", 1), ("k", 2**10), ("M", 2**20), ("gb", 2**30), ("b", 1)]))
def test_sizes(number: int, unit: tuple[str, int]):
    assert read.size(f"{number}{unit[0]}") == number * unit[1]


def test_a_bound_may_be_nothing():
    assert read.bound("0") == 0
    assert read.bound("2k") == 2048
    assert read.optional(read.count(1))("") is None


def test_stores_in_any_order():
    both = StorePlaces(sqlite=Path("/x.db"), redis="redis://cache")
    assert read.store("sqlite:/x.db,redis://cache") == read.store(" redis://cache , sqlite:/x.db ") == both
    assert read.store("sqlite").sqlite == read.data_folder() / "store.sqlite3"
    assert read.store("memory") == StorePlaces()


@pytest.mark.parametrize(
    "text", ["", ",", "memory,memory", "memory,redis://cache", "redis://a,rediss://b", "sqlite,sqlite", "file:/x"]
)
def test_stores_that_can_not_be(text: str):
    with pytest.raises(ValueError, match=r"^accepted are memory, sqlite"):
        read.store(text)
