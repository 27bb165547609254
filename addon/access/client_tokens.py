"""Client tokens: how others show that they may use the lent key. A token is its owner's API key for this proxy.

The file has one table for each client (`scripts/token` writes it):

    [clients.alice]
    hash = "sha256:…"
    requests_per_minute = 60
    tokens_per_minute = 100000
    disabled = true

A plain SHA-256 is enough, without salt or a slow function such as bcrypt: those protect passwords that people choose,
which can be guessed. A token is 256 random bits, infeasible to brute-force, and a slow function would be run for every
request.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from ..config import values as read
from ..config.command_names import command
from ..config.option import OptionError, option
from ..did_you_mean import suggestion
from ..texts.terminal import say
from ..wire import content_coding
from ..workers import Workers
from . import token_search
from .http_message import Headers, Request
from .secret_files import SecretFile, SecretFileError
from .token_search import TokenSearch

CARRIERS = ("authorization", "x-api-key", "api-key")
"""The headers in which a client's API key travels: OpenAI's, Anthropic's, Azure's."""

_AS_BEARER = re.compile(r"\s*bearer(?:\s+(.*))?", re.IGNORECASE | re.DOTALL)
_PREFIX = token_search.PREFIX.decode()
_TOKEN = re.compile(re.escape(_PREFIX) + r"[A-Za-z0-9_-]{43}")
_HASH = re.compile(r"sha256:[0-9a-f]{64}")
_PLACE = re.compile(r"\((at [^()]*)\)$")
_LONGEST_SHOWN = 80
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_COST, _PACKED_COST = 4, 200
"""The cost of searching one byte, in the units of `Workers`: of hostile text, and of a body that is unpacked first."""
_FIELDS = ("hash", "requests_per_minute", "tokens_per_minute", "disabled")


@dataclass(frozen=True)
class TokenSettings:
    """The file of client tokens, and the limits of those without limits of their own; 0: any number."""

    client_tokens_file: Path | None = option(
        "",
        "File with the hashed tokens of clients that may use the lent key; `hunyuan-fix token` writes it.",
        read.optional(read.path),
    )
    requests_per_minute: int = option(
        "0",
        "Requests a minute for each client token whose entry names no limit; 0: any number.",
        read.count(0),
    )
    tokens_per_minute: int = option(
        "0",
        "Tokens a minute for each client token whose entry names no limit; 0: any number.",
        read.count(0),
    )


@dataclass(frozen=True, slots=True)
class Quota:
    """The limits of a client per minute; 0: any number."""

    requests: int = 0
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Client:
    """A table of the file. A limit is `None` where the table has none."""

    name: str
    digest: bytes = field(repr=False)
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    disabled: bool = False


class ClientTokens:
    """The clients in the tokens file; none without a file."""

    def __init__(self, file: SecretFile[tuple[Client, ...]] | None = None) -> None:
        self._file = file
        self._searched: tuple[Client, ...] = ()
        self._search = TokenSearch()

    def configured(self, settings: TokenSettings) -> ClientTokens:
        """The clients of the file in `settings`; this object if the file is the same. Raises `OptionError`."""
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

    @property
    def file(self) -> SecretFile[tuple[Client, ...]] | None:
        """The file, as it is read."""
        return self._file

    async def refresh(self) -> None:
        """Take over a changed file. An invalid one is logged, and the previous content stays in force."""
        if self._file:
            await self._file.refresh()

    def owner(self, token: str) -> Client | None:
        """The owner of `token`; `None` for an unknown or disabled token.

        Every entry is compared, each in constant time, so that the time taken tells nothing about the file.
        """
        digest = digest_of(token)
        found = None
        for client in self._clients:
            if hmac.compare_digest(client.digest, digest):
                found = client
        return None if found is None or found.disabled else found

    @property
    def search(self) -> TokenSearch:
        """The search for the file's tokens, disabled ones included: they are secrets as well."""
        clients = self._clients
        if self._searched is not clients:
            self._searched, self._search = clients, TokenSearch(frozenset(client.digest for client in clients))
        return self._search

    def quota(self, name: str, settings: TokenSettings) -> Quota:
        """The limits of the client `name`: from its entry, else from the options."""
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
    """A new random token."""
    return f"hf-{secrets.token_urlsafe(32)}"


def digest_of(token: str) -> bytes:
    """The digest of a token: all of it that is stored."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


def is_token(text: str) -> bool:
    """Whether `text` is a token by its form, as a whole."""
    return _TOKEN.fullmatch(text) is not None


def is_name(text: str) -> bool:
    """Whether a client may be called `text`: as in a TOML table's plain name, and in a key of Redis."""
    return _NAME.fullmatch(text) is not None


def take(headers: Headers) -> set[str]:
    """Remove from `headers` the API keys that begin like a token, and return them. Other keys stay."""
    taken: set[str] = set()
    for _, value in headers.fields:
        if value.find(token_search.PREFIX) >= 0:  # not `in`, which takes ten times as long for bytes
            break
    else:
        return taken  # as nearly always
    for name in CARRIERS:
        values = headers.get_all(name)
        tokens = [_carried(name, value) for value in values]
        if any(tokens):
            taken.update(filter(None, tokens))
            headers.set_all(name, [value for value, token in zip(values, tokens, strict=True) if token is None])
    return taken


def scrub(request: Request, search: TokenSearch) -> bool:
    """Replace each token in the method, the path, the host names and the headers of `request` by the mark.

    Returns whether a token stood in a header for keys (`CARRIERS`), in a spelling that `take` doesn't know.
    """
    if not search:
        return False
    data = request.data
    data.method, data.path, data.authority = map(search.redacted, (data.method, data.path, data.authority))
    fields = tuple((search.redacted(name), search.redacted(value)) for name, value in request.headers.fields)
    if fields == request.headers.fields:  # as nearly always
        return False
    before = [request.headers.get_all(name) for name in CARRIERS]
    request.headers.fields = fields
    return before != [request.headers.get_all(name) for name in CARRIERS]


async def scrub_body(request: Request, search: TokenSearch, limit: int, workers: Workers) -> None:
    """Replace each token in the body and the trailers of `request`, which has been read whole, by the mark.

    A body with a content coding is searched unpacked, up to `limit` bytes, and stays unpacked if a token was in it.
    """
    if not search:
        return
    if request.trailers is not None:
        request.trailers.fields = tuple(
            (search.redacted(name), search.redacted(value)) for name, value in request.trailers.fields
        )
    body, coding = request.raw_content, request.headers.get("content-encoding", "")
    if not body:
        return
    cost = len(body) * (_PACKED_COST if coding else _COST)
    written = await workers.run(lambda _: _scrubbed(body, coding, search, limit), cost)
    if written is not None:
        request.headers.pop("content-encoding", None)
        request.content = written


def _scrubbed(body: bytes, coding: str, search: TokenSearch, limit: int) -> bytes | None:
    """`body`, unpacked and without tokens; `None` if it has no token or can't be unpacked."""
    try:
        plain = content_coding.unpack(body, coding, limit) if coding else body
    except (content_coding.CodingError, content_coding.TooLarge):
        return None  # the reader of the body reports what is wrong with it
    written = search.redacted(plain)
    return None if written is plain else written


def _carried(name: str, value: str) -> str | None:
    match = _AS_BEARER.fullmatch(value) if name == "authorization" else None
    text = ((match[1] or "") if match else value).strip()
    return text if text.startswith(_PREFIX) else None


def parse(text: str) -> tuple[Client, ...]:
    """The clients in a tokens file. Raises `ValueError`: which client, which field, what is accepted."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        # The place alone: the parser's message may quote the file.
        place = _PLACE.search(str(error))
        raise ValueError(say("not valid TOML ({place})", place=place[1]) if place else say("not valid TOML")) from None
    except (RecursionError, ValueError):
        raise ValueError(
            say("not a file of client tokens: it is nested too deep, or has a number without end")
        ) from None
    entries = tables.pop("clients", {})
    if tables:
        raise ValueError(f"{_shown(next(iter(tables)))}: {say('accepted are tables such as [clients.alice]')}")
    if not isinstance(entries, dict):
        raise ValueError(f"clients: {say('accepted are tables such as [clients.alice]')}")
    clients = tuple(_client(name, entry) for name, entry in entries.items())
    owners: dict[bytes, str] = {}
    for client in clients:
        other = owners.setdefault(client.digest, client.name)
        if other != client.name:
            same = say("the same as that of client {other}; each needs its own", other=other)
            raise ValueError(f"client {client.name}: hash: {same}")
    return clients


def _shown(name: str) -> str:
    """A name in the file as a message may quote it: not long, no control characters, and no token by mistake."""
    return "…" if len(name) > _LONGEST_SHOWN or not name.isprintable() or _TOKEN.search(name) else name


def _client(name: str, entry: object) -> Client:
    where = f"client {_shown(name)}"
    if not is_name(name) or is_token(name):
        raise ValueError(f"{where}: {say('accepted as a name are up to 64 letters, digits, _ and -')}")
    if not isinstance(entry, dict):
        raise ValueError(f"{where}: {say('accepted is a table such as [clients.{name}]', name=name)}")
    for key in entry:
        if key not in _FIELDS:
            unknown = say("there is no field {name}", name=_shown(key))
            raise ValueError(f"{where}: {unknown}{suggestion(key, _FIELDS)}")
    hashed = entry.get("hash")
    if not isinstance(hashed, str) or not _HASH.fullmatch(hashed):
        # The value isn't quoted: it may be the token itself.
        needed = say('needed is "sha256:" and 64 hexadecimal digits, as {command} writes it', command=command("token"))
        raise ValueError(f"{where}: hash: {needed}")
    disabled = entry.get("disabled", False)
    if not isinstance(disabled, bool):
        raise ValueError(f"{where}: disabled: {say('accepted are true and false')}")
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
        raise ValueError(f"{where}: {key}: {say('accepted is a whole number from 0 up (0: any number)')}")
    return value
