"""Errors for programs with the vendor's SDK: HTTP 200, whatever happened, and a native code.

The SDKs read an error only from an answer with the status 200 and exactly the content type `application/json`; any
other status is a `ServerNetworkError` without a word of what is wrong.
"""

from __future__ import annotations

from typing import Final

from ...exchange import JsonObject, Response
from ...wire import json_body
from ..errors import Given, given_in, language, meaning, of_object
from .client_answer import request_id
from .client_request import REFUSED_AS
from .errors import native_code
from .fields import REQUEST_ID_HEADER

BROKEN: Final = 4000
TIMED_OUT: Final = 4001
"""The vendor's codes of an error in the middle of a stream (`ErrorMsg`)."""
_TIMEOUT: Final = "FailedOperation.EngineRequestTimeout"


def error(response: Response, note: JsonObject) -> Response:
    """The error `response`, in any shape, as the vendor's, for the client whose request left `note`. Raises nothing."""
    given = given_in(response.body, response.status, language(note))
    meant = meaning(given, response.status, language(note))
    refused_as = note.pop(REFUSED_AS, None)
    code = refused_as if isinstance(refused_as, str) else _code(given, meant.status)
    headers = {name: value for name, value in response.headers.items() if name != "content-length"}
    headers["content-type"] = "application/json"
    if meant.retry_after is not None:
        headers.setdefault("retry-after", str(meant.retry_after))
    identity = request_id(note) or given.request_id
    if identity:
        headers[REQUEST_ID_HEADER.lower()] = identity
    said = {"Response": {"Error": {"Code": code, "Message": meant.said}, "RequestId": identity}}
    return Response(200, headers, json_body.serialise(said))


def in_stream(given: JsonObject) -> JsonObject:
    """`ErrorMsg` for OpenAI's error object in the middle of a stream."""
    found = of_object(given)
    meant = meaning(found, 0)
    timed_out = _code(found, meant.status) == _TIMEOUT
    return {"Msg": meant.said, "Code": TIMED_OUT if timed_out else BROKEN}


def _code(given: Given, status: int) -> str:
    known = (given.original or {}).get("native_code")
    return native_code(
        status, {"code": given.codes[0] if given.codes else None, "type": given.type, "native_code": known}
    )
