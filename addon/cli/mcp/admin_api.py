"""The admin server of a running proxy, as the tools ask it: plain data, or why there is none, in words.

The proxy is looked for at each question, since it may start after the agent that asks, and end before it. A token goes
to this machine or by verified HTTPS, and to nobody else.
"""

from __future__ import annotations

import json
import os
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import quote

import httpx

from ...config.option import OptionError
from ...exchange import JsonObject
from ...observe.admin.settings import AdminSettings
from ...observe.admin.token import VARIABLE, AdminToken
from ...wire.host_names import is_loopback
from .. import state

FILE_VARIABLE: Final = "HUNYUAN_ADMIN_TOKEN_FILE"
"""The variable of the option."""
MOST_BYTES: Final = 32 << 20
"""Of one answer."""
TIMEOUT: Final = 30.0
"""Seconds."""


class Unanswered(Exception):
    """There is no answer; the message says why, and what to do."""


class NotThere(Unanswered):
    """The admin server has no such path, or nothing under it: `code` says which."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code

    @property
    def is_path(self) -> bool:
        """The proxy is older than this question."""
        return self.code in ("admin_no_such_path", "")


def of_the_running_proxy() -> str:
    """The admin server's URL of the proxy that was started last on this machine; `""`: there is none."""
    return next((one.admin_url for one in state.running() if one.admin_url), "")


class AdminApi:
    """The admin server at `url`, or that of the proxy that runs. `token_file` as `hunyuan_admin_token_file`."""

    def __init__(
        self,
        url: str = "",
        token_file: Path | None = None,
        environment: Mapping[str, str] = os.environ,
        find: Callable[[], str] = of_the_running_proxy,
    ) -> None:
        self._url = url.rstrip("/")
        self._token_file = token_file
        self._environment = environment
        self._find = find
        self._at = self._url
        self._trusted: ssl.SSLContext | None = None

    def page(self, view: str) -> str:
        """The address of a view of the page in a browser: `exchanges/ID`."""
        return f"{self._at}/#/{view}"

    async def get(self, path: str, **parameters: object) -> JsonObject:
        """The JSON object at `path`. Raises `Unanswered`, and `NotThere` for a 404."""
        self._at = self._url or self._find()
        if not self._at:
            raise Unanswered(
                "No hunyuan-fix proxy with an admin server runs on this machine. Start one (`hunyuan-fix run`, in a "
                "clone `scripts/run`), or name its address to this MCP server with --url."
            )
        try:
            url = httpx.URL(self._at + path)
        except (httpx.InvalidURL, TypeError):
            raise Unanswered(f"The address {self._at!r} given with --url is no URL.") from None
        if url.scheme not in ("http", "https") or not url.host or not 0 < (url.port or 80) < 1 << 16:
            raise Unanswered(f"The address {self._at!r} given with --url is no http:// or https:// URL.")
        headers = {"accept": "application/json", "accept-language": "en"}
        if token := self._token():
            if url.scheme != "https" and not is_loopback(url.host):
                raise Unanswered(
                    f"The admin server's token isn't sent to {url.host} unencrypted. Use https://, or a tunnel to this "
                    "machine (`ssh -L 9464:127.0.0.1:9464 HOST`)."
                )
            headers["authorization"] = f"Bearer {token}"
        query = {name: str(value) for name, value in parameters.items() if value not in (None, "")}
        try:
            async with (
                httpx.AsyncClient(trust_env=False, verify=self._verify(url), timeout=TIMEOUT) as client,
                client.stream("GET", url, params=query, headers=headers) as answer,
            ):
                body = bytearray()
                async for piece in answer.aiter_bytes():
                    body += piece
                    if len(body) > MOST_BYTES:
                        raise Unanswered(f"The admin server's answer to {path} is larger than {MOST_BYTES >> 20} MB.")
                status = answer.status_code
        except httpx.TimeoutException:
            raise Unanswered(f"The admin server at {self._at} doesn't answer within {TIMEOUT:.0f} s.") from None
        except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError, OSError) as error:
            raise Unanswered(
                f"The admin server at {self._at} can't be reached ({type(error).__name__}): the proxy isn't running, "
                "or its admin server is elsewhere (`hunyuan_admin`; see --url)."
            ) from None
        return self._read(path, status, bytes(body))

    def _read(self, path: str, status: int, body: bytes) -> JsonObject:
        answer: object = None
        with suppress(ValueError, RecursionError):
            answer = json.loads(body)
        if status == 200 and isinstance(answer, dict):
            return answer
        error = answer.get("error") if isinstance(answer, dict) else None
        code = error.get("code") if isinstance(error, dict) else None
        message = error.get("message") if isinstance(error, dict) else None
        code = code if isinstance(code, str) else ""
        said = message[:500] if isinstance(message, str) else f"HTTP {status}"
        if status == 401:
            raise Unanswered(
                f"The admin server at {self._at} wants its token: {said} Give this MCP server --token-file FILE (that "
                f"of hunyuan_admin_token_file), or {VARIABLE} in its environment."
            )
        if status == 404:
            raise NotThere(said, code)
        if status != 200:
            raise Unanswered(f"The admin server at {self._at} refused {path} with {status}: {said}")
        raise Unanswered(f"What answers at {self._at} is no admin server of hunyuan-fix: {path} gave no JSON object.")

    def _token(self) -> str:
        """The token as the proxy has it: of the file, else of the environment. Read anew, since it may be renewed."""
        named = self._token_file
        if named is None and (given := self._environment.get(FILE_VARIABLE, "").strip()):
            named = Path(given).expanduser().absolute()
        try:
            return AdminToken(self._environment).configured(AdminSettings(admin_token_file=named)).value
        except OptionError as error:
            raise Unanswered(f"The admin server's token can't be read: {error}") from None

    def _verify(self, url: httpx.URL) -> ssl.SSLContext | bool:
        """Certificates are verified, also by what SSL_CERT_FILE names."""
        if url.scheme != "https":
            return False  # nothing is encrypted, and making a context takes 20 ms
        if self._trusted is None:
            self._trusted = ssl.create_default_context()
        return self._trusted


def segment(text: str) -> str:
    """`text` as a part of a path."""
    return quote(text, safe="")
