"""An error of the proxy's own: plain data, and its form in OpenAI's API, in the language of the client."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from ..exchange import JsonObject, Response
from ..texts import sentences
from ..texts.sentence import Sentence, in_language
from . import json_body

_SENTENCES = frozenset(["why", "flaw", "kind", "count"])
"""Values that are sentences, or parts of one, and are translated. Others: names, numbers, the endpoint's words."""


_SHOWN = ("native_code", "request_id")
"""Fields of an endpoint's error that stand beside ours, too: for what its vendor's documents and support ask."""


@dataclass(frozen=True, slots=True)
class Words:
    """The endpoint's own words, which stay as they are, and sentences of ours behind them."""

    words: str
    sentences: tuple[Sentence, ...] = ()

    def said(self, language: str) -> str:
        """The words, and the sentences in `language`."""
        if not self.sentences:
            return self.words
        is_chinese = self.words[-1:] == "。" or "\u3400" <= self.words[-1:] <= "\u9fff"
        text = self.words.rstrip(".。") + ("。" if is_chinese else ".")
        for sentence in self.sentences:
            text += ("" if text.endswith("。") else " ") + in_language(language, sentence)
        return text


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyError:
    """An error as plain data. `proxy_errors` has all kinds. In English, until `in_language` gives it in another."""

    status: int
    type: str
    code: str | None
    template: str
    """Its message, with names in braces where `values` go."""
    values: Mapping[str, object] = field(default_factory=dict)
    language: str = sentences.SOURCE
    when: str = ""
    """What has happened, in a few English words without any value."""
    param: str | None = None
    """The wrong field of the request."""
    retry: bool | None = None
    """What `x-should-retry` tells OpenAI's SDKs; `None`: no such header, they decide by the status."""
    retry_after: float | None = None
    """Seconds, sent rounded up to whole ones."""
    closes: bool = False
    """Whether the client should use a new connection for its next request."""
    vendor: Mapping[str, object] | None = None
    """The endpoint's own error object."""

    @property
    def message(self) -> str:
        """What it says. Raises `KeyError` if a value is missing."""
        template = sentences.catalogue(self.language).get(self.template, self.template)
        return template.format(**{name: _value(name, value, self.language) for name, value in self.values.items()})

    @property
    def reason(self) -> str:
        """Its code and what has happened, in English, without any value: of what `short_reason` makes the log's."""
        return f"{self.code}: {self.when}"

    def in_language(self, language: str) -> Self:
        """The same error, said in `language`. Code, type and status stay."""
        return self if language == self.language else replace(self, language=language)

    def body(self) -> bytes:
        """One line of JSON: `{"error": fields}`."""
        return json_body.serialise({"error": self.fields()})

    def fields(self) -> JsonObject:
        """OpenAI's error object: `message`, `type`, `param`, `code`, and `vendor` if there is one."""
        fields: JsonObject = {"message": self.message, "type": self.type, "param": self.param, "code": self.code}
        if self.vendor is not None:
            fields |= {name: self.vendor[name] for name in _SHOWN if name in self.vendor}
            fields["vendor"] = self.vendor
        return fields

    def response(self) -> ErrorResponse:
        """The answer: `body`, and the headers that say whether and when to try again."""
        headers = {"content-type": "application/json"}
        if self.retry_after is not None:
            headers["retry-after"] = str(math.ceil(self.retry_after))
        if self.retry is not None:
            headers["x-should-retry"] = "true" if self.retry else "false"
        if self.closes:
            headers["connection"] = "close"  # mitmproxy leaves it out of HTTP/2 answers, which may not have it
        return ErrorResponse(self.status, headers, self.body(), self)


@dataclass(frozen=True, slots=True)
class ErrorResponse(Response):
    """An error as an answer, which can still be said in another language."""

    error: ProxyError

    def in_language(self, language: str) -> ErrorResponse:
        """The same answer in `language`, with the headers that it has by now."""
        error = self.error.in_language(language)
        return self if error is self.error else replace(self, body=error.body(), error=error)


def response_in(language: str, response: Response) -> Response:
    """`response` in `language`, if it is an error of ours; any other as it is."""
    return response.in_language(language) if isinstance(response, ErrorResponse) else response


def type_of(status: int) -> str:
    """The error type that OpenAI uses with `status`."""
    if status == 429:
        return "rate_limit_error"
    return "server_error" if status >= 500 else "invalid_request_error"


def _value(name: str, value: object, language: str) -> object:
    if isinstance(value, Words):
        return value.said(language)
    if isinstance(value, Sentence):
        return in_language(language, value)
    if name in _SENTENCES:
        return sentences.translated(language, str(value))
    return value
