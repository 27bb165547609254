"""Calls to the vision model."""

from __future__ import annotations

from .entry import Entry

IMAGES_LATE = Entry(
    status=504,
    code="vision_timeout",
    message="The images of this request were not all described in time. Nothing was sent to the endpoint; finished "
    "descriptions are kept for the next try.",
    when="the images were not all described within `hunyuan_cascade_deadline`",
    advice="try again: finished descriptions are kept",
    retry_after=5.0,
)
VISION_TIMEOUT = Entry(
    status=504,
    code="vision_timeout",
    message="An image of this request was not described: the vision model {model} did not answer in time. Nothing was "
    "sent to the endpoint.",
    when="the vision model did not answer within `hunyuan_vision_timeout`, after all tries",
    advice="try again, or raise `hunyuan_vision_timeout`",
    retry_after=5.0,
)
VISION_UNREACHABLE = Entry(
    status=502,
    code="vision_unreachable",
    message="An image of this request was not described: the vision model {model} could not be reached. Nothing was "
    "sent to the endpoint.",
    when="no connection for a vision call, after all tries",
    advice="check network and `hunyuan_outgoing_proxy`",
    retry_after=5.0,
)
VISION_BAD_ANSWER = Entry(
    status=502,
    code="vision_bad_answer",
    message="An image of this request was not described: the vision model {model} sent something that is no answer. "
    "Nothing was sent to the endpoint.",
    when="the vision model's answer can't be used, after all tries",
    advice="try again",
    retry_after=5.0,
)
VISION_RATE_LIMITED = Entry(
    status=429,
    code="rate_limit_exceeded",
    message="An image of this request was not described: the vision model {model} is rate limited. Nothing was sent to "
    "the endpoint.",
    when="the vision model is rate limited, after all tries",
    advice="wait for `Retry-After`; a lower `hunyuan_vision_concurrency`",
    retry_after=5.0,
)
VISION_UNAVAILABLE = Entry(
    status=503,
    code="vision_unavailable",
    message="An image of this request was not described: the vision model {model} answered HTTP {number}. Nothing was "
    "sent to the endpoint.",
    when="the vision model answered with an error that may pass, after all tries",
    advice="try again",
    retry_after=5.0,
)
VISION_KEY_REFUSED = Entry(
    status=401,
    code="invalid_api_key",
    type="authentication_error",
    message="The key of this request was refused for the vision model {model} (HTTP {number}), which describes the "
    "images of this request.",
    when="the request's key was refused for the vision model",
    advice="a key that may use that model, or another `hunyuan_vision_model`",
)
VISION_UPSTREAM_KEY_REFUSED = Entry(
    status=400,
    code="vision_key_refused",
    message="The images of this request are described at {url} (hunyuan_vision_upstream), which refused the "
    "proxy's key for it (HTTP {number}). The key of this request has nothing to do with it.",
    when="the key for `hunyuan_vision_upstream` was refused",
    advice="the right key for its provider in `hunyuan_keys_file`",
    retry=False,
)
VISION_MODEL_NOT_FOUND = Entry(
    status=400,
    code="vision_model_not_found",
    message="The vision model {model}, which describes the images of this request, is unknown or retired (HTTP "
    "{number}). Set the option hunyuan_vision_model to a model that the endpoint offers.",
    when="the endpoint does not offer the vision model",
    advice="`hunyuan_vision_model=ID`",
    retry=False,
)
VISION_QUOTA = Entry(
    status=400,
    code="insufficient_quota",
    type="insufficient_quota",
    message="The quota of the vision model {model}, which describes the images of this request, is used up (HTTP "
    "{number}).",
    when="the account's quota for the vision model is used up",
    advice="the vendor's console",
    retry=False,
)
VISION_CALL_FAILED = Entry(
    status=400,
    code="vision_call_failed",
    message="The call to the vision model {model}, which describes the images of this request, failed with HTTP "
    "{number}.",
    when="a vision call failed with a status that a retry can't fix",
    advice="look the status up at the vendor",
    retry=False,
)
