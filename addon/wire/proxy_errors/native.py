"""Requests of programs with Tencent Cloud's SDK. Their codes there: dialects/tencent_cloud/errors.toml."""

from __future__ import annotations

from .entry import Entry

NATIVE_PROTOCOL = Entry(
    status=400,
    code="native_protocol_unsupported",
    message="Tencent Cloud's API is answered here for POST requests with JSON and signMethod TC3-HMAC-SHA256, "
    "which are the SDK's defaults.",
    when="a request of Tencent Cloud's API is sent by GET, as a form, or signed in an older way",
    advice="leave the SDK's `reqMethod` and `signMethod` at their defaults",
    retry=False,
)
NATIVE_HEADER_MISSING = Entry(
    status=400,
    code="native_header_missing",
    message="The header {header} is missing, or isn't what it must be.",
    when="a request of Tencent Cloud's API lacks a header that each needs",
    advice="send requests by the vendor's SDK, or set the header",
    retry=False,
)
NATIVE_ACTION_UNKNOWN = Entry(
    status=404,
    code="native_action_unknown",
    message="The action {action} is not answered here: ChatCompletions, GetEmbedding and GetTokenCount are.",
    when="a request of Tencent Cloud's API names an action that has nothing to go to",
    advice="use one of the three; nothing is sent",
    retry=False,
)
NATIVE_VERSION_UNKNOWN = Entry(
    status=404,
    code="native_version_unknown",
    message="The version {version} of Tencent Cloud's API is not known: {known} is.",
    when="a request of Tencent Cloud's API names a version that isn't known",
    advice="use the SDK's module `hunyuan.v20230901`",
    retry=False,
)
NATIVE_UNTRANSLATED = Entry(
    status=400,
    code="native_untranslated",
    message="The endpoint doesn't speak Tencent Cloud's API, and this request may not be translated for it "
    "(hunyuan_mode, x-hunyuan-mode, hunyuan_translate).",
    when="a request of Tencent Cloud's API has to be translated, and its body is to pass as it is",
    advice="set `hunyuan_mode=repair` and `hunyuan_translate=auto`",
    retry=False,
)
SIGNATURE_EXPIRED = Entry(
    status=401,
    code="signature_expired",
    message="The request's time and this proxy's differ by {seconds} s; 300 are allowed. Set the clock of the machine "
    "that is wrong.",
    when="a signed request is older or newer than five minutes",
    advice="set the clock, and sign each request anew",
    retry=False,
)
SIGNATURE_UNREADABLE = Entry(
    status=401,
    code="signature_unreadable",
    message="Authorization is no signature of the form TC3-HMAC-SHA256 over content-type and host, of the day in "
    "X-TC-Timestamp.",
    when="the signature of a request can't be read",
    advice="sign requests by the vendor's SDK",
    retry=False,
)
SIGNATURE_WRONG = Entry(
    status=401,
    code="signature_wrong",
    message="The signature is not that of this request by the SecretKey in hunyuan_tencent_secrets_file.",
    when="the signature of a request is wrong",
    advice="compare the client's SecretKey with that in `hunyuan_tencent_secrets_file`",
    retry=False,
)
SECRET_ID_UNKNOWN = Entry(
    status=401,
    code="secret_id_unknown",
    message="This proxy is for clients that it knows, and it doesn't know this SecretId, or it is disabled "
    "(hunyuan_tencent_secrets_file).",
    when="a client on another machine, or under `hunyuan_trust_loopback=false` any client, signs with a SecretId that "
    "isn't known",
    advice="add the SecretId to `hunyuan_tencent_secrets_file` where the proxy runs",
    retry=False,
)
