"""Clients that sign their requests, as programs with Tencent Cloud's SDK do: who one is, and whether it is.

Such a client has no API key that it could send. Its signature is checked where the key that it was made with is known,
by the file `hunyuan_tencent_secrets_file`; then it names the client, as a client token does. The file has a table for
each SecretId:

    [secrets.AKIDEXAMPLE]
    secret_key = "…"
    client = "alice"
    disabled = true

A signature is over the body, too, so a request is known by its SecretId at its headers, and believed once its body is
there (`Claim.wrong`). Nothing that it authenticates with is sent on, shown or kept.
"""

from __future__ import annotations

import hmac
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from ..config import values as read
from ..config.option import OptionError, option
from ..did_you_mean import suggestion
from ..texts.terminal import say
from ..upstream import tc3
from ..wire import proxy_errors
from ..wire.openai_error import ProxyError
from .client_tokens import is_name
from .http_message import Headers
from .secret_files import SecretFile, SecretFileError

SKEW: Final = 300
"""Seconds that the clocks of client and proxy may differ."""
SCHEME: Final = "tc3-hmac-sha256"
_UNSIGNED: Final = "skip"
"""What the SDK sends as `Authorization` where it was told not to sign."""
_TIMESTAMP: Final = re.compile(r"\d{1,12}")
_AUTHORIZATION: Final = re.compile(
    r"TC3-HMAC-SHA256\s+Credential=(?P<id>[^/,\s]{1,200})/(?P<date>\d{4}-\d\d-\d\d)/(?P<service>[\w.-]{1,100})/tc3_request"
    r"\s*,\s*SignedHeaders=(?P<names>[\w;-]{1,500})\s*,\s*Signature=(?P<signature>[0-9a-f]{64})",
    re.IGNORECASE | re.ASCII,
)
_REQUIRED: Final = frozenset(["content-type", "host"])
_SECRET_HEADERS: Final = ("authorization", "x-tc-token")
_FIELDS: Final = ("secret_key", "client", "disabled")
_KEY: Final = re.compile(r"[\x21-\x7e]+")
_PLACE: Final = re.compile(r"\((at [^()]*)\)$")
_LONGEST_SHOWN: Final = 40


@dataclass(frozen=True)
class SignedSettings:
    """The file with the keys of clients that sign."""

    tencent_secrets_file: Path | None = option(
        "",
        "File with the SecretKey and the client of each SecretId whose signed requests (Tencent Cloud's SDK) are "
        "checked; readable by its owner only.",
        read.optional(read.path),
    )


@dataclass(frozen=True, slots=True)
class Secret:
    """A table of the file."""

    secret_id: str
    secret_key: str = field(repr=False)
    client: str
    disabled: bool = False


class SignedClients:
    """The secrets in the file; none without a file."""

    def __init__(self, file: SecretFile[Mapping[str, Secret]] | None = None) -> None:
        self.file = file

    def configured(self, settings: SignedSettings) -> SignedClients:
        """The secrets of the file in `settings`; this object if the file is the same. Raises `OptionError`."""
        path = settings.tencent_secrets_file
        if path == (self.file.path if self.file else None):
            return self
        try:
            return SignedClients(SecretFile(path, parse) if path else None)
        except SecretFileError as error:
            raise OptionError(f"hunyuan_tencent_secrets_file: {error}") from None

    async def refresh(self) -> None:
        """Take over a changed file. An invalid one is logged, and the previous content stays in force."""
        if self.file:
            await self.file.refresh()

    def of(self, secret_id: str) -> Secret | None:
        """The secret of `secret_id`; `None` if it is unknown."""
        return self.file.content.get(secret_id) if self.file else None


@dataclass(frozen=True, slots=True)
class Claim:
    """What a request says of its sender, until its body is there."""

    secret: Secret | None = field(repr=False)
    """`None`: nobody knows the SecretId, and nothing can be checked."""
    method: str
    path: str
    query: str
    date: str
    service: str
    timestamp: int
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    """Those that were signed, in their order."""
    signature: str = field(repr=False)
    payload: str | None
    """What is hashed in the body's place, if anything is."""
    token: str = field(default="", repr=False)
    """Of temporary credentials."""
    signs: bool = False
    """The request goes to an endpoint that wants it signed, too: with the client's own key."""

    @property
    def client(self) -> str | None:
        """The client, if the signature is right; `None` for an unknown or disabled one."""
        return None if self.secret is None or self.secret.disabled else self.secret.client

    @property
    def credentials(self) -> str:
        """What a request is signed with anew, once its signature was found right."""
        if self.secret is None:
            return ""
        return tc3.Credentials(self.secret.secret_id, self.secret.secret_key, self.token).text

    def wrong(self, body: bytes) -> ProxyError | None:
        """Why the request isn't believed; `None` if its signature is right, or can't be checked. In constant time."""
        if self.secret is None:
            return None
        if self.secret.disabled:
            return proxy_errors.SECRET_ID_UNKNOWN()
        hashed = tc3.payload_hash(body if self.payload is None else self.payload.encode())
        is_right = False
        for headers in _spellings(self.headers):
            canonical = tc3.canonical_request(self.method, self.path, self.query, headers, hashed)
            if not canonical.isascii():
                continue  # no SDK signs such a header, and bytes that are no UTF-8 could not be hashed
            text = tc3.string_to_sign(self.timestamp, self.date, self.service, canonical)
            made = tc3.signature(self.secret.secret_key, self.date, self.service, text)
            is_right = hmac.compare_digest(made, self.signature) or is_right
        return None if is_right else proxy_errors.SIGNATURE_WRONG()


def is_signed(authorization: str) -> bool:
    """Whether a request's `Authorization` is a signature, or says that there is none."""
    scheme = authorization.strip().partition(" ")[0].lower()
    return scheme in (SCHEME, _UNSIGNED)


class SignedRequest(Protocol):
    """A request, as it came."""

    method: str
    path: str
    """With its query."""

    @property
    def headers(self) -> Headers:
        """Its header fields."""


def read_claim(request: SignedRequest, host: str, clients: SignedClients, now: float) -> Claim | ProxyError | None:
    """What a request claims by its headers; `None` where it isn't signed. An error for what nobody could check.

    `host`: as the client has sent it.
    """
    headers = request.headers
    timestamp = headers.get("x-tc-timestamp", "").strip()
    if not _TIMESTAMP.fullmatch(timestamp):
        return proxy_errors.NATIVE_HEADER_MISSING(header="X-TC-Timestamp")
    if abs(int(timestamp) - now) > SKEW:
        return proxy_errors.SIGNATURE_EXPIRED(seconds=round(abs(int(timestamp) - now)))
    authorization = headers.get("authorization", "").strip()
    if not is_signed(authorization) or authorization.lower() == _UNSIGNED:
        return None
    found = _AUTHORIZATION.fullmatch(authorization)
    names = tuple(found["names"].lower().split(";")) if found else ()
    if found is None or not _REQUIRED.issubset(names):
        return proxy_errors.SIGNATURE_UNREADABLE()
    if found["date"] != tc3.date_of(int(timestamp)):
        return proxy_errors.SIGNATURE_UNREADABLE()
    path, _, query = request.path.partition("?")
    unsigned = headers.get("x-tc-content-sha256", "").strip() == tc3.UNSIGNED
    return Claim(
        secret=clients.of(found["id"]),
        method=request.method,
        path=path or "/",
        query=query,
        date=found["date"],
        service=found["service"],
        timestamp=int(timestamp),
        headers=tuple((name, host if name == "host" else headers.get(name, "")) for name in names),
        signature=found["signature"].lower(),
        payload=tc3.UNSIGNED if unsigned else None,
        token=headers.get("x-tc-token", "").strip(),
    )


def drop_signature(headers: Headers) -> bool:
    """Remove what a signed request authenticates with. Returns whether there was anything."""
    if not is_signed(headers.get("authorization", "")):
        headers.pop("x-tc-token", None)
        return False
    for name in _SECRET_HEADERS:
        headers.pop(name, None)
    return True


def _spellings(headers: tuple[tuple[str, str], ...]) -> Iterator[tuple[tuple[str, str], ...]]:
    """The ways in which SDKs sign these headers: values as they are or in lower case, the host with its port or, as in
    Node, without."""
    for portless in (False, True):
        given = tuple((name, _without_port(value) if portless and name == "host" else value) for name, value in headers)
        yield given
        yield tuple((name, value.lower()) for name, value in given)


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() else host


def parse(text: str) -> Mapping[str, Secret]:
    """The secrets in a file. Raises `ValueError`: which table, which field, what is accepted; it quotes no key."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = _PLACE.search(str(error))
        raise ValueError(say("not valid TOML ({place})", place=place[1]) if place else say("not valid TOML")) from None
    except (RecursionError, ValueError):
        raise ValueError(say("not valid TOML")) from None
    given = tables.get("secrets")
    if tables.keys() - {"secrets"} or not isinstance(given, dict):
        raise ValueError(say("accepted are tables such as [secrets.AKIDEXAMPLE]"))
    return {secret_id: _secret(secret_id, table) for secret_id, table in given.items()}


def _secret(secret_id: str, table: object) -> Secret:
    where = f"secrets.{secret_id[:_LONGEST_SHOWN] if secret_id.isprintable() else '…'}"
    if not isinstance(table, dict):
        raise ValueError(f"{where}: {say('accepted are tables such as [secrets.AKIDEXAMPLE]')}")
    for key in table:
        if key not in _FIELDS:
            unknown = say("there is no field {name}", name=key[:_LONGEST_SHOWN] if key.isprintable() else "…")
            raise ValueError(f"{where}: {unknown}{suggestion(key, _FIELDS)}")
    secret_key, client, disabled = table.get("secret_key"), table.get("client"), table.get("disabled", False)
    if not isinstance(secret_key, str) or not _KEY.fullmatch(secret_key.strip()):
        raise ValueError(f"{where}: secret_key: {say('needed is the SecretKey, without blanks')}")
    if not isinstance(client, str) or not is_name(client):
        raise ValueError(f"{where}: client: {say('accepted as a name are up to 64 letters, digits, _ and -')}")
    if not isinstance(disabled, bool):
        raise ValueError(f"{where}: disabled: {say('accepted are true and false')}")
    return Secret(secret_id, secret_key.strip(), client, disabled)
