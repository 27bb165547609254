"""The option of masking."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ..config.option import option
from ..config.values import accepting, items
from ..did_you_mean import suggestion
from ..texts.terminal import say

KEYS: Final = "keys"
IDS: Final = "ids"
_OFF: Final = "off"


@accepting("`off`, or `keys` and `ids`, comma separated")
def masked(text: str) -> frozenset[str]:
    """What is masked; empty: nothing."""
    if text == _OFF:
        return frozenset()
    named = items(text)
    for name in named:
        if name not in (KEYS, IDS):
            near = suggestion(name, (KEYS, IDS, _OFF))
            raise ValueError(say("accepted are off, keys, ids, and keys,ids") + near)
    if not named:
        raise ValueError(say("accepted are off, keys, ids, and keys,ids"))
    return frozenset(named)


@dataclass(frozen=True)
class MaskSettings:
    """What doesn't leave this machine."""

    mask: frozenset[str] = option(
        "off",
        "What has a placeholder in its place when a request leaves, and is put back in its answer: keys (API keys, "
        "tokens, private keys), ids (phone, identity and card numbers), keys,ids for both, or off. A request that "
        "can't be read is refused then.",
        masked,
    )
