"""TC3-HMAC-SHA256, the signature of Tencent Cloud's own API (document 1729/101843), written and checked.

    canonical request = method, URI, query, a line `name:value` for each signed header, their names, hash of the body
    string to sign    = algorithm, Unix seconds, UTC date/service/tc3_request, hash of the canonical request
    key               = HMAC(HMAC(HMAC("TC3" + SecretKey, date), service), "tc3_request")

The parts stand in lines of their own. Pure: the time is given. What is signed are the exact bytes of the body, so a
signer comes last of all.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from .signer import Headers, Unsigned, UnusableCredentials, replaced

ALGORITHM: Final = "TC3-HMAC-SHA256"
UNSIGNED: Final = "UNSIGNED-PAYLOAD"
"""What `X-TC-Content-SHA256` says where this word is hashed in the place of the body."""
CONTENT_TYPE: Final = "application/json"
"""Of the requests that this proxy signs. It is signed, so it is never the client's own, which may name a charset."""
SERVICE: Final = "hunyuan"
"""The service at an address whose name tells none: a local one, or a private deployment's."""
TIMESTAMP: Final = "X-TC-Timestamp"
TOKEN: Final = "X-TC-Token"  # noqa: S105 - a header
REGION: Final = "X-TC-Region"

_END: Final = "tc3_request"
_CLOUD: Final = re.compile(r"(?P<service>[a-z0-9-]+)(?:\.(?P<place>[a-z0-9-]+))?\.(?:[a-z0-9-]+\.)?tencentcloudapi\.")
"""A host of the cloud: `hunyuan.tencentcloudapi.com`, `hunyuan.ap-guangzhou.…`, `hunyuan.intl.…`."""
_A_REGION: Final = re.compile(r"(?:ap|na|sa|eu|me|af)-[a-z]+(?:-[a-z0-9]+)*")
_PART: Final = re.compile(r"[\x21-\x7b\x7d\x7e]+")
"""Visible ASCII without `|`."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a request is signed with. Its text shows none of it."""

    secret_id: str = field(repr=False)
    secret_key: str = field(repr=False)
    token: str = field(default="", repr=False)
    """Of temporary credentials (STS)."""

    @property
    def text(self) -> str:
        """The credentials as one key, which `credentials` reads."""
        return f"{self.secret_id}|{self.secret_key}" + (f"||{self.token}" if self.token else "")


def is_native(key: str) -> bool:
    """Whether `key` has the shape of credentials for Tencent Cloud's own API: parts with `|` between them."""
    return "|" in key


def credentials(key: str) -> Credentials:
    """The credentials in `SecretId|SecretKey` or `AppId|SecretId|SecretKey`, each perhaps with `||token` behind it.

    The AppId is a number, and isn't used. Raises `UnusableCredentials`.
    """
    named, has_token, token = key.strip().partition("||")
    parts = named.split("|")
    if len(parts) not in (2, 3):
        raise UnusableCredentials(
            "this endpoint needs a SecretId and a SecretKey: the key must be SecretId|SecretKey or "
            "AppId|SecretId|SecretKey, with ||token behind it for temporary credentials"
        )
    if len(parts) == 3 and not (parts[0].isascii() and parts[0].isdigit()):
        raise UnusableCredentials("the AppId, the first of the three parts of the key, must be a number")
    secret_id, secret_key = parts[-2:]
    if not (secret_id and secret_key) or (has_token and not token):
        raise UnusableCredentials("a part of the key is empty: SecretId|SecretKey, perhaps with ||token")
    if not all(_PART.fullmatch(part) for part in (secret_id, secret_key, token or "-")):
        raise UnusableCredentials("a part of the key has a blank, or another character that no key has")
    return Credentials(secret_id, secret_key, token)


def service_of(host: str) -> str:
    """The service that `host`, without a port, offers."""
    found = _CLOUD.match(host.lower())
    return found["service"] if found else SERVICE


def region_of(host: str) -> str:
    """The region that `host` names; `""` for none."""
    place = (_CLOUD.match(host.lower()) or {"place": ""})["place"] or ""
    return place if _A_REGION.fullmatch(place) else ""


def date_of(timestamp: int) -> str:
    """The UTC date of a time in Unix seconds. Raises `ValueError`, `OverflowError` for no time of this calendar."""
    try:
        return time.strftime("%Y-%m-%d", time.gmtime(timestamp))
    except OSError as error:
        raise OverflowError(str(error)) from None


def payload_hash(body: bytes) -> str:
    """The hash of a body, as a canonical request has it."""
    return hashlib.sha256(body).hexdigest()


def canonical_request(method: str, uri: str, query: str, headers: Sequence[tuple[str, str]], hashed: str) -> str:
    """The text that stands for a request.

    `headers`: those that are signed, in their order, names in lower case. `hashed`: the `payload_hash`.
    """
    lines = "".join(f"{name}:{value.strip()}\n" for name, value in headers)
    return "\n".join([method, uri, query, lines, ";".join(name for name, _ in headers), hashed])


def string_to_sign(timestamp: int, date: str, service: str, canonical: str) -> str:
    """The text that is signed. `date` and `service` are those of the credential scope."""
    return "\n".join([ALGORITHM, str(timestamp), f"{date}/{service}/{_END}", payload_hash(canonical.encode())])


def signature(secret_key: str, date: str, service: str, text: str) -> str:
    """The signature of the string to sign `text`."""
    return _hmac(_key(secret_key, date, service), text).hex()


class Tc3:
    """Signs with TC3-HMAC-SHA256. The action and its version are headers of the dialect."""

    def sign(self, request: Unsigned, credentials: str, now: float) -> Headers:
        """The headers of `request` with its signature. Raises `UnusableCredentials`."""
        given = _credentials(credentials)
        to = urlsplit(request.url)
        host = _sent_host(request.headers) or to.netloc.rpartition("@")[2]
        timestamp, name = int(now), to.hostname or ""
        date, service = date_of(timestamp), service_of(name)
        signed = (("content-type", CONTENT_TYPE), ("host", host))
        canonical = canonical_request(request.method, to.path or "/", to.query, signed, payload_hash(request.body))
        made = signature(given.secret_key, date, service, string_to_sign(timestamp, date, service, canonical))
        headers = {
            "Authorization": (
                f"{ALGORITHM} Credential={given.secret_id}/{date}/{service}/{_END}, "
                f"SignedHeaders=content-type;host, Signature={made}"
            ),
            "Content-Type": CONTENT_TYPE,
            TIMESTAMP: str(timestamp),
        }
        if given.token:
            headers[TOKEN] = given.token
        if region := region_of(name):
            headers[REGION] = region
        kept = [pair for pair in request.headers if pair[0].lower() not in _NEVER_KEPT]
        return replaced(kept, headers)


_NEVER_KEPT: Final = frozenset([TOKEN.lower().encode(), b"x-tc-content-sha256"])
"""Headers that would say something else of the signature than it is."""


def _sent_host(headers: Headers) -> str:
    return next((value.decode("latin-1").strip() for name, value in headers if name.lower() == b"host"), "")


@lru_cache(64)
def _key(secret_key: str, date: str, service: str) -> bytes:
    """The key of one day, which all requests of it are signed with."""
    key = f"TC3{secret_key}".encode()
    for part in (date, service, _END):
        key = _hmac(key, part)
    return key


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")


_credentials = credentials
