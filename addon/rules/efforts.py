"""Efforts: how hard a model should think, by the words of many vendors, and the nearest that a model tells apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

OFF: Final = "none"
"""The effort that switches thinking off."""
WORDS: Final = (OFF, "minimal", "low", "medium", "high", "xhigh", "max")
"""From the weakest to the strongest."""
_SAME: Final = {
    **dict.fromkeys(("off", "disabled", "disable", "no_think", "false", "0"), OFF),
    **dict.fromkeys(("min", "lowest", "very_low"), "minimal"),
    **dict.fromkeys(("med", "mid", "normal", "moderate"), "medium"),
    **dict.fromkeys(("very_high", "extra_high", "x-high", "extra-high"), "xhigh"),
    **dict.fromkeys(("ultra", "maximum", "highest", "ultrathink"), "max"),
}
"""Words that mean one of the order."""


def word(given: object) -> str:
    """The word of the order that `given` means; `""` where it leaves the effort to the model, or is none."""
    if given is False:
        return OFF
    if not isinstance(given, str):
        return ""
    plain = given.strip().lower()
    plain = _SAME.get(plain, plain)
    return plain if plain in WORDS else ""


def nearest(wanted: str, offered: Sequence[str]) -> str:
    """The one of `offered` (the weakest first) that comes closest to `wanted`, a word of the order; `""` for none.

    Of two that are as close it is the stronger one. Only `none` means `none`: whoever asks for little asks for some.
    """
    if wanted in offered:
        return wanted
    if wanted == OFF:
        return ""
    ranked = [effort for effort in offered if effort in WORDS and effort != OFF]
    place = WORDS.index(wanted)
    return min(ranked, key=lambda effort: (abs(WORDS.index(effort) - place), -WORDS.index(effort)), default="")
