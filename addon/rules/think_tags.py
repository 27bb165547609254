"""Reasoning inside a text: what stands in `<think>…</think>` and its kin, parted from what was said.

A model's reasoning comes first, so it is looked for at the head of the text; what stands later may be said about tags,
and counts only where a turn can't leave without its reasoning. Inside of code nothing counts.
"""

from __future__ import annotations

import re
from typing import Final

_TAG: Final = re.compile(r"<(/?)(think|thinking|thought|reasoning)>", re.IGNORECASE)
_CODE: Final = "`"
_FENCE: Final = "```"


def parted(text: str, everywhere: bool) -> tuple[str, str] | None:
    """What was thought in `text`, and the rest; `None` where nothing was.

    A text may begin inside its reasoning, whose opening tag was in the prompt, and end in it, where it was cut.
    """
    if "<" not in text:
        return None
    thoughts: list[str] = []
    said: list[str] = []
    done, looked = 0, 0
    fenced = False
    opening: re.Match[str] | None = None
    for tag in _TAG.finditer(text):
        closes = tag[1] == "/"
        if opening is not None:
            if closes and tag[2].lower() == opening[2].lower():
                thoughts.append(text[opening.end() : tag.start()])
                done, opening = tag.end(), None
            continue
        # Outside of reasoning: does the tag count?
        fenced ^= text.count(_FENCE, looked, tag.start()) % 2 == 1
        looked = tag.start()
        if fenced or text[tag.start() - 1 : tag.start()] == _CODE:
            continue
        if closes and (thoughts or said):
            continue
        before = text[done : tag.start()]
        if closes:
            thoughts.append(before)
            done = looked = tag.end()
        elif everywhere or not before or before.isspace():
            said.append(before)
            opening, looked = tag, tag.end()
        else:
            break
    if opening is not None:
        if any(piece.strip() for piece in said):
            return _result(thoughts, [*said[:-1], said[-1] + text[opening.start() :]])
        thoughts.append(text[opening.end() :])
        done = len(text)
    return _result(thoughts, [*said, text[done:]])


def _result(thoughts: list[str], said: list[str]) -> tuple[str, str] | None:
    """Both sides without the white space at their edges; `None` where no thought says anything."""
    thought = "\n\n".join(piece for piece in map(str.strip, thoughts) if piece)
    return (thought, "\n\n".join(piece for piece in map(str.strip, said) if piece)) if thought else None
