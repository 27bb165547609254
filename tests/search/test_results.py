"""The output of search programs: the shapes of the usual APIs, whatever is wrong in them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.search.results import LONGEST_TEXT, MOST, NoResults, Result, allowed, read

PAGE = {"title": "A page", "url": "https://a.example/x", "content": "what it says"}
READ = Result("https://a.example/x", "A page", "what it says", "")


@pytest.mark.parametrize(
    "printed",
    [
        [PAGE],
        {"query": "q", "results": [PAGE]},
        {"web": {"results": [{"title": "A page", "url": PAGE["url"], "description": "what it says"}]}},
        {"organic": [{"title": "A page", "link": PAGE["url"], "snippet": "what it says"}]},
        {"organic_results": [{"title": "A page", "link": PAGE["url"], "snippet": "what it says"}]},
        {"webPages": {"value": [{"name": "A page", "url": PAGE["url"], "snippet": "what it says"}]}},
        {"data": {"webPages": {"value": [{"name": "A page", "url": PAGE["url"], "summary": "what it says"}]}}},
        {"items": [{"title": "A page", "link": PAGE["url"], "snippet": "what it says"}]},
        [{"abstract": "what it says", "title": "A page", "url": PAGE["url"]}],
        [{"href": PAGE["url"], "title": "A page", "body": "what it says"}],
    ],
    ids=["list", "searxng", "brave", "serper", "serpapi", "bing", "bocha", "google", "ddgr", "ddgs"],
)
def test_usual_shapes(printed: object) -> None:
    assert read(json.dumps(printed).encode()) == [READ]


@pytest.mark.parametrize(
    "printed", [b"", b"no results", b"[", b"7", b"{}", b'{"results": {}}', b'{"web": []}', b"\xff"]
)
def test_what_is_no_list_of_results(printed: bytes) -> None:
    with pytest.raises(NoResults):
        read(printed)


@pytest.mark.parametrize(
    "page",
    [
        *(7, None, [], {}, {"title": "a"}),
        *({"url": url} for url in (7, "javascript:alert(1)", "file:///etc/passwd", "https://", "http://[::1")),
        {"url": f"https://a.example/{'x' * 2000}"},
    ],
)
def test_pages_without_an_address_are_left_out(page: object) -> None:
    assert read(json.dumps([page, PAGE]).encode()) == [READ]


def test_long_answers_are_cut() -> None:
    found = read(json.dumps([{**PAGE, "content": "x" * 10_000, "title": "t" * 10_000}] * 100).encode())
    assert len(found) == MOST
    assert len(found[0].text) == LONGEST_TEXT
    assert len(found[0].title) <= 300


def test_a_page_without_a_title_is_called_by_its_address() -> None:
    assert read(b'[{"url": "https://a.example"}]') == [Result("https://a.example", "https://a.example", "", "")]


@pytest.mark.parametrize(
    ("domains", "blocked", "kept"),
    [
        ([], [], ["a.example", "www.b.example", "b.example.evil", "notb.example"]),
        (["b.example"], [], ["www.b.example"]),
        (["*.b.example", "A.EXAMPLE"], [], ["a.example", "www.b.example"]),
        ([], ["b.example"], ["a.example", "b.example.evil", "notb.example"]),
        (["a.example/docs"], [], ["a.example"]),
        (["a.example/other"], [], []),
    ],
)
def test_domains(domains: list[str], blocked: list[str], kept: list[str]) -> None:
    hosts = ["a.example", "www.b.example", "b.example.evil", "notb.example"]
    found = [Result(f"https://{host}/docs/x", "", "", "") for host in hosts]
    assert [result.url.split("/")[2] for result in allowed(found, domains, blocked)] == kept


json_values: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(), st.sampled_from(["https://a.example", "http://["])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["results", "web", "url", "title", "content", "data"]), inner, max_size=4),
    ),
    max_leaves=12,
)


@given(json_values)
def test_no_json_makes_it_fail(value: object) -> None:
    try:
        found = read(json.dumps(value).encode())
    except NoResults:
        return
    assert all(result.url.startswith("http") and result.title for result in found)
    allowed(found, ["a.example"], ["b.example"])
