"""Where the addon's own calls for an exchange go, and with whose key."""

from __future__ import annotations

from .. import admission
from ..access import keys
from ..exchange import Exchange
from ..options import Settings
from ..profiles import Profile
from ..upstream.target import Target


def target_of(exchange: Exchange, profile: Profile, settings: Settings) -> Target:
    """The exchange's own upstream, with its key, counted for the account of that key."""
    key = keys.authorization(exchange.headers)
    account = admission.account(profile, key, settings)
    return Target(exchange.base_url, {"Authorization": key} if key else {}, account, profile.name)
