"""What a search program prints: JSON in the shape of any of the usual search APIs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from ..exchange import printable
from ..wire import json_body

MOST: Final = 20
"""Results of one search; further ones are left out."""
LONGEST_TEXT: Final = 2000
"""Characters of one result's text."""
_LONGEST_NAME: Final = 300
"""Characters of a title; a longer address is no address."""
_LONGEST_URL: Final = 2000

_LISTS: Final = (
    ("results",),  # SearXNG, Tavily, Exa
    ("web", "results"),  # Brave
    ("organic",),  # Serper
    ("organic_results",),  # SerpApi
    ("webPages", "value"),  # Bing, Bocha
    ("data", "webPages", "value"),  # Bocha
    ("items",),  # Google's Custom Search
    ("data",),
)
"""Where the list of results stands in the JSON object of an API. A list at the top is one by itself, as ddgr prints."""
_TITLE: Final = ("title", "name")
_URL: Final = ("url", "link", "href")
_TEXT: Final = ("content", "snippet", "summary", "description", "abstract", "body", "text")
_AGE: Final = ("page_age", "age", "publishedDate", "published_date", "datePublished", "date")


class NoResults(ValueError):
    """The program's output holds no list of results."""


@dataclass(frozen=True, slots=True)
class Result:
    """One page that was found."""

    url: str
    title: str
    text: str
    age: str
    """When it was published, as the program writes it; `""`: not said."""


def read(output: bytes) -> list[Result]:
    """The results in what a program printed, in its order, at most `MOST`; those without an address are left out.

    Raises `NoResults` where it is no JSON with a list of results. An empty list is one.
    """
    try:
        found = _listed(json_body.parse(output))
    except json_body.InvalidJson:
        raise NoResults("it is no JSON") from None
    if found is None:
        raise NoResults("its JSON has no list of results")
    return list(filter(None, map(_result, found)))[:MOST]


def allowed(results: Sequence[Result], domains: Sequence[str], blocked: Sequence[str]) -> list[Result]:
    """Those of `results` whose host is in one of `domains` (any host, if there are none) and in none of `blocked`."""
    return [
        result for result in results if (not domains or _is_in(result.url, domains)) and not _is_in(result.url, blocked)
    ]


def _listed(value: Any) -> list[Any] | None:
    if isinstance(value, list):
        return value
    for path in _LISTS:
        found = value
        for key in path:
            found = found.get(key) if isinstance(found, dict) else None
        if isinstance(found, list):
            return found
    return None


def _result(given: Any) -> Result | None:
    if not isinstance(given, dict):
        return None
    url = _first(given, _URL)
    if not url or len(url) > _LONGEST_URL or _scheme(url) not in ("http", "https"):
        return None
    title = printable(_first(given, _TITLE))[:_LONGEST_NAME]
    return Result(url, title or url, _first(given, _TEXT)[:LONGEST_TEXT], printable(_first(given, _AGE))[:100])


def _scheme(url: str) -> str:

    try:
        parts = urlsplit(url)
        return parts.scheme if parts.hostname else ""
    except ValueError:
        return ""


def _first(given: dict[str, Any], names: Sequence[str]) -> str:
    texts = (given[name].strip() for name in names if isinstance(given.get(name), str))
    return next(filter(None, texts), "")


def _is_in(url: str, domains: Sequence[str]) -> bool:
    """Whether `url` is at one of `domains` or below it. A domain may have a path: `example.com/docs`."""
    parts = urlsplit(url)
    host, path = (parts.hostname or "").rstrip("."), parts.path
    for domain in domains:
        name, slash, below = domain.lower().removeprefix("*.").partition("/")
        if (host == name or host.endswith(f".{name}")) and (not slash or path.startswith(f"/{below}")):
            return True
    return False
