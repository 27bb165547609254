"""A small client of an OpenAI-compatible endpoint, which treats answers as OpenAI's SDKs do."""

from __future__ import annotations

import base64
import json
import struct
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from ...dialects.tencent_cloud import fields
from ...texts.terminal import say
from ...upstream.signer import Unsigned
from ...upstream.tc3 import Tc3

_RETRIED = frozenset([408, 409, 429])
"""Statuses below 500 that OpenAI's SDKs retry."""
_LONGEST_WAIT = 5.0
"""Seconds to wait before a retry at most, whatever Retry-After says."""

_OF_CLAUDE_CODE = {"anthropic-version": "2023-06-01", "anthropic-beta": "claude-code-20250219"}

_OF_NOBODY = "AKIDEXAMPLE|the-old-key"
"""A SecretId and a SecretKey, which nothing takes any more."""

type Json = dict[str, Any]


class ApiError(Exception):
    """The endpoint refused a request, or there was no answer. The text is for users."""


class Refused(ApiError):
    """An answer with an error status."""

    def __init__(self, status: int, code: object, message: str) -> None:
        super().__init__(
            say("HTTP {status}: {message}", status=status, message=message)
            if code is None
            else say("HTTP {status}, code {code}: {message}", status=status, code=code, message=message)
        )
        self.status = status


@dataclass(frozen=True, slots=True)
class Client:
    """Calls over `http`, whose base URL is the endpoint's. Every method raises `ApiError`."""

    http: httpx.Client

    def chat(self, body: Json, retries: int = 0) -> Json:
        """The answer to a chat request."""
        return self._post("/chat/completions", body, retries)

    def chat_stream(self, body: Json) -> Iterator[Json]:
        """The chunks of a streamed answer."""
        try:
            with self.http.stream("POST", "/chat/completions", json={**body, "stream": True}) as answer:
                if answer.is_error:
                    answer.read()
                    raise _refused(answer)
                for line in answer.iter_lines():
                    data = line.removeprefix("data:").strip()
                    if line.startswith("data:") and data != "[DONE]":
                        yield json.loads(data)
        except httpx.HTTPError as error:
            raise ApiError(f"{type(error).__name__}: {error}") from error

    def messages(self, body: Json) -> Json:
        """The answer to a request in Anthropic's format."""
        return self._post("/messages", body, headers=_OF_CLAUDE_CODE)

    def responses(self, body: Json) -> Json:
        """The answer to a request of the Responses API."""
        return self._post("/responses", body)

    def native(self, body: Json) -> Json:
        """The answer to `ChatCompletions` of Tencent Cloud's own API, signed and read as its SDK does it."""
        data, now = json.dumps(body).encode(), int(time.time())
        url = self.http.base_url.copy_with(path="/")
        unsigned = Unsigned("POST", str(url), [(b"host", url.netloc)], data)
        signed = {name.decode(): value.decode() for name, value in Tc3().sign(unsigned, _OF_NOBODY, now)}
        action = {fields.ACTION_HEADER: fields.CHAT, fields.VERSION_HEADER: fields.VERSION}
        try:
            answer = self.http.post(url, content=data, headers={**signed, **action})
        except httpx.HTTPError as error:
            raise ApiError(f"{type(error).__name__}: {error}") from error
        if answer.is_error:
            raise _refused(answer)
        answered: Json = answer.json()["Response"]
        if refusal := answered.get("Error"):
            raise Refused(answer.status_code, refusal["Code"], refusal["Message"])
        return answered

    def embeddings(self, body: Json) -> list[tuple[int, list[float]]]:
        """Index and vector of each text, asked for as base64: the default of OpenAI's SDK for Python."""
        data = self._post("/embeddings", {**body, "encoding_format": "base64"})["data"]
        return [(item["index"], _vector(item["embedding"])) for item in data]

    def _post(self, path: str, body: Json, retries: int = 0, headers: Mapping[str, str] | None = None) -> Json:
        while True:
            try:
                answer = self.http.post(path, json=body, headers=headers)
            except httpx.HTTPError as error:
                raise ApiError(f"{type(error).__name__}: {error}") from error
            if answer.is_success:
                answered: Json = answer.json()
                return answered
            if not retries or not (answer.status_code in _RETRIED or answer.is_server_error):
                raise _refused(answer)
            retries -= 1
            time.sleep(min(float(answer.headers.get("retry-after", 0)), _LONGEST_WAIT))


def _refused(answer: httpx.Response) -> Refused:
    try:
        error = answer.json()["error"]
        return Refused(answer.status_code, error.get("code"), str(error.get("message")))
    except (ValueError, LookupError, TypeError, AttributeError):
        return Refused(answer.status_code, None, answer.text)


def _vector(embedding: str | list[float]) -> list[float]:
    """Numbers from base64 of 32-bit floats; an endpoint that knows no base64 sends the numbers themselves."""
    if isinstance(embedding, str):
        data = base64.b64decode(embedding)
        return list(struct.unpack(f"<{len(data) // 4}f", data))
    return embedding
