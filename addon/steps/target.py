"""Where the addon's own calls for an exchange go, and with whose key."""

from __future__ import annotations

from .. import admission, profiles
from ..access import keys
from ..access.call_keys import CallKeys
from ..access.keys import Withheld
from ..exchange import Exchange
from ..options import Settings
from ..profiles import Profile
from ..route import Endpoint
from ..upstream.target import Target


def target_of(exchange: Exchange, profile: Profile, settings: Settings) -> Target:
    """The exchange's own upstream, with its key, counted for the account of that key.

    A plan is for programs that it knows by their User-Agent (docs/facts/kimi.md#user-agent): calls that are a part of
    such a program's own have its name.
    """
    key = keys.authorization(exchange.headers)
    account = admission.account(profile, key, settings)
    headers = {"Authorization": key} if key else {}
    if profile.plan and (agent := exchange.headers.get("user-agent")):
        headers["User-Agent"] = agent
    return Target(exchange.base_url, headers, account, profile.name, exchange)


def target_elsewhere(exchange: Exchange, there: Endpoint, settings: Settings, call_keys: CallKeys) -> Target | None:
    """The endpoint `there`, with its own key; `None` where it has none, or the exchange's client may not be lent it."""
    key = call_keys.authorization(there.base, exchange)
    if isinstance(key, Withheld):
        return None
    profile = profiles.load(there.profile)
    headers = {"Authorization": key} if key else {}
    return Target(str(there.base), headers, admission.account(profile, key, settings), profile.name, exchange)
