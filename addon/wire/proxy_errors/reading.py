"""What the proxy can read and translate."""

from __future__ import annotations

from .entry import Entry

REQUEST_TOO_LARGE = Entry(
    status=413,
    code="request_too_large",
    message="The request body is, or unpacks to, more than {limit} bytes (option hunyuan_max_body), or it unpacks to "
    "more than 8 MiB and 8 times its size.",
    when="the body is larger than `hunyuan_max_body`, or unpacks to more than 8 MiB and 8 times its size",
    advice="send less, or without content coding; `hunyuan_max_body`",
    retry=False,
)
REQUEST_TOO_LARGE_THERE = Entry(
    status=413,
    code="request_too_large",
    message="The request is {size} bytes long as it would leave, and the endpoint takes {limit} at most: nothing was "
    "sent.",
    when="the body has more bytes than the endpoint takes (`max_bytes` of its profile)",
    advice="send fewer or smaller images",
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
HEADERS_AMBIGUOUS = Entry(
    status=400,
    code="headers_ambiguous",
    message="The headers of this request contradict each other or are malformed, so it is not passed on (mitmproxy's "
    "option validate_inbound_headers). What stands between client and proxy may have changed them.",
    when="the headers of the request contradict each other or are malformed",
    advice="mend the client or what stands in between; `--set validate_inbound_headers=false`",
    retry=False,
    closes=True,
)
UNTRANSLATABLE = Entry(
    status=400,
    code="untranslatable",
    message="This request can't be translated for the endpoint: {why}",
    when="a request in another format than Chat Completions says what that format can't say",
    advice="the message names the place",
    retry=False,
)
CANT_BE_MASKED = Entry(
    status=400,
    code="cant_be_masked",
    message="This request would leave as it is, with what hunyuan_mask is to keep here: its body can't be read, or its "
    "format isn't looked into at this endpoint. Nothing was sent.",
    when="with `hunyuan_mask`, a call's body is no JSON object with messages, or its format passes untouched there",
    advice="`hunyuan_translate=auto` or `always`; `hunyuan_mask=off`",
    retry=False,
)
MASKING_FAILED = Entry(
    status=400,
    code="masking_failed",
    message="Something failed while this request was masked or repaired, and it can't leave as it is (hunyuan_mask). "
    "Nothing was sent; the proxy's log says what failed.",
    when="with `hunyuan_mask`, a fault in the proxy while it works on a request",
    advice="report it, with the log",
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
SIMILAR_MODEL_LISTED = Entry(
    status=404,
    code="model_not_found",
    message="The model {model} does not exist here. The endpoint lists models with a similar id: {near}.",
    when="a client asks for the entry of one model (`GET /v1/models/ID`) that is not listed, but one like it is",
    advice="use one of the names in the message",
    param="model",
    retry=False,
)
