"""The endpoint's own errors, with the status that they mean."""

from __future__ import annotations

from .entry import Entry

RATE_LIMIT_EXCEEDED = Entry(
    status=429,
    code="rate_limit_exceeded",
    message="{message}",
    when="the endpoint's rate limit, which the old platform sends as 400",
    advice="wait for `Retry-After`; `hunyuan_retry=all`, or a lower `hunyuan_concurrency`",
    retry_after=2.0,
)
INSUFFICIENT_QUOTA = Entry(
    status=400,
    code="insufficient_quota",
    type="insufficient_quota",
    message="{message}",
    when="the account's quota is used up",
    advice="the vendor's console",
    retry=False,
)
MODEL_NOT_FOUND = Entry(
    status=404,
    code="model_not_found",
    message="{message}",
    when="the endpoint does not know the model, or has retired it",
    advice="the message names the successor if there is one; `hunyuan_successors=old=new`",
    param="model",
)
CONTENT_POLICY_VIOLATION = Entry(
    status=400,
    code="content_policy_violation",
    message="{message}",
    when="the endpoint refuses the content; Claude Code gets 451",
    advice="change the content: a retry gets the same answer, and none is made here",
    retry=False,
)
ENGINE_OVERLOADED = Entry(
    status=429,
    code="engine_overloaded",
    type="engine_overloaded_error",
    message="{message}",
    when="the endpoint has too much to do; Anthropic's clients get 529",
    advice="wait for `Retry-After`; `hunyuan_retry=all`",
    retry_after=5.0,
)
MODEL_NOT_IN_PLAN = Entry(
    status=403,
    code="model_not_in_plan",
    type="permission_error",
    message="{message}",
    when="the key, or its plan, does not cover the model",
    advice="the message names the plan's models where they are known",
    param="model",
)
KEY_REFUSED = Entry(
    status=401,
    code="invalid_api_key",
    type="authentication_error",
    message="{message}",
    when="the endpoint refuses the API key",
    advice="the message says where such a key is valid, and where one for this endpoint is made",
)
CLIENT_REFUSED = Entry(
    status=403,
    code="client_refused",
    type="permission_error",
    message="{message}",
    when="the endpoint answers certain programs only",
    advice="use one of them, or another endpoint",
)
CONTEXT_LENGTH_EXCEEDED = Entry(
    status=400,
    code="context_length_exceeded",
    message="{message}",
    when="the endpoint says that the input is longer than the model reads",
    advice="send a shorter history (agents compact theirs), or take another model",
    param="messages",
)
MESSAGES_TOO_LARGE = Entry(
    status=413,
    code="request_too_large",
    message="{message}",
    when="the endpoint says that the messages have too many bytes",
    advice="send fewer or smaller images",
)
ENDPOINT_RETIRED = Entry(
    status=404,
    code="endpoint_retired",
    message="{message}",
    when="the endpoint says that it is no longer in service",
    advice="the message names the platform that has taken its place",
)
