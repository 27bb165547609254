"""Which models a key has, by the lists that have passed: bounded, whatever an endpoint lists."""

from __future__ import annotations

import gzip
import json

import pytest

from hunyuan_fix.answers.seen_models import SeenModels

URL = "https://a.example/v1"


def listed(*ids: object) -> bytes:
    return json.dumps({"object": "list", "data": [{"id": name} for name in ids]}).encode()


def test_a_list_is_for_its_key_and_its_endpoint_alone() -> None:
    seen = SeenModels()
    seen.saw(URL, b"alice", listed("a", "b"))
    assert seen.of(URL, b"alice") == ("a", "b")
    assert seen.of(URL, b"bob") == ()
    assert seen.of("https://b.example/v1", b"alice") == ()
    seen.saw(URL, b"alice", listed("c"))
    assert seen.of(URL, b"alice") == ("c",)


def test_a_packed_list_is_read() -> None:
    seen = SeenModels()
    seen.saw(URL, b"alice", gzip.compress(listed("a")), "gzip")
    assert seen.of(URL, b"alice") == ("a",)


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b'{"data": 1}', b'{"data": [1, null, {"id": 7}, {"id": ""}]}', listed(), listed("x" * 101)],
)
def test_what_is_no_list_is_passed_over(body: bytes) -> None:
    seen = SeenModels()
    seen.saw(URL, b"alice", listed("a"))
    seen.saw(URL, b"alice", body)
    assert seen.of(URL, b"alice") == ("a",)


def test_a_client_without_a_key_is_not_remembered() -> None:
    seen = SeenModels()
    seen.saw(URL, b"", listed("a"))
    assert seen.of(URL, b"") == ()


def test_it_is_bounded_and_keeps_what_was_seen_last() -> None:
    seen = SeenModels()
    for number in range(115):
        if number % 60 == 0:
            seen.saw(URL, b"first", listed("a"))
        seen.saw(URL, str(number).encode(), listed(*map(str, range(3000))))
    assert seen.of(URL, b"0") == ()
    assert seen.of(URL, b"first") == ("a",)
    assert len(seen.of(URL, b"114")) == 2000
    assert len(seen._lists) == 100
