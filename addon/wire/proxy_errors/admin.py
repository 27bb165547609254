"""The admin server (`hunyuan_admin`)."""

from __future__ import annotations

from .entry import Entry

ADMIN_TOKEN_REQUIRED = Entry(
    status=401,
    code="admin_token_required",
    message="The admin server needs its token, as Authorization: Bearer, or a browser that has signed in ({command}).",
    when="a request to the admin server without its token",
    advice="send the token of `hunyuan_admin_token_file` or `HUNYUAN_ADMIN_TOKEN`; for a browser make a link",
    retry=False,
)
ADMIN_TOKEN_INVALID = Entry(
    status=401,
    code="admin_token_invalid",
    message="This is not the admin server's token: it is that of hunyuan_admin_token_file or HUNYUAN_ADMIN_TOKEN.",
    when="a request to the admin server with another token",
    advice="compare it with that of `hunyuan_admin_token_file` or `HUNYUAN_ADMIN_TOKEN`",
    retry=False,
)
ADMIN_LINK_INVALID = Entry(
    status=401,
    code="admin_link_invalid",
    message="This link has been used, is older than {minutes} minutes, or is from before the proxy started. For a new "
    "one: {command}",
    when="a link to sign in is used a second time, or too late",
    advice="make a new one with `hunyuan-fix admin link`",
    retry=False,
)
ADMIN_TOO_MANY_FAILURES = Entry(
    status=429,
    code="admin_too_many_failures",
    message="Too many wrong tokens have come from this address. It is heard again in {seconds} seconds.",
    when="an address has sent ten wrong tokens or links in a minute",
    advice="wait for `Retry-After`",
)
ADMIN_HOST_NOT_ALLOWED = Entry(
    status=403,
    code="admin_host_not_allowed",
    message="This request is addressed to a host that is not the admin server's: use its address, or name the host in "
    "hunyuan_admin_hosts.",
    when="the `Host` of a request is not the admin server's, as by a web page whose name resolves to it",
    advice="use the address of `hunyuan_admin`, or name the host in `hunyuan_admin_hosts`",
    retry=False,
)
ADMIN_CROSS_ORIGIN = Entry(
    status=403,
    code="admin_cross_origin",
    message="This request comes from a page of another origin.",
    when="a web page of another origin sends a request to the admin server",
    advice="open the admin server's own address",
    retry=False,
)
ADMIN_NO_SUCH_PATH = Entry(
    status=404,
    code="admin_no_such_path",
    message="The admin server has nothing at this path. GET /openapi.json lists what it has.",
    when="a path that the admin server doesn't have",
    advice="`GET /openapi.json` lists them",
    retry=False,
)
ADMIN_NO_SUCH_EXCHANGE = Entry(
    status=404,
    code="admin_no_such_exchange",
    message="There is no exchange with this id among the last ones.",
    when="an id that is not, or no longer, among the last exchanges",
    advice="`GET /api/exchanges` lists them",
    retry=False,
)
ADMIN_NO_SUCH_IMAGE = Entry(
    status=404,
    code="admin_no_such_image",
    message="There is no such image among those that requests had lately, or its picture is no longer kept.",
    when="the key of an image that is not, or no longer, among the last ones",
    advice="`GET /api/images` lists them",
    retry=False,
)
ADMIN_METHOD_NOT_ALLOWED = Entry(
    status=405,
    code="admin_method_not_allowed",
    message="This path takes another method: {methods}.",
    when="a path of the admin server with a method that it doesn't take",
    advice="the header `Allow` names the methods",
    retry=False,
)
ADMIN_BAD_REQUEST = Entry(
    status=400,
    code="admin_bad_request",
    message="The request's {field} can't be used: {why}.",
    when="a parameter or field of a request to the admin server can't be used",
    advice="the message names it, and what is accepted",
    retry=False,
)
ADMIN_TOO_MANY_LISTENERS = Entry(
    status=503,
    code="admin_too_many_listeners",
    message="{count} listeners hear events already: no more are taken.",
    when="too many listeners hear the admin server's events at once",
    advice="close one",
    retry_after=10.0,
)
ADMIN_FAILED = Entry(
    status=500,
    code="admin_failed",
    message="The admin server failed at this request. See the log.",
    when="a fault of the admin server itself",
    advice="report it with the log",
    retry=False,
)
