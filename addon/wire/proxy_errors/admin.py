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
ADMIN_UNKNOWN_SESSION = Entry(
    status=404,
    code="admin_unknown_session",
    message="None of the last exchanges belongs to this session.",
    when="a session that none of the last exchanges belongs to",
    advice="`GET /api/sessions` lists them",
    retry=False,
)
ADMIN_IMAGE_NOT_KEPT = Entry(
    status=404,
    code="admin_image_not_kept",
    message="There is no such image among those that requests had lately, or its picture is no longer kept.",
    when="the key of an image that is not, or no longer, among the last ones",
    advice="`GET /api/images` lists them",
    retry=False,
)
ADMIN_CONTENT_OFF = Entry(
    status=404,
    code="admin_content_off",
    message="What requests and answers say isn't kept: hunyuan_page_content is false, or it is auto and the admin "
    "server can be reached by others.",
    when="the page asks for a body, and none is kept",
    advice="set `hunyuan_page_content` to `true`",
    retry=False,
)
ADMIN_CONTENT_TOO_LARGE = Entry(
    status=404,
    code="admin_content_too_large",
    message="This body is too large to be kept: hunyuan_page_bytes is for all of them together.",
    when="the page asks for a body that was too large to be kept",
    advice="raise `hunyuan_page_bytes`; one exchange may take half of it",
    retry=False,
)
ADMIN_CONTENT_UNREAD = Entry(
    status=404,
    code="admin_content_unread",
    message="This body has passed unread, so there is nothing to show of it.",
    when="the page asks for a body that the proxy has passed on without reading it",
    advice="nothing: such requests are sent on as they are",
    retry=False,
)
ADMIN_CONTENT_GONE = Entry(
    status=404,
    code="admin_content_gone",
    message="What this exchange said isn't kept any more: newer ones took its place.",
    when="the page asks for a body in whose place newer ones are kept",
    advice="raise `hunyuan_page_bytes`",
    retry=False,
)
ADMIN_NO_CONTENT = Entry(
    status=404,
    code="admin_no_content",
    message="There is no such body: the request didn't leave, or has no answer.",
    when="the page asks for the body of a request that didn't leave, or of an answer that there isn't",
    advice="the exchange itself says how it ended",
    retry=False,
)
ADMIN_NO_SUCH_IMAGE = Entry(
    status=404,
    code="admin_no_such_image",
    message="The request has no image with this number that can be shown: a PNG, JPEG, GIF or WebP in its own body.",
    when="the page asks for an image that a request doesn't have, or has only as a link",
    advice="images are numbered from 1 on, in the order in which the request has them",
    retry=False,
)
ADMIN_NO_SUCH_SESSION = Entry(
    status=404,
    code="admin_no_such_session",
    message="Of no exchange of this session is kept what it said.",
    when="a session is to be exported of which nothing is kept",
    advice="`GET /api/exchanges` lists the last exchanges with their sessions",
    retry=False,
)
ADMIN_WORKER_SILENT = Entry(
    status=503,
    code="admin_worker_silent",
    message="The worker process that knows this doesn't answer now: {why}.",
    when="several workers serve, and the one that is asked has ended, or is too busy to answer",
    advice="ask again; what a worker knew that has ended is lost",
    retry_after=2.0,
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
