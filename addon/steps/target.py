"""Where the addon's own calls for an exchange go, and with whose key."""

from __future__ import annotations

from .. import admission
from ..config.options import Settings
from ..exchange import Exchange
from ..profiles import Profile
from ..upstream.calls import Upstream


def target_of(exchange: Exchange, profile: Profile, settings: Settings) -> Upstream:
    """The exchange's own upstream, with its key, counted for the account of that key."""
    key = exchange.headers.get("authorization")
    account = admission.account(profile, key, settings)
    return Upstream(exchange.base_url, {"Authorization": key} if key else {}, account)


def own_tries(settings: Settings) -> int:
    """Tries for a call of the addon's own."""
    return 1 if settings.retry == "off" else settings.vision_tries
