"""Answers that can't be used."""

from __future__ import annotations

from .entry import IN_STREAM, UPSTREAM_STATUS, Entry

CLOSED_WITHOUT_ANSWER = Entry(
    status=502,
    code="upstream_invalid_answer",
    message="The endpoint {where} closed the connection before it answered. It may have worked on the request; try "
    "again.",
    when="the endpoint closed the connection, or reset the stream, before its answer",
    advice="try again",
    retry_after=2.0,
)
ANSWER_CUT = Entry(
    status=502,
    code="upstream_invalid_answer",
    message="The endpoint {where} broke off in the middle of its answer, of which nothing was sent on. Try again.",
    when="the connection broke in the middle of an answer that is no stream",
    advice="try again",
    retry_after=2.0,
)
ANSWER_NOT_HTTP = Entry(
    status=502,
    code="upstream_invalid_answer",
    message="The endpoint {where} sent something that is no HTTP answer. Check scheme (http or https) and port, then "
    "try again.",
    when="what the endpoint sent is no HTTP answer",
    advice="check scheme and port",
)
ANSWER_HEADERS_REFUSED = Entry(
    status=502,
    code="upstream_invalid_answer",
    message="The endpoint {where} sent headers that programs read in different ways, so its answer is not passed on "
    "(mitmproxy's option validate_inbound_headers).",
    when="the headers of the endpoint's answer contradict each other, such as two lengths",
    advice="what stands between here and the endpoint writes such headers; `--set validate_inbound_headers=false`",
)
ANSWER_TOO_LARGE = Entry(
    status=502,
    code="upstream_invalid_answer",
    message="The answer of {where} is larger than mitmproxy's option body_size_limit.",
    when="an answer that is no stream is larger than `body_size_limit`",
    advice="ask for shorter answers; `--set body_size_limit=20m`",
    retry=False,
)
UPSTREAM_ERROR = Entry(
    status=UPSTREAM_STATUS,
    code="upstream_error",
    message="The endpoint answered HTTP {number} with something that is no JSON.",
    when="the endpoint's error is a page or empty (`hunyuan_retry=all`)",
    advice="the status is the endpoint's: 5xx may pass, 4xx may not",
)
INVALID_ANSWER = Entry(
    status=502,
    code="upstream_invalid_answer",
    message="The endpoint's answer can't be used: {flaw}.",
    when="the endpoint sent a page, nothing, or an answer without choices under a status of success",
    advice="try again; `hunyuan_retry=all` does",
)
ANSWER_BROKEN_OFF = Entry(
    status=502,
    code="upstream_invalid_answer",
    message="The endpoint {where} broke off its answer ({kind}). Try again.",
    when="the connection broke after the answer's status had come (`hunyuan_retry=all`)",
    advice="try again",
)
BATCH_INVALID_ANSWER = Entry(
    status=502,
    code="upstream_invalid_answer",
    message="The endpoint gave no usable answer for one part of this embeddings request, which is too large for one "
    "call.",
    when="one part of an embeddings request that is sent in parts got an answer that can't be used",
    advice="try again",
)
PLACEHOLDER_UNKNOWN = Entry(
    status=502,
    code="placeholder_unknown",
    message="The model called a tool with a placeholder of hunyuan_mask that stands for nothing in this request: the "
    "tool would get it in the place of a value. Ask again; if that doesn't help, give the model the value once more, "
    "or set hunyuan_mask=off.",
    when="with `hunyuan_mask`, a tool call has a placeholder that is none of the request's: the model remembers it "
    "from its thoughts, or made it up; in a stream, an error event",
    advice="try again; let the model read the value again; `hunyuan_mask=off`",
)
STREAM_BROKEN = Entry(
    status=IN_STREAM,
    code="stream_broken",
    type="upstream_error",
    message="The endpoint broke off in the middle of its answer: the answer is incomplete.",
    when="the endpoint broke off a stream after its beginning",
    advice="try again",
)
STREAM_TIMEOUT = Entry(
    status=IN_STREAM,
    code="upstream_timeout",
    type="upstream_error",
    message="The endpoint fell silent in the middle of its answer: the answer is incomplete.",
    when="the endpoint was silent for `hunyuan_upstream_timeout` in the middle of a stream (`hunyuan_retry=all`)",
    advice="try again, or raise `hunyuan_upstream_timeout`",
)
STREAM_INCOMPLETE = Entry(
    status=IN_STREAM,
    code="stream_incomplete",
    type="upstream_error",
    message="The endpoint ended its answer without a finish reason: the answer is incomplete.",
    when="a stream ended properly, but without a finish reason",
    advice="try again",
)
STREAM_UNREADABLE = Entry(
    status=IN_STREAM,
    code="stream_unreadable",
    type="upstream_error",
    message="The endpoint sent more than one event that can't be read: the answer is incomplete.",
    when="more than one event of a stream from an endpoint that speaks another format can't be read; the first is left "
    "out",
    advice="try again",
)
STREAM_EVENT_TOO_LARGE = Entry(
    status=IN_STREAM,
    code="stream_event_too_large",
    type="upstream_error",
    message="The endpoint sent an event of more than 1 MiB, which can't be translated.",
    when="one event of a stream is larger than 1 MiB, for a client that speaks another format than Chat Completions",
    advice="ask for shorter answers",
)
STREAM_ANSWER_TOO_LARGE = Entry(
    status=IN_STREAM,
    code="stream_answer_too_large",
    type="upstream_error",
    message="More than 16 MiB of this answer had to wait until it was whole: it is not translated.",
    when="more than 16 MiB of a stream have to wait until they are whole, for a client that speaks another format than "
    "Chat Completions",
    advice="ask for shorter answers",
)
CALLS_UNNAMED = Entry(
    status=IN_STREAM,
    code="calls_unnamed",
    type="upstream_error",
    message="The model called tools without naming any of them: no call of this answer can be made.",
    when="no tool call of an answer has a name, for a client that speaks the Responses API",
    advice="try again",
)
NO_SUMMARY = Entry(
    status=IN_STREAM,
    code="no_summary",
    type="upstream_error",
    message="The model wrote no summary: the conversation is not compacted, and stays as it is.",
    when="an answer that becomes a compaction item has no text, or was filtered",
    advice="try again",
)
