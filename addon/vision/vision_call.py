"""One call to the vision model: the request, and what its answer means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, Protocol

from ..exchange import JsonObject, Response
from ..profiles import Profile
from ..rules import RuleContext, apply_chat
from ..texts import Texts, marks
from ..upstream import retry
from ..upstream.calls import Calls, RetriedCall
from ..upstream.client import CallFailed, CallTimedOut
from ..upstream.retry import Retryable
from ..upstream.target import Target
from ..wire import json_body, proxy_errors, retry_after, vendor_errors
from .descriptions import Description, ImageFailure, ImageKeys, ImageResult
from .record import CallRecord

MAX_TOKENS = 2000
"""Tokens of a description at most: one screen of text, transcribed."""


@dataclass(frozen=True, slots=True)
class VisionCall:
    """One image and how to ask about it."""

    model: str
    url: str
    """The image: http(s) or data URL."""
    question: str
    profile: Profile
    texts: Texts
    target: Target
    timeout: float
    """Seconds that one try may take."""
    tries: int
    until: float
    """When, on the clock, the answer is no longer needed."""
    elsewhere: bool = False
    """It goes to `hunyuan_vision_upstream`, with a key that is not the client's."""
    keys: ImageKeys | None = None
    """Which image it is; `None`: nobody asks."""
    record: CallRecord = field(default_factory=CallRecord)
    """What becomes of it, for a person who looks."""


class _Meaning(Enum):
    """What an answer that isn't a description means."""

    PASSES = auto()
    """Another try may succeed."""
    IMAGE = auto()
    """The endpoint won't describe this image."""
    KEY = auto()
    MODEL = auto()
    QUOTA = auto()
    OTHER = auto()
    """Not known, and another try wouldn't help."""


_BY_STATUS: Mapping[int, _Meaning] = {
    400: _Meaning.IMAGE,
    401: _Meaning.KEY,
    402: _Meaning.QUOTA,
    403: _Meaning.KEY,
    404: _Meaning.MODEL,
    413: _Meaning.IMAGE,
    415: _Meaning.IMAGE,
    422: _Meaning.IMAGE,
    451: _Meaning.IMAGE,
}
_FILTERED = ("content_filter", "sensitive")
"""OpenAI's word and the legacy endpoint's (docs/facts/hunyuan.md#finish-reasons)."""


class VisionModel(Protocol):
    """What describes images."""

    async def ask(self, call: VisionCall) -> ImageResult | Response:
        """A description, a final failure, or the one error that the client gets."""


class Vision:
    """The endpoint's vision model, asked through `calls`."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def ask(self, call: VisionCall) -> ImageResult | Response:
        """A description, a final failure, or the one error that the client gets.

        A call whose failure may pass is tried `call.tries` times. A wait that would outlast `call.until` isn't begun:
        the client gets the error instead. An empty answer is tried again too, but is a final failure after the last
        try: at temperature 0 the same image would get the same answer, and an error would make clients send the whole
        request up to 30 times (docs/facts/clients.md#retries).
        """
        retried: RetriedCall[ImageResult] = RetriedCall(
            name=f"vision call to {call.model}",
            purpose="vision",
            target=call.target,
            house="chat",
            body=_request(call),
            read=lambda answer: self._read(answer, call),
            failed=lambda error: _unanswered(error, call),
            tries=call.tries,
            timeout=call.timeout,
            until=call.until,
            ends=call.until,
        )
        return await retried.send(self._calls)

    def _read(self, answer: Response, call: VisionCall) -> ImageResult | Response | Retryable[ImageResult | Response]:
        call.record.answered(answer.status, answer.body)
        answer = vendor_errors.as_meant(answer, call.profile, call.model)
        if answer.status == 200:
            return _description(answer, call)
        wait = retry_after.seconds(answer.headers.get("retry-after"), self._calls.timing.now())
        match _meaning(answer, call):
            case _Meaning.PASSES:
                return Retryable(f"HTTP {answer.status}", _passing_status(answer.status, call, wait), wait)
            case _Meaning.IMAGE:
                return ImageFailure("refused")
            case meaning:
                return _final(meaning, answer.status, call)


def prompt(texts: Texts, question: str) -> str:
    """What the vision model is asked about an image, beside which `question` stands."""
    # The prompt puts the text between <<< and >>>, which the text itself must not contain.
    return texts.vision_prompt.format(question=marks.unquotable(question) or texts.vision_no_question)


def _request(call: VisionCall) -> JsonObject:
    """The request, as the endpoint's profile demands it: some models fix their temperature."""
    asked = prompt(call.texts, call.question)
    content = [{"type": "text", "text": asked}, {"type": "image_url", "image_url": {"url": call.url}}]
    body: JsonObject = {
        "model": call.model,
        "messages": [{"role": "user", "content": content}],
        "max_tokens": MAX_TOKENS,
        "temperature": 0,
        "stream": False,
    }
    apply_chat(body, RuleContext(call.profile, call.profile.model(call.model), call.texts, max_messages=None))
    return body


def _unanswered(error: CallFailed, call: VisionCall) -> Response:
    call.record.unanswered()
    entry = proxy_errors.VISION_TIMEOUT if isinstance(error, CallTimedOut) else proxy_errors.VISION_UNREACHABLE
    return entry(model=call.model).response()


def _description(answer: Response, call: VisionCall) -> ImageResult | Retryable[ImageResult | Response]:
    """The description in an answer with status 200. Only its text counts, not reasoning or tool calls."""
    try:
        choice = json_body.parse(answer.body)["choices"][0]
        text = _text(choice["message"].get("content"))
        filtered = choice.get("finish_reason") in _FILTERED
    except (json_body.InvalidJson, LookupError, TypeError, AttributeError):
        return Retryable("no chat answer", proxy_errors.VISION_BAD_ANSWER(model=call.model).response())
    if filtered:
        return ImageFailure("refused")
    return Description(text) if text else Retryable("empty answer", ImageFailure("empty"))


def _text(content: Any) -> str:
    """The text of an answer's content, a string or a list of parts."""
    if isinstance(content, list):
        texts = [part.get("text") for part in content if isinstance(part, dict)]
        content = "\n".join(text for text in texts if isinstance(text, str))
    return content.strip() if isinstance(content, str) else ""


def _meaning(answer: Response, call: VisionCall) -> _Meaning:
    """Statuses are read as the endpoint means them: its rate limit is a 400 (docs/facts/hunyuan.md#rate-limit)."""
    status = answer.status
    if retry.may_pass(status, answer.body, call.profile, call.model):
        return _Meaning.PASSES
    translated = vendor_errors.translate_error(status, answer.body, None, call.profile, call.model)
    if translated is not None:
        if translated.error.code == vendor_errors.ENTRIES["content_filter"].code:
            return _Meaning.IMAGE
        if translated.headers.get("x-should-retry") == "false":
            return _Meaning.QUOTA
        status = translated.status
    return _BY_STATUS.get(status, _Meaning.OTHER)


def _passing_status(status: int, call: VisionCall, wait: float | None) -> Response:
    """The error after the last try for an HTTP status that may pass. It must not look like one of the client's request.

    `wait`: the seconds that the endpoint asked for.
    """
    if status < 500 and status not in (408, 409, 425):
        return proxy_errors.VISION_RATE_LIMITED(model=call.model, retry_after=wait).response()
    return proxy_errors.VISION_UNAVAILABLE(model=call.model, number=status, retry_after=wait).response()


def _final(meaning: _Meaning, status: int, call: VisionCall) -> Response:
    """The error for what a retry can't fix: a status that clients don't retry (docs/facts/clients.md#retries)."""
    match meaning:
        case _Meaning.KEY if call.elsewhere:
            return proxy_errors.VISION_UPSTREAM_KEY_REFUSED(url=call.target.base_url, number=status).response()
        case _Meaning.KEY:
            entry = proxy_errors.VISION_KEY_REFUSED
        case _Meaning.MODEL:
            entry = proxy_errors.VISION_MODEL_NOT_FOUND
        case _Meaning.QUOTA:
            entry = proxy_errors.VISION_QUOTA
        case _:
            entry = proxy_errors.VISION_CALL_FAILED
    return entry(model=call.model, number=status).response()


ANNOUNCED = "(the description of the image would stand here: no vision model was asked)"
"""The description of every image in a dry run, so that the rules after the cascade have a text to work on."""


class DryRunVision:
    """Dry run: images are selected and counted as usual, but no call is made."""

    async def ask(self, call: VisionCall) -> ImageResult | Response:
        """`ANNOUNCED`, for any image."""
        return Description(ANNOUNCED)
