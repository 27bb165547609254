"""Signing in by a link, and out again.

The link opens a page that sends the link's secret by POST. A GET that signs in would be used up by what only looks at
links, and its cookie, which is `SameSite=Strict`, would not be sent where the link was followed from another site.
"""

from __future__ import annotations

import base64
import hashlib
from html import escape

from ...config.command_names import command
from ...exchange import Response
from ...texts import sentences
from ...wire import proxy_errors
from . import links, sessions
from .guard import Guard
from .links import Links
from .parameters import Parameter, read_form, text
from .request import Request

FORM = [Parameter(links.PARAMETER, "The secret of the link.", text())]
"""The fields of the form."""
AFTER = "/"
"""Where a browser that has signed in goes."""
_SCRIPT = "document.forms[0].submit()"
_DIGEST = base64.b64encode(hashlib.sha256(_SCRIPT.encode()).digest()).decode()
_PAGE = (
    '<!doctype html><html lang="{language}"><meta charset="utf-8"><title>hunyuan-fix</title>'
    '<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">'
    "<style>body{{font:16px/1.6 system-ui,sans-serif;max-width:42rem;margin:3rem auto;padding:0 1rem}}</style>"
    '<h1>hunyuan-fix</h1><form method="post" action="{path}"><input type="hidden" name="{name}" value="{once}">'
    "<button>{sign_in}</button></form><script>{script}</script></html>"
)
_HEADERS = {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{_DIGEST}'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    # With `no-referrer` browsers send `Origin: null` (https://fetch.spec.whatwg.org/#append-a-request-origin-header).
    "referrer-policy": "same-origin",
}


def page(once: str, language: str) -> Response:
    """The page that a link opens."""
    body = _PAGE.format(
        language=language,
        path=links.PATH,
        name=links.PARAMETER,
        once=escape(once),
        sign_in=escape(sentences.said(language, "Sign in")),
        script=_SCRIPT,
    )
    return Response(200, dict(_HEADERS), body.encode())


def sign_in(request: Request, guard: Guard, used: Links) -> Response:
    """Open a session for the link in the form. Raises `Unusable`."""
    form = read_form(request.header("content-type"), request.body, FORM)
    once, token = form[links.PARAMETER], guard.token.value
    wrong = proxy_errors.ADMIN_LINK_INVALID(minutes=round(links.LIFETIME / 60), command=f"{command('admin')} link")
    if refused := guard.credentials(request.peer, lambda: bool(token) and used.use(once, token), wrong):
        return refused.response()
    secret = guard.sessions.open(token)
    return Response(303, {"location": AFTER, "set-cookie": sessions.cookie(secret, secure=_by_https(request))}, b"")


def sign_out(request: Request, guard: Guard) -> Response:
    """End the session that the request's cookie names."""
    guard.sessions.end(request.cookie(sessions.COOKIE))
    return Response(204, {"set-cookie": sessions.no_cookie(secure=_by_https(request))}, b"")


def _by_https(request: Request) -> bool:
    return request.header("origin").lower().startswith("https://")
