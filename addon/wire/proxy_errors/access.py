"""Who may use the proxy, and with which key."""

from __future__ import annotations

from .entry import Entry

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
    when="a client on another machine, or under `hunyuan_trust_loopback=false` any client, sends neither a token nor "
    "the proxy's password",
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
SIGNING_KEY_MISPLACED = Entry(
    status=401,
    code="invalid_api_key",
    message="This API key is a SecretId and a SecretKey, with which requests to Tencent Cloud's own API are signed "
    "(hunyuan_upstream=https://hunyuan.tencentcloudapi.com). The endpoint {host} takes a key in one piece; nothing was "
    "sent.",
    when="an API key with `|` in it, a SecretId and a SecretKey, comes for an endpoint that takes keys in one piece",
    advice="send a key of that endpoint; or name Tencent Cloud's own API as `hunyuan_upstream`",
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
EMBEDDINGS_NO_KEY = Entry(
    status=401,
    code="invalid_api_key",
    message="Embeddings are sent to {url} (hunyuan_embeddings_upstream), and there is no key for it: {why}. Nothing "
    "was sent; the request's own key is for another host.",
    when="there is no key for `hunyuan_embeddings_upstream`, or its client may not be lent one",
    advice="a table for its provider in `hunyuan_keys_file`: the message names the reason",
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
    message="This client token has used up its {limit} {kind} a minute. Try again in {seconds} s.",
    when="a client token has used up its requests or tokens a minute",
    advice="wait for `Retry-After`; `x-ratelimit-…` headers say what is left",
)
