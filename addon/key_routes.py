"""Where a request goes by the shape of its key, where the user names no endpoint (`hunyuan_upstream`).

The old Hunyuan platform had two doors: an OpenAI-compatible host with keys of one piece, and Tencent Cloud's own API,
whose requests are signed with a SecretId and a SecretKey. A client's key says which one it is for: `|` between its
parts means the second. A key of one piece that is addressed to the second goes to the platform that has followed.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

from . import profiles
from .config import values as read
from .route import Routes, RouteSettings, Successor, successor
from .upstream import tc3

NATIVE = "https://hunyuan.tencentcloudapi.com"
"""Where requests with a SecretId and a SecretKey go."""
_COMPATIBLE = "hunyuan"
"""The profile of the OpenAI-compatible host, for which such keys come too."""
_NATIVE_PROFILE = "tencent-cloud"


class KeyRoutes:
    """The other routes that a request may have, for one set of options."""

    def __init__(self, settings: RouteSettings) -> None:
        self.apply = settings.upstream is None or isinstance(settings.upstream, Successor)
        """Whether keys decide: the user has named no endpoint."""
        self._settings = settings

    @cached_property
    def unmoved(self) -> Routes:
        """The routes of the hosts as they are addressed."""
        return Routes(replace(self._settings, upstream=None))

    @cached_property
    def _native(self) -> Routes:
        return Routes(replace(self._settings, upstream=read.base_url(NATIVE)))

    @cached_property
    def _successor(self) -> Routes:
        return Routes(replace(self._settings, upstream=successor()))

    @staticmethod
    def concern(profile: str, *, rerouted: bool) -> bool:
        """Whether a key may decide about a request whose route has this profile."""
        return rerouted or profile in (_COMPATIBLE, _NATIVE_PROFILE)

    def instead(self, addressed: str, key: str) -> Routes | None:
        """The routes for a request with `key` to a host of the profile `addressed`; `None`: those of the options."""
        if tc3.is_native(key):
            if addressed == _COMPATIBLE:
                return self._native
            return self.unmoved if profiles.load(addressed).signer == "tc3" else None
        return self._successor if addressed == _NATIVE_PROFILE else None
