"""Which native requests there are, told apart by headers, since all have one path; and what is wrong with others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ...exchange import JsonObject, Response
from ...profiles import Profile
from ...wire import proxy_errors, rule_names, safe_text
from ...wire.openai_error import ProxyError
from . import fields

DOMAIN: Final = "tencentcloudapi.com"
_ACTIONS: Final = {
    fields.CHAT: rule_names.TENCENT_CLOUD,
    fields.EMBEDDING: rule_names.TENCENT_CLOUD_EMBEDDING,
    fields.TOKEN_COUNT: rule_names.TENCENT_CLOUD_TOKEN_COUNT,
}
_SIGNED: Final = "tc3-hmac-sha256 "
_ACTION, _VERSION = fields.ACTION_HEADER.lower(), fields.VERSION_HEADER.lower()
LARGEST: Final = 10 << 20
"""Bytes that the body of a signed request may have (document 1729/101843)."""


def dialect_of(host: str, target: str, headers: Mapping[str, str]) -> str | None:
    """The name of the dialect of a request, by its headers; `None` for one that isn't of this API.

    `target`: its path with its query. What is of this API without naming an action of it that is known is of the
    dialect of `ChatCompletions`, in whose words it is refused.
    """
    if target.partition("?")[0] not in ("", "/"):
        return None
    action = headers.get(_ACTION)
    if action is None and not _is_of_api(host, target, headers):
        return None
    return _ACTIONS.get(_spelt(action or ""), rule_names.TENCENT_CLOUD)


def fault(method: str, headers: Mapping[str, str]) -> ProxyError | None:
    """What is wrong with a native request, as far as its method and its headers tell; `None`: nothing."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if method != "POST" or kind not in ("", "application/json"):
        return proxy_errors.NATIVE_PROTOCOL()
    for header in (fields.ACTION_HEADER, fields.VERSION_HEADER):
        if not headers.get(header, "").strip():
            return proxy_errors.NATIVE_HEADER_MISSING(header=header)
    if _spelt(action := headers[_ACTION]) not in _ACTIONS:
        return proxy_errors.NATIVE_ACTION_UNKNOWN(action=safe_text.plain(action)[:_LONGEST])
    if headers[_VERSION].strip() != fields.VERSION:
        return proxy_errors.NATIVE_VERSION_UNKNOWN(
            version=safe_text.plain(headers[_VERSION])[:_LONGEST], known=fields.VERSION
        )
    return None


_LONGEST: Final = 60
"""Characters of a client's own words in an error."""


def _is_of_api(host: str, target: str, headers: Mapping[str, str]) -> bool:
    """Whether a request without an action in its headers is of this API: signed in the older way, or not at all."""
    if headers.get("authorization", "").lower().startswith(_SIGNED):
        return True
    return host.endswith(DOMAIN) and ("Action=" in target or _VERSION in headers or "content-type" in headers)


def _spelt(action: str) -> str:
    """The action as the vendor's SDKs send it: they begin it with a capital letter."""
    action = action.strip()
    return action[:1].upper() + action[1:]


class TencentCloudApi:
    """The other side of the table `APIS`: this API has nothing beside its calls."""

    dialect = rule_names.TENCENT_CLOUD
    base_part = ""
    own_headers: tuple[str, ...] = ("x-tc-",)

    def client(self, headers: Mapping[str, str]) -> str:
        """No program makes a difference."""
        return ""

    def is_client(self, headers: Mapping[str, str]) -> bool:
        """Whether there is an action."""
        return _ACTION in headers

    def answer(self, method: str, path: str) -> Response | None:
        """Nothing: each request needs an endpoint."""
        return None

    def models(self, listed: JsonObject, profile: Profile, *, aliases: bool, window: int | None = None) -> JsonObject:
        """OpenAI's own list: this API has none."""
        return listed
