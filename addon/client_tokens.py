"""Client tokens: how others show that they may use the lent key. A token is its owner's API key for this proxy.

The file has one table a client (`scripts/token` writes it):

    [clients.alice]
    hash = "sha256:…"
    requests_per_minute = 60
    tokens_per_minute = 100000
    disabled = true

A plain SHA-256 is enough, without salt or a slow function such as bcrypt: those protect what people choose, which can
be guessed. A token is 256 random bits, which nobody will have tried before the sun burns out; and a slow function
would be run for every request.
"""

from __future__ import annotations

import base64
import binascii
import difflib
import hashlib
import hmac
import re
import secrets
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from mitmproxy.http import Headers, Request

from addon.options import OptionError, Settings
from addon.secret_files import SecretFile, SecretFileError

CARRIERS = ("authorization", "x-api-key", "api-key")
"""The headers in which a client's API key travels: OpenAI's, Anthropic's, Azure's."""

_TOKEN = rb"hf-[A-Za-z0-9_-]{43}"
# By itself, not as a part of something longer: a signed key may hold these letters by chance.
_ANYWHERE = re.compile(rb"(?<![A-Za-z0-9_-])" + _TOKEN + rb"(?![A-Za-z0-9_-])")
_AS_BEARER = re.compile(r"\s*bearer\s+(\S+)\s*", re.IGNORECASE)
_SCRUBBED = b"[redacted]"
_SUSPECT = re.compile(rb"hf-|basic\s", re.IGNORECASE)
"""What headers and path must hold for a closer look at each."""
_BASIC = re.compile(rb"\s*basic\s+(\S+)\s*", re.IGNORECASE)
_HASH = re.compile(r"sha256:[0-9a-f]{64}")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_FIELDS = ("hash", "requests_per_minute", "tokens_per_minute", "disabled")


@dataclass(frozen=True, slots=True)
class Quota:
    """What a client may use in a minute; 0: any number."""

    requests: int = 0
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Client:
    """A table of the file; `None` where it names no limit."""

    name: str
    digest: bytes = field(repr=False)
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    disabled: bool = False


class ClientTokens:
    """The clients that have tokens. Without a file there are none."""

    def __init__(self, file: SecretFile[tuple[Client, ...]] | None = None) -> None:
        self._file = file

    def configured(self, settings: Settings) -> ClientTokens:
        """Those of the file that `settings` name: these, if it is the same file. Raises `OptionError`."""
        path = settings.client_tokens_file
        if path == self.path:
            return self
        try:
            return ClientTokens(SecretFile(path, parse) if path else None)
        except SecretFileError as error:
            raise OptionError(f"hunyuan_client_tokens_file: {error}") from None

    @property
    def path(self) -> Path | None:
        """The file."""
        return self._file.path if self._file else None

    async def refresh(self) -> None:
        """Take over a changed file; one that is wrong is logged, and what was there before stays in force."""
        if self._file:
            await self._file.refresh()

    def owner(self, token: str) -> Client | None:
        """Whose token it is; `None` for one that is unknown or disabled.

        Every entry is compared, each in constant time: how long it takes says nothing of what is in the file.
        """
        digest = digest_of(token)
        found = None
        for client in self._clients:
            if hmac.compare_digest(client.digest, digest):
                found = client
        return None if found is None or found.disabled else found

    def quota(self, name: str, settings: Settings) -> Quota:
        """What the client `name` may use: as its entry says, else as the options do."""
        client = next((client for client in self._clients if client.name == name), None)
        requests, tokens = (client.requests_per_minute, client.tokens_per_minute) if client else (None, None)
        return Quota(
            settings.requests_per_minute if requests is None else requests,
            settings.tokens_per_minute if tokens is None else tokens,
        )

    @property
    def _clients(self) -> tuple[Client, ...]:
        return self._file.content if self._file else ()


def new_token() -> str:
    """A token that nobody has."""
    return f"hf-{secrets.token_urlsafe(32)}"


def digest_of(token: str) -> bytes:
    """What is kept of a token."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


def is_token(text: str) -> bool:
    """Whether `text` has the form of a token, and is nothing more."""
    return re.fullmatch(_TOKEN.decode(), text) is not None


def is_name(text: str) -> bool:
    """Whether a client may be called `text`: as in a TOML table's plain name, and in a key of Redis."""
    return _NAME.fullmatch(text) is not None


def take(headers: Headers) -> set[str]:
    """The tokens that travel in `headers` as API keys; they are taken out. Other keys stay."""
    taken: set[str] = set()
    for name in CARRIERS:
        values = headers.get_all(name)
        tokens = [_carried(name, value) for value in values]
        if any(tokens):
            taken.update(filter(None, tokens))
            headers.set_all(name, [value for value, token in zip(values, tokens, strict=True) if token is None])
    return taken


def scrub(request: Request) -> bool:
    """Take what looks like a token out of the headers and the path of `request`, wherever it stands.

    Whether there was any: such a request must not go on. What is left may be logged and kept.
    """
    everything = b"\n".join([request.data.path, *(part for field in request.headers.fields for part in field)])
    if not _SUSPECT.search(everything):  # as nearly always
        return False
    fields = tuple((_scrubbed(name), _scrubbed(value)) for name, value in request.headers.fields)
    path = _scrubbed(request.data.path)
    found = fields != request.headers.fields or path != request.data.path
    if found:
        request.headers.fields, request.data.path = fields, path
    return found


def _carried(name: str, value: str) -> str | None:
    match = _AS_BEARER.fullmatch(value) if name == "authorization" else None
    text = match[1] if match else value.strip()
    return text if is_token(text) else None


def _scrubbed(text: bytes) -> bytes:
    basic = _BASIC.fullmatch(text)
    if basic and _ANYWHERE.search(_decoded(basic[1])):
        return _SCRUBBED  # as a proxy's user name or password
    return _ANYWHERE.sub(_SCRUBBED, text) if b"hf-" in text else text


def _decoded(base64_text: bytes) -> bytes:
    try:
        return base64.b64decode(base64_text + b"==")
    except binascii.Error:
        return base64_text


def parse(text: str) -> tuple[Client, ...]:
    """The clients in a tokens file. Raises `ValueError`: which client, which field, what is accepted."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"not valid TOML: {error}") from None
    entries = tables.pop("clients", {})
    if tables:
        raise ValueError(f"{next(iter(tables))}: accepted are tables such as [clients.alice]")
    if not isinstance(entries, dict):
        raise ValueError("clients: accepted are tables such as [clients.alice]")
    clients = tuple(_client(name, entry) for name, entry in entries.items())
    owners: dict[bytes, str] = {}
    for client in clients:
        other = owners.setdefault(client.digest, client.name)
        if other != client.name:
            raise ValueError(f"client {client.name}: hash: the same as that of client {other}; each needs its own")
    return clients


def _client(name: str, entry: object) -> Client:
    where = f"client {name}"
    if not is_name(name):
        raise ValueError(f"{where}: accepted as a name are up to 64 letters, digits, _ and -")
    if not isinstance(entry, dict):
        raise ValueError(f"{where}: accepted is a table such as [clients.{name}]")
    for key in entry:
        if key not in _FIELDS:
            near = difflib.get_close_matches(key, _FIELDS, n=1)
            raise ValueError(f"{where}: there is no field {key}" + (f"; {near[0]} is meant?" if near else ""))
    hashed = entry.get("hash")
    if not isinstance(hashed, str) or not _HASH.fullmatch(hashed):
        # Not what stands there: it may be the token itself.
        raise ValueError(f'{where}: hash: needed is "sha256:" and 64 hexadecimal digits, as scripts/token writes it')
    disabled = entry.get("disabled", False)
    if not isinstance(disabled, bool):
        raise ValueError(f"{where}: disabled: accepted are true and false")
    return Client(
        name,
        bytes.fromhex(hashed.removeprefix("sha256:")),
        _limit(where, entry, "requests_per_minute"),
        _limit(where, entry, "tokens_per_minute"),
        disabled,
    )


def _limit(where: str, entry: dict[str, object], key: str) -> int | None:
    value = entry.get(key)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{where}: {key}: accepted is a whole number from 0 up (0: any number)")
    return value
