"""The catalogue of errors that the proxy answers with. `docs/errors.md` is made from it.

Rules for an entry:

- Its status says whether a retry can help. Clients send what got a 400 once, but what gets a lasting 429 or 5xx up to
  30 times (docs/facts/clients.md#retries): an error that a retry can't fix has status 400, 401, 403, 404 or 413, or
  `retry=False`.
- Its message says what is wrong, where, and what to do, without any message content or key.
- Code and status are an interface: clients act on them, so they don't change.

Use: `proxy_errors.QUEUE_FULL(limit=4, waiting=9, seconds=3, retry_after=2.4).response()`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .openai_error import ProxyError, type_of

IN_STREAM = 200
"""Status of an entry that is sent as an event, at the end of a stream that began with this status."""
UPSTREAM_STATUS = 0
"""Status of an entry that has the status of the endpoint's answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One kind of error. `message` is a template for `str.format`; its fields are the values that a call takes."""

    status: int
    code: str
    message: str
    when: str
    """When clients get it, for docs/errors.md."""
    advice: str
    """What to do about it, for docs/errors.md."""
    type: str = ""
    """OpenAI's error type. Empty: the one that belongs to the status."""
    param: str | None = None
    retry: bool | None = None
    retry_after: float | None = None
    closes: bool = False

    def __call__(
        self,
        *,
        status: int | None = None,
        type: str | None = None,
        retry: bool | None = None,
        retry_after: float | None = None,
        param: str | None = None,
        vendor: Mapping[str, object] | None = None,
        **values: object,
    ) -> ProxyError:
        """This error with `values` in its message. Arguments that are not given are taken from the entry.

        Raises `KeyError` if the message has a field that isn't among `values`.
        """
        status = self.status if status is None else status
        return ProxyError(
            status=status,
            type=type or self.type or type_of(status),
            code=self.code,
            message=self.message.format(**values),
            param=param or self.param,
            retry=self.retry if retry is None else retry,
            retry_after=self.retry_after if retry_after is None else retry_after,
            closes=self.closes,
            vendor=vendor,
        )


# Who may use the proxy (access/)

TOKEN_MISPLACED = Entry(
    status=401,
    code="invalid_api_key",
    message="A client token stands in a header for API keys, but not as the key: send it as it is, in Authorization: "
    "Bearer.",
    when="a client token stands in a key header in a form that no client sends",
    advice="set the token as the client's API key",
    retry=False,
)
TOKEN_INVALID = Entry(
    status=401,
    code="invalid_api_key",
    message="This client token is unknown, disabled, or not the only one in the request.",
    when="the client token is not valid",
    advice="ask for a new token; the command `token` makes one, where the proxy runs",
    retry=False,
)
TOKEN_FOR_OTHER_HOST = Entry(
    status=401,
    code="invalid_api_key",
    message="A client token is valid for this proxy's endpoints only, and is not sent to other hosts.",
    when="a request with a client token goes to another host",
    advice="send the token to the endpoint's base URL only",
    retry=False,
)
TOKEN_REQUIRED = Entry(
    status=401,
    code="invalid_api_key",
    message="This proxy is for clients that have a token: send it as the API key.",
    when="a client on another machine sends neither a token nor the proxy's password",
    advice="set a client token as the API key",
    retry=False,
)
KEY_NOT_LENT = Entry(
    status=401,
    code="invalid_api_key",
    message="The client token is valid, but the proxy does not lend its key to this request: {why}.",
    when="the token is valid, but there is no key to lend for this request",
    advice="the message names the reason",
    retry=False,
)
CREDENTIALS_UNUSABLE = Entry(
    status=401,
    code="invalid_api_key",
    message="The endpoint wants requests signed, and this API key can't sign them: {why}.",
    when="the endpoint wants requests signed, and the API key is not of the form that this needs",
    advice="the message names the form",
    retry=False,
)
KEY_FOR_ANOTHER_HOST = Entry(
    status=401,
    code="invalid_api_key",
    message="The key in this request is for {host} and is not sent to another endpoint, and the proxy lends no key in "
    "its place: {why}.",
    when="a request to another vendor's host is sent elsewhere (`hunyuan_upstream`), and no key is lent to it",
    advice="`HUNYUAN_API_KEY` or `hunyuan_api_key_file`: the message names the reason",
    retry=False,
)
HOST_NOT_ALLOWED = Entry(
    status=403,
    code="host_not_allowed",
    message="This proxy connects clients on other machines to its own endpoints only.",
    when="a client on another machine asks for a host that is not one of the endpoints",
    advice="use the proxy for the endpoint only (`NO_PROXY`), or sign in with `proxyauth`",
    retry=False,
)
CLIENT_LIMIT_REACHED = Entry(
    status=429,
    code="rate_limit_exceeded",
    message="This client token has used up its {limit} {kind} a minute.",
    when="a client token has used up its requests or tokens a minute",
    advice="wait for `Retry-After`; `x-ratelimit-…` headers say what is left",
)

# What the proxy can read (hooks/)

REQUEST_TOO_LARGE = Entry(
    status=413,
    code="request_too_large",
    message="The request body is, or unpacks to, more than {limit} bytes (option hunyuan_max_body), or it unpacks to "
    "more than 8 MiB and 8 times its size.",
    when="the body is larger than `hunyuan_max_body`, or unpacks to more than 8 MiB and 8 times its size",
    advice="send less, or without content coding; `hunyuan_max_body`",
    retry=False,
)
REQUEST_TOO_COMPLEX = Entry(
    status=413,
    code="request_too_complex",
    message="The request body has {count}, which is more than this proxy reads.",
    when="the body's JSON has more values than the proxy reads",
    advice="send fewer messages or smaller tool schemas",
    retry=False,
)
UNTRANSLATABLE = Entry(
    status=400,
    code="untranslatable",
    message="This request can't be translated for the endpoint: {why}",
    when="a request in another format than Chat Completions says what that format can't say",
    advice="the message names the place",
    retry=False,
)
API_NOT_OFFERED = Entry(
    status=404,
    code="api_not_offered",
    message="The endpoint does not offer {path}: of this API only messages, their token counts and the list of models "
    "are translated. Nothing was sent.",
    when="a client of another format asks for an API of that format that is not translated, such as batches or files; "
    "or for anything but the calls that are repaired, at a host of another vendor",
    advice="send each request by itself, with files inside its messages",
    retry=False,
)
WEBSOCKET_NOT_SPOKEN = Entry(
    status=426,
    code="websocket_not_spoken",
    message="This proxy translates the Responses API over HTTP only: send a POST with `stream: true`. Codex does so by "
    "itself after this answer; supports_websockets=false in its provider spares it the attempt.",
    when="a client asks for a WebSocket where the Responses API is translated",
    advice="Codex: `supports_websockets=false`, or nothing: it goes on over HTTP by itself",
    retry=False,
)
PREVIOUS_RESPONSE_NOT_FOUND = Entry(
    status=400,
    code="previous_response_not_found",
    message="Previous response with id '{id}' not found. This proxy keeps answers itself (hunyuan_keep), for the key "
    "that asked for them. This one is unknown to it: it belongs to another key, was asked for with `store: false`, was "
    "too large, is too old, or a restart came between. Send the whole conversation in `input` instead.",
    when="`previous_response_id` or `conversation` leads to an answer that is not kept, or not for this key",
    advice="send the whole conversation in `input`; `hunyuan_keep=store` outlives restarts and serves several workers",
    param="previous_response_id",
    retry=False,
)
NOTHING_KEPT = Entry(
    status=400,
    code="previous_response_not_found",
    message="This proxy keeps no answers (hunyuan_keep=off), so that a request can't refer to an earlier one. Send the "
    "whole conversation in `input`, without previous_response_id, conversation and item_reference.",
    when="a request refers to an earlier answer under `hunyuan_keep=off`",
    advice="send the whole conversation in `input`, or use `hunyuan_keep=memory`",
    retry=False,
)
HISTORY_TOO_LONG = Entry(
    status=400,
    code="history_too_long",
    message="The conversation that this request continues has {why}, which is more than this proxy reads. Begin a new "
    "one with a summary of this one.",
    when="the answers before a request are more than 1000, or larger than `hunyuan_max_body`",
    advice="begin a new conversation",
    param="previous_response_id",
    retry=False,
)
CONVERSATION_NOT_FOUND = Entry(
    status=404,
    code="conversation_not_found",
    message="Conversation with id '{id}' not found. This proxy knows the conversations that were begun here, with this "
    "key (POST /v1/conversations).",
    when="a conversation is not kept, or not for this key",
    advice="begin one with `POST /v1/conversations`",
    param="conversation",
    retry=False,
)
ITEM_NOT_FOUND = Entry(
    status=404,
    code="item_not_found",
    message="Item with id '{id}' not found. Items are kept with the answer that they belong to, for its key alone, "
    "unless it was asked for with `store: false`. Send the item itself.",
    when="an `item_reference` names an item that is not kept, or not for this key",
    advice="send the item itself; AI SDK: `store: false`",
    param="input",
    retry=False,
)
RESPONSE_NOT_FOUND = Entry(
    status=404,
    code="response_not_found",
    message="Response with id '{id}' not found.",
    when="an answer is asked for by an id that is not kept, or not for this key",
    advice="`hunyuan_keep`; an answer to a request with `store: false` is not kept",
    retry=False,
)
KEPT_CALL_REFUSED = Entry(
    status=400,
    code="not_supported",
    message="{why}",
    when="a call about a kept answer or conversation asks for what is not done here, such as cancelling an answer",
    advice="the message says why",
    retry=False,
)
MODEL_NOT_LISTED = Entry(
    status=404,
    code="model_not_found",
    message="The model {model} does not exist here: the endpoint does not list it, and hunyuan_models has no pattern "
    "for it.",
    when="a client asks for the entry of one model (`GET /v1/models/ID`) that the endpoint does not list",
    advice="`GET /v1/models` lists the names that are there",
    param="model",
    retry=False,
)
PROXY_LOOP = Entry(
    status=400,  # not 508, which clients would retry
    code="proxy_loop",
    message="A call of this proxy's own ({header}) came back to it: hunyuan_upstream or hunyuan_outgoing_proxy leads "
    "to the proxy itself.",
    when="a call of the proxy's own came back to it",
    advice="set `hunyuan_upstream` or `hunyuan_outgoing_proxy` to another address",
    retry=False,
)
PROXY_FAILED_AT_HEADERS = Entry(
    status=502,
    code="proxy_failed",
    message="The proxy failed at the request's headers and sent nothing to the endpoint. See its log.",
    when="a fault of the proxy itself, before it knew where the request may go",
    advice="report it with the log",
)
PROXY_FAILED_IN_RELAY = Entry(
    status=502,
    code="proxy_failed",
    message="The proxy failed while it relayed this request. See its log.",
    when="a fault of the proxy itself while it relayed the call",
    advice="report it with the log",
)
IMAGE_CASCADE_FAILED = Entry(
    status=502,
    code="image_cascade_failed",
    message="The proxy failed while it worked on the request's images and sent nothing to the endpoint. See its log.",
    when="a fault of the proxy itself in a request with images",
    advice="report it with the log",
)
TRANSLATION_FAILED = Entry(
    status=502,
    code="proxy_failed",
    message="The proxy failed while it worked on a request in another format than the endpoint's and sent nothing to "
    "the endpoint. See its log.",
    when="a fault of the proxy itself in a request that is translated",
    advice="report it with the log",
)
SHUTTING_DOWN = Entry(
    status=503,
    code="proxy_shutting_down",
    message="The proxy is shutting down and takes no new requests. Nothing was sent to the endpoint; try again "
    "shortly.",
    when="the request came while the proxy was ending",
    advice="try again: another process listens by then, or the port is closed",
    retry=True,
    retry_after=2.0,
    closes=True,
)
STOPPED = Entry(
    status=503,
    code="proxy_shutting_down",
    message="The proxy was stopped before this request had its answer. Try again shortly.",
    when="the proxy ended before the answer had begun",
    advice="try again; `hunyuan_drain_timeout` gives requests more time at an end",
    retry=True,
    retry_after=2.0,
    closes=True,
)
STOPPED_IN_STREAM = Entry(
    status=IN_STREAM,
    code="proxy_shutting_down",
    type="server_error",
    message="The proxy was stopped in the middle of this answer, which is incomplete. Try again shortly.",
    when="the proxy ended in the middle of a stream",
    advice="try again; `hunyuan_drain_timeout` gives requests more time at an end",
)
RELAY_SECRET_UNKNOWN = Entry(
    status=403,
    code="relay_secret_unknown",
    type="permission_error",
    message="This port is for the proxy itself: the request has no valid secret.",
    when="another program sent a request to the proxy's internal port",
    advice="use the proxy's own port",
    retry=False,
)

# What no model accepts (rules/, pipeline)

INPUT_TOO_LONG = Entry(
    status=400,
    code="context_length_exceeded",
    # The beginning is what Claude Code compacts its history at (docs/facts/anthropic.md#windows).
    message="prompt is too long: {tokens} tokens > {limit} maximum. The proxy estimates this for the model {model}: "
    "the endpoint would drop the beginning of the input and not say so (hunyuan_overlong).",
    when="the input is longer than the model's limit: `hunyuan_overlong=error`, under `auto` in a translated request",
    advice="send a shorter history (agents compact theirs), or take another model; `hunyuan_window` sets another limit",
    param="messages",
)
UNSUPPORTED_DIMENSIONS = Entry(
    status=400,
    code="unsupported_dimensions",
    message="The model {model} answers with {known} dimensions and no other number: leave `dimensions` out.",
    when="an embeddings request asks for another vector length than the model's",
    advice="leave `dimensions` out",
    param="dimensions",
)
TOO_MANY_INPUTS = Entry(
    status=400,
    code="too_many_inputs",
    message="The input has {count} texts; at most {limit} are taken in one request, as by OpenAI.",
    when="an embeddings request has more than 2048 texts",
    advice="send several requests",
    param="input",
)
UNSUPPORTED_INPUT = Entry(
    status=400,
    code="unsupported_input",
    message="The input is token ids, but this endpoint takes text only: send strings. LangChain does with "
    "OpenAIEmbeddings(check_embedding_ctx_length=False).",
    when="an embeddings request has token ids in place of text",
    advice="send strings; in LangChain: `check_embedding_ctx_length=False`",
    param="input",
)
EMBEDDING_MODEL_RETIRED = Entry(
    status=404,
    code="model_not_found",
    message="The embedding model {model} does not exist here. Its successor is {successor}; it is not used in its "
    "place, because vectors of two models do not fit into one index: ask for it by name and embed the documents anew.",
    when="a retired embedding model, on a request that is re-routed",
    advice="ask for the successor, and embed all documents anew",
    param="model",
)

# The account's queue and the endpoint's circuit breaker (admission/, upstream/)

QUEUE_FULL = Entry(
    status=429,
    code="proxy_queue_full",
    message="hunyuan-fix lets {limit} calls at once through to this account (hunyuan_concurrency), {waiting} wait "
    "already (hunyuan_queue_max). Try again in {seconds} s.",
    when="`hunyuan_queue_max` requests wait for the account already",
    advice="fewer clients, or raise `hunyuan_queue_max`",
)
QUEUE_TIMEOUT = Entry(
    status=429,
    code="proxy_queue_timeout",
    message="hunyuan-fix lets {limit} calls at once through to this account (hunyuan_concurrency), and none of them "
    "ended within {waited:.0f} s for this one to follow (hunyuan_queue_timeout). Try again in {seconds} s.",
    when="no call of the account ended within `hunyuan_queue_timeout`",
    advice="fewer clients, or raise `hunyuan_queue_timeout`",
)
UPSTREAM_DOWN = Entry(
    status=503,
    code="upstream_down",
    message="The endpoint {host} is down: its last calls failed, so the proxy spares it. It will be tried again in "
    "{seconds} s. If it never answers, check the network and hunyuan_upstream.",
    when="the endpoint failed several times in a row and is left alone for a while",
    advice="wait for `Retry-After`; `hunyuan_breaker_failures=0` turns this off",
)

# What the endpoint answered, or didn't (relay/, upstream/embedding_batches, answers/)

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
    message="The endpoint broke off its answer ({kind}).",
    when="the connection broke after the answer's status had come (`hunyuan_retry=all`)",
    advice="try again",
)
UPSTREAM_TIMEOUT = Entry(
    status=504,
    code="upstream_timeout",
    message="The endpoint did not answer in time.",
    when="the endpoint was silent for `hunyuan_upstream_timeout` (`hunyuan_retry=all`)",
    advice="try again, or raise `hunyuan_upstream_timeout`",
)
UPSTREAM_UNREACHABLE = Entry(
    status=502,
    code="upstream_unreachable",
    message="The endpoint could not be reached: {kind}.",
    when="no connection with the endpoint (`hunyuan_retry=all`)",
    advice="check network and `hunyuan_upstream`",
)
UPSTREAM_NOT_TRUSTED = Entry(
    status=502,
    code="upstream_tls_failed",
    message="There is no secure connection with the endpoint: {kind} (ssl_verify_upstream_trusted_ca, ssl_insecure).",
    when="the endpoint's certificate is not trusted (`hunyuan_retry=all`)",
    advice="behind a company's proxy: `--set ssl_verify_upstream_trusted_ca=FILE`",
    retry=False,
)
UPSTREAM_TLS_FAILED = Entry(
    status=502,
    code="upstream_tls_failed",
    message="There is no secure connection with the endpoint: {kind}.",
    when="the TLS handshake with the endpoint failed (`hunyuan_retry=all`)",
    advice="try again; check what stands between here and the endpoint",
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
STREAM_INCOMPLETE = Entry(
    status=IN_STREAM,
    code="stream_incomplete",
    type="upstream_error",
    message="The endpoint ended its answer without a finish reason: the answer is incomplete.",
    when="a stream ended properly, but without a finish reason",
    advice="try again",
)
BATCH_TIMEOUT = Entry(
    status=504,
    code="upstream_timeout",
    message="The endpoint did not answer in time for one part of this embeddings request, which is too large for one "
    "call.",
    when="one part of an embeddings request that is sent in parts had no answer in time",
    advice="try again, or send fewer texts",
)
BATCH_UNREACHABLE = Entry(
    status=502,
    code="upstream_unreachable",
    message="The endpoint could not be reached for one part of this embeddings request, which is too large for one "
    "call.",
    when="no connection for one part of an embeddings request that is sent in parts",
    advice="check network and `hunyuan_upstream`",
)
BATCH_INVALID_ANSWER = Entry(
    status=502,
    code="upstream_invalid_answer",
    message="The endpoint gave no usable answer for one part of this embeddings request, which is too large for one "
    "call.",
    when="one part of an embeddings request that is sent in parts got an answer that can't be used",
    advice="try again",
)

# Calls of a search (search/)

SEARCH_TIMEOUT = Entry(
    status=504,
    code="upstream_timeout",
    message="The endpoint did not answer in time for a request whose model searches the web through the proxy.",
    when="one call of a request with `web_search` had no answer in time (`hunyuan_search_command`)",
    advice="try again",
)
SEARCH_UNREACHABLE = Entry(
    status=502,
    code="upstream_unreachable",
    message="The endpoint could not be reached for a request whose model searches the web through the proxy.",
    when="no connection for one call of a request with `web_search` (`hunyuan_search_command`)",
    advice="check network and `hunyuan_upstream`",
)

# What the endpoint didn't answer (hooks/unanswered): `where` is its host and port

NAME_UNKNOWN = Entry(
    status=502,
    code="upstream_unreachable",
    message="The endpoint {where} could not be reached: its name has no address here. Check the base URL and the "
    "proxy's network and DNS, then try again.",
    when="the endpoint's name can't be resolved",
    advice="check the base URL, the proxy's network and its DNS",
    retry_after=5.0,
)
CONNECTION_REFUSED = Entry(
    status=502,
    code="upstream_unreachable",
    message="The endpoint {where} could not be reached: the connection was refused, no program listens there. Check "
    "host and port, then try again.",
    when="the endpoint refuses the connection",
    advice="check host and port, and whether the endpoint runs",
    retry_after=2.0,
)
CONNECT_TIMEOUT = Entry(
    status=504,
    code="upstream_timeout",
    message="The endpoint {where} could not be reached: it did not answer the connection in time. Check the proxy's "
    "network and firewall, then try again.",
    when="a connection with the endpoint takes longer than 30 seconds, or than the system allows",
    advice="check network and firewall",
    retry_after=5.0,
)
CONNECTION_FAILED = Entry(
    status=502,
    code="upstream_unreachable",
    message="The endpoint {where} could not be reached: no connection. Check the proxy's network, then try again; the "
    "proxy's log has the reason.",
    when="no connection with the endpoint for another reason, such as a proxy in between that refuses it",
    advice="check the network; the log has the reason",
    retry_after=5.0,
)
CERTIFICATE_NOT_TRUSTED = Entry(
    status=502,
    code="upstream_tls_failed",
    message="There is no secure connection with the endpoint {where}: its certificate can't be verified for this name. "
    "Check the base URL; behind a company's proxy start with --set ssl_verify_upstream_trusted_ca=FILE.",
    when="the endpoint's certificate is not trusted, or is for another name",
    advice="check the base URL; behind a company's proxy: `--set ssl_verify_upstream_trusted_ca=FILE`",
    retry=False,
)
HANDSHAKE_FAILED = Entry(
    status=502,
    code="upstream_tls_failed",
    message="There is no secure connection with the endpoint {where}: the TLS handshake failed. Check that the port "
    "speaks TLS (https), and what stands in between, then try again.",
    when="the TLS handshake with the endpoint failed, or ended early",
    advice="check scheme and port, and what stands between here and the endpoint",
    retry_after=5.0,
)
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
BODY_TOO_LARGE = Entry(
    status=413,
    code="request_too_large",
    message="The request body is larger than this proxy reads (mitmproxy's option body_size_limit). Nothing was sent "
    "to {where}.",
    when="the body is larger than `body_size_limit`, which is `hunyuan_max_body` where the port is open for clients "
    "with tokens",
    advice="send less; `hunyuan_max_body`, `body_size_limit`",
    retry=False,
    closes=True,
)

# Calls to the vision model (cascade, vision/)

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

# The endpoint's own errors, with the status that they mean (wire/vendor_errors)

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
CONTENT_FILTER = Entry(
    status=400,
    code="content_filter",
    message="{message}",
    when="the endpoint refuses the content",
    advice="change the content: a retry gets the same answer",
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
    when="the endpoint refuses the API key, and it is known what the key may be for",
    advice="the message says which hosts take such a key",
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

CATALOGUE: Mapping[str, Entry] = {name: entry for name, entry in list(globals().items()) if isinstance(entry, Entry)}
"""Every error that the proxy can answer with, by its name here, in this order."""
