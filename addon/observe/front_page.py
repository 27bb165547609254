"""`GET /` on a port that stands for an endpoint: what listens here, where it sends calls, what to set in a client."""

from __future__ import annotations

from html import escape

from ..exchange import Response
from ..texts import sentences

PATH = "/"
_HTML = (
    '<!doctype html><html lang="{language}"><meta charset="utf-8"><title>hunyuan-fix</title>'
    '<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">'
    "<style>body{{font:16px/1.6 system-ui,sans-serif;max-width:42rem;margin:3rem auto;padding:0 1rem}}</style>"
    "<h1>hunyuan-fix</h1>{paragraphs}</html>"
)
_HEADERS = {"cache-control": "no-store", "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'"}


def answered_here(method: str, path: str, accept: str, upstream: str, language: str) -> Response | None:
    """The page for `GET /`; `None` for any other request. `path`: without its query.

    HTML for a browser (`accept`), else lines of text. `upstream`: the base URL that calls go to, told to clients on
    this machine only; `""` for others. While the proxy ends, the request is refused with a 503 before this.
    """
    if method != "GET" or path != PATH:
        return None
    lines = [sentences.said(language, "hunyuan-fix runs here.")]
    if upstream:
        lines.append(sentences.said(language, "Calls go to {upstream}.", upstream=upstream))
    lines += [
        sentences.said(language, "Base URL of clients: this address with /v1; of Anthropic's clients: without it."),
        sentences.said(language, "GET /v1/models lists the models, GET /health says whether the proxy is up."),
    ]
    if "text/html" not in accept:
        return Response(
            200, {**_HEADERS, "content-type": "text/plain; charset=utf-8"}, _encoded("\n".join(lines) + "\n")
        )
    page = _HTML.format(language=language, paragraphs="".join(f"<p>{escape(line)}" for line in lines))
    return Response(200, {**_HEADERS, "content-type": "text/html; charset=utf-8"}, _encoded(page))


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")
