"""Whether the endpoint takes the key that the proxy lends: asked once, by the list of models, when the proxy starts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from .. import profiles
from ..access import keys
from ..access.callers import Caller
from ..access.keys import Destination, Withheld
from ..dialects import UPSTREAM_DIALECTS
from ..route import Address
from ..texts.terminal import say
from ..upstream.failure import CallFailed
from ..upstream.server_clock import TC3
from ..upstream.signing import Unsigned, UnusableCredentials, signed
from ..upstream.tc3 import is_native
from ..wire import json_body, safe_text, vendor_errors
from ..wire.host_names import is_loopback
from .addresses import ENDPOINT

if TYPE_CHECKING:
    from ..hooks.connections import InForce
    from ..profiles import Profile
    from ..route import Route

TIMEOUT = 5.0
"""Seconds that the call may take."""
_LIMIT = 4 << 20
"""Bytes of the answer that are read."""
_MOST = 160
"""Characters of the endpoint's own words that are shown."""
_NO_LIST = (404, 405, 501)
"""Statuses of an endpoint that doesn't list its models."""

type Result = Literal["none", "accepted", "answered", "refused", "unreachable", "not tried"]
"""`answered`: the endpoint has listed its models, which it may do without a key too."""


@dataclass(frozen=True, slots=True)
class KeyCheck:
    """What was found. `said` is a line for the user; it never has the key."""

    result: Result
    said: str
    models: int | None = None
    """How many models are listed."""


def route_of(addon: InForce) -> Route:
    """Where the list of models is asked for by a client of the reverse port."""
    route = addon.routes.of_port("GET", Address("https", urlsplit(ENDPOINT).netloc, 443, "/v1/models"), ())
    if route is None:
        raise LookupError(ENDPOINT)  # the reverse port stands for a known host, whatever the options say
    return route


def _of_signed_api(addon: InForce) -> KeyCheck:
    """What is known of the keys for Tencent Cloud's own API, which has no call that costs nothing."""
    if has_key(addon):
        return KeyCheck("not tried", say("Key: a SecretId and a SecretKey are set. Each call costs, so none is tried."))
    return KeyCheck("none", say("Key: TENCENTCLOUD_SECRET_ID isn't set, so clients send their own."))


def has_key(addon: InForce) -> bool:
    """Whether there is a key to lend for the endpoint that calls of the reverse port go to."""
    return bool(_key_for(addon, route_of(addon))[0])


def _key_for(addon: InForce, route: Route) -> tuple[str | None, bool]:
    """The key to lend for the endpoint of `route`, and whether `hunyuan_keys_file` names it."""
    address, secrets = route.address, addon.runtime.secrets
    named = secrets.providers.key_for(address.host, address.port, address.path)
    if profiles.load(route.profile).signer == TC3 and (named is None or not is_native(named.key)):
        return secrets.cloud.value, False
    return (secrets.key.value, False) if named is None else (named.key, True)


async def checked(addon: InForce) -> KeyCheck:  # noqa: PLR0912 - a case each
    """Ask the endpoint for its models with the key that `addon` lends; under the rules for lending, and with the proxy
    and the certificates of the addon's own calls.

    Not on a plan: its terms forbid calls that nobody waits for. The call takes `TIMEOUT` at most.
    """
    route = route_of(addon)
    host, profile = route.address.host, profiles.load(route.profile)
    if not UPSTREAM_DIALECTS[profile.dialect].lists_models:
        return _of_signed_api(addon)
    key, is_named = _key_for(addon, route)
    if not key:
        if page := profile.key_pages.get(host):
            said = say("Key: HUNYUAN_API_KEY isn't set, so clients send their own. Keys are made at {page}", page=page)
        else:
            said = say("Key: HUNYUAN_API_KEY isn't set, so clients send their own.")
        return KeyCheck("none", said)
    # 1. May it be sent?
    if profiles.shut_down(host):
        return KeyCheck("not tried", say("Key: not tried, since {host} has been shut down.", host=host))
    if profile.plan:
        if addon.settings.trust_loopback:
            said = say(
                "Key: not tried, since this is a plan's endpoint. Clients on this machine that have none get it."
            )
        else:
            said = say("Key: not tried, since this is a plan's endpoint. Clients with a token get it.")
        return KeyCheck("not tried", said)
    insecure, by_proxy = addon.runtime.http_client.transport.insecure, addon.runtime.http_client.transport.proxy
    to = Destination(
        on_this_machine=is_loopback(host) and by_proxy is None,
        encrypted=route.address.scheme == "https",
        verified=not insecure,
        of_the_keys_vendor=route.lends or is_named,
    )
    key = key if addon.lends_key else None
    # The proxy itself asks, so it is known whatever `hunyuan_trust_loopback` says of clients.
    lent = keys.lend(key, {}, Caller(True), to, addressed=lambda: True, origins=frozenset())
    if isinstance(lent, Withheld):
        return KeyCheck("not tried", say("Key: not tried, since it isn't lent here: {why}.", why=lent.value))
    # 2. Ask.
    scheme, _, port, path = route.address
    url = f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}{path}"
    unsigned = Unsigned("GET", url, [(b"authorization", lent.encode()), (b"accept", b"application/json")], b"")
    body = b""
    try:
        headers = signed(profile.signer, unsigned, time.time())
        async with (
            asyncio.timeout(TIMEOUT),
            addon.runtime.http_client.stream("GET", url, headers, b"", silence=TIMEOUT) as answer,
        ):
            async for chunk in answer.chunks(decoded=True):
                body += chunk
                if len(body) > _LIMIT:
                    break
    except UnusableCredentials as error:
        return KeyCheck("refused", say("Key: {why}", why=str(error)))
    except (CallFailed, TimeoutError) as error:
        why = str(error) or say("no answer in {seconds} seconds", seconds=int(TIMEOUT))
        said = say("Key: not tried, since {host} can't be reached: {why}", host=host, why=why)
        return KeyCheck("unreachable", said)
    return judged(answer.status, body, host, key=lent.partition(" ")[2], known=profile)


def unused_proxy(environment: Mapping[str, str], host: str, own_ports: Collection[int | None]) -> str | None:
    """A line about a proxy for the way to `host` that the `environment` names, and that hunyuan-fix doesn't go by.

    `None` where there is none, for a host on this machine, and where that proxy is this one, by `own_ports`.
    """
    if is_loopback(host):
        return None
    for variable in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        try:
            parts = urlsplit(environment.get(variable, "").strip())
            itself = is_loopback(parts.hostname or "") and parts.port in own_ports
        except ValueError:
            continue
        if parts.hostname and not itself:
            return say(
                "{variable} is set, but hunyuan-fix doesn't go by it. If it is needed to get out: "
                "--set hunyuan_outgoing_proxy=http://HOST:PORT",
                variable=variable,
            )
    return None


def judged(status: int, body: bytes, host: str, *, key: str, known: Profile) -> KeyCheck:
    """What the answer `status` with `body` to the list of models of `host` proves about `key`; `known`: its profile."""
    if status in (401, 403):
        words = _words(body, key)
        said = say("Key: {host} REFUSES it ({status}): {words}", host=host, status=status, words=words)
        shape = vendor_errors.key_shape({"authorization": f"Bearer {key}"})
        for other in vendor_errors.key_is_for(shape, known):
            said = say("{problem}. {hint}", problem=said, hint=other)
        if page := known.key_pages.get(host):
            said = say("{problem}. Keys for it are made at {page}", problem=said.rstrip(".。 "), page=page)
        return KeyCheck("refused", said)
    if status in _NO_LIST:
        return KeyCheck("not tried", say("Key: not tried, since {host} doesn't list its models.", host=host))
    listed = (json_body.parse_object(body) or {}).get("data") if status == 200 else None
    if not isinstance(listed, list):
        said = say(
            "Key: not tried, since {host} answers {status} now: {words}",
            host=host,
            status=status,
            words=_words(body, key),
        )
        return KeyCheck("not tried", said)
    ids = [item["id"] for item in listed if isinstance(item, dict) and isinstance(item.get("id"), str)]
    example = _plain(known.text_model if known.text_model in ids else ids[0] if ids else "–")
    if known.lists_for_key:
        said = say("Key: accepted by {host} (models: {count}, e.g. {model})", host=host, count=len(ids), model=example)
        return KeyCheck("accepted", said, len(ids))
    said = say(
        "Key: {host} lists its models (models: {count}, e.g. {model}), which it may do for any key",
        host=host,
        count=len(ids),
        model=example,
    )
    return KeyCheck("answered", said, len(ids))


def _words(body: bytes, key: str) -> str:
    """What the endpoint says, without the key, which some quote."""
    read = json_body.parse_object(body) or {}
    error = read.get("error")
    message = error.get("message") if isinstance(error, dict) else read.get("message") or read.get("msg") or error
    text = str(message) if message else body.decode("utf-8", "replace")
    for secret in (key, key[-8:]):
        text = text.replace(secret, "***")
    return _plain(text) or "–"


def _plain(text: str) -> str:
    return safe_text.line(" ".join(text.split()), _MOST)
