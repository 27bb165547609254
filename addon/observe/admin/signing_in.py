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
_KEEP_VIEW = "try{localStorage.setItem('hunyuan-fix-wanted',location.hash)}catch{}"
"""What stands behind `#` reaches no server: the page finds it there once its browser has signed in (main.js)."""


def _policy(script: str) -> str:
    """The content security policy of a page on which `script` alone runs."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; frame-ancestors 'none'; "
        "base-uri 'none'"
    )


_STYLE = (
    "body{{font:16px/1.6 system-ui,sans-serif;max-width:42rem;margin:3rem auto;padding:0 1rem}}"
    "pre{{font-size:15px;padding:.6rem .8rem;border:1px solid #8888;border-radius:6px;overflow-x:auto}}"
)
_NEEDED = (
    '<!doctype html><html lang="{language}"><head><meta charset="utf-8"><title>hunyuan-fix</title>'
    '<meta name="viewport" content="width=device-width, initial-scale=1">'
    f'<meta name="color-scheme" content="light dark"><style>{_STYLE}</style></head>'
    '<body><main><h1>hunyuan-fix</h1>{paragraphs}<pre tabindex="0">{command}</pre><p>{after}</p></main>'
    "<script>{script}</script></body></html>"
)
_PAGE = (
    '<!doctype html><html lang="{language}"><meta charset="utf-8"><title>hunyuan-fix</title>'
    '<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">'
    "<style>body{{font:16px/1.6 system-ui,sans-serif;max-width:42rem;margin:3rem auto;padding:0 1rem}}</style>"
    '<h1>hunyuan-fix</h1><form method="post" action="{path}"><input type="hidden" name="{name}" value="{once}">'
    "<button>{sign_in}</button></form><script>{script}</script></html>"
)
_HEADERS = {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": f"{_policy(_SCRIPT)}; form-action 'self'",
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


def needed(language: str) -> Response:
    """The page for a browser that must sign in first: it says how. The view that it asked for is shown afterwards."""
    made_by = f"{command('admin')} link"
    lines = [
        sentences.said(language, "This page is for those who have the admin server's token."),
        sentences.said(language, "Make a link on the machine where the proxy runs, and open it in this browser:"),
    ]
    after = sentences.said(
        language,
        "It holds for {minutes} minutes and once. With a token in a file: {command} --token-file FILE.",
        minutes=round(links.LIFETIME / 60),
        command=made_by,
    )
    paragraphs = "".join(f"<p>{escape(line)}</p>" for line in lines)
    body = _NEEDED.format(
        language=language, paragraphs=paragraphs, command=escape(made_by), after=escape(after), script=_KEEP_VIEW
    )
    headers = {
        "content-type": "text/html; charset=utf-8",
        "content-security-policy": f"{_policy(_KEEP_VIEW)}; form-action 'none'",
        "www-authenticate": 'Bearer realm="hunyuan-fix"',
    }
    return Response(401, headers, body.encode())


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
