"""The tokens of a text, estimated by arithmetic.

A tokenizer of a model has a vocabulary of megabytes, which no small package carries. What it makes of a text follows
from the runs of letters, digits and signs in it, and in Chinese from how many words each character is part of:
`weights.toml` says what each costs. A text is mapped to one byte for each character, which says its kind, and those
bytes are read as one large integer: shifting it finds the runs.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from importlib import resources
from itertools import accumulate
from typing import Final

MARGIN: Final = 1.12
"""The middle of 0 to +25 % above what a tokenizer counts: an estimate that is too low lets a client fill its window."""

CHUNK: Final = 1 << 16
"""Characters that are looked at in one piece: no piece keeps the interpreter for more than some milliseconds."""
_SAMPLE: Final = 1 << 13
"""Characters of a text that `rough` looks at."""
_BLOCK: Final = 256
"""Characters of one piece of that sample."""
_GOLDEN: Final = 0.618
"""The golden ratio: its multiples are spread evenly between whole numbers and don't repeat."""

type Checkpoint = Callable[[], None]
"""Called between two pieces. What it raises passes through."""

_WEIGHTS: Final = tomllib.loads(resources.files(__package__).joinpath("weights.toml").read_text(encoding="utf-8"))
_RUNS: Final[dict[str, float]] = _WEIGHTS["runs"]
_CHARACTERS: Final[dict[str, float]] = _WEIGHTS["characters"]

# One byte a character. One bit says its kind; kinds without a case, a run or a neighbour that matters share the top bit
# and are told apart by the others.
_LOWER, _UPPER, _DIGIT, _SIGN, _SPACE, _LINE, _OTHER = 0, 1, 2, 3, 4, 5, 7
_OTHERS: Final = ("latin", "two_bytes", "indic", "symbol", "kana", "hangul", "full_width", "four_bytes")


def _kind(byte: int) -> int:
    """The kind of the character whose UTF-8 begins with `byte`; 0 for Chinese ones, which are counted apart."""
    character = chr(byte)
    if byte < 0x80:
        if character.isalpha():
            return 1 << (_LOWER if character.islower() else _UPPER)
        if character.isdigit():
            return 1 << _DIGIT
        return 1 << (_SPACE if character == " " else _LINE if character in "\n\r\t" else _SIGN)
    if 0xE4 <= byte <= 0xE9:
        return 0
    first_bytes = (0xD0, 0xE0, 0xE2, 0xE3, 0xE4, 0xEE, 0xF0, 0x100)  # the first byte that is none of each any more
    return 1 << _OTHER | next(number for number, end in enumerate(first_bytes) if byte < end)


_KINDS: Final = bytes(map(_kind, range(256)))
_ASCII_KINDS: Final = bytes(kind if kind < 1 << _OTHER else 0 for kind in range(256))
_LATER_BYTES: Final = bytes(range(0x80, 0xC0))
"""The bytes that never begin a character."""
_EACH: Final = int.from_bytes(b"\x01" * CHUNK, "little")
"""The lowest bit of each byte of a chunk."""
_CHINESE: Final = re.compile("[\u4e00-\u9fff]+")
_CLASSES: Final = {
    ord(character): number
    for number, characters in enumerate(_WEIGHTS["chinese"]["parts_of_words"])
    for character in characters
}
_CHINESE_WEIGHTS: Final[list[float]] = _WEIGHTS["chinese"]["weights"]


def tokens(text: str, checkpoint: Checkpoint | None = None) -> int:
    """The tokens of `text`, 0 to 25 % more than a tokenizer counts. Takes time by the length of the text."""
    total = 0.0
    for piece in _pieces(text):
        if checkpoint is not None:
            checkpoint()
        total += _estimate(piece)
    return round(total * MARGIN)


def rough(texts: Sequence[str], between: str = "") -> int:
    """The same of all `texts`, with `between` between them, from a sample: up to a tenth off. Only that is copied."""
    ends = list(accumulate(len(text) + len(between) for text in texts))
    length = ends[-1] - len(between) if ends else 0
    if length <= _SAMPLE:
        return tokens(between.join(texts))
    # Blocks at equal distances would all meet the same part of a text that repeats itself.
    stride = length / (_SAMPLE // _BLOCK)
    starts = (int((number + number * _GOLDEN % 1) * stride) for number in range(_SAMPLE // _BLOCK))
    sample = "".join(_block(texts, between, ends, start) for start in starts)
    return round(_estimate(sample) * MARGIN * length / len(sample))


def _block(texts: Sequence[str], between: str, ends: Sequence[int], start: int) -> str:
    """`_BLOCK` characters from `start` on of all texts. `ends`: where each ends, with what stands behind it."""
    number = bisect_right(ends, start)
    place = start - (ends[number] - len(texts[number]) - len(between))
    pieces: list[str] = []
    have = 0
    while number < len(texts) and have < _BLOCK:
        piece = texts[number][place : place + _BLOCK - have] + between
        pieces.append(piece)
        have += len(piece)
        number, place = number + 1, 0
    return "".join(pieces)[:_BLOCK]


def _pieces(text: str) -> Iterator[str]:
    return (text[start : start + CHUNK] for start in range(0, len(text), CHUNK))


def _estimate(text: str) -> float:
    """The tokens of a text of at most `CHUNK` characters, as a tokenizer would count them on average."""
    data = text.encode("utf-8", "surrogatepass")
    if text.isascii():
        estimate = _of_runs(data.translate(_KINDS))
    else:
        kinds = data.translate(_KINDS, _LATER_BYTES)
        estimate = _of_runs(kinds.translate(_ASCII_KINDS)) + _of_others(kinds)
        if 0 in kinds:
            estimate += _of_chinese(text)
    return min(estimate, len(data))  # a token has at least one byte


def _of_runs(kinds: bytes) -> float:
    """What letters, digits, signs and spaces cost. `kinds` has one byte for each character."""
    bits = int.from_bytes(kinds, "little")
    lower, upper, digit, sign, space, line = (
        (bits >> kind) & _EACH for kind in (_LOWER, _UPPER, _DIGIT, _SIGN, _SPACE, _LINE)
    )
    letter = lower | upper
    found = {
        "word": letter & ~_next(letter),
        "camel": upper & _next(lower),
        "fragment": upper & _next(lower & ~_next(lower)),
        "letters_7": _reached(lower, 7),
        "letters_10": _reached(lower, 10),
        "letters_14": _reached(lower, 14),
        "capital_again": upper & _next(upper),
        "capitals_3": _reached(upper, 3),
        "capitals_6": _reached(upper, 6),
        "digit": digit,
        "digit_after_space": digit & _next(space),
        "letter_after_digit": letter & _next(digit),
        "sign": sign & ~_next(sign),
        "sign_again": sign & _next(sign),
        "signs_3": _reached(sign, 3),
        "letter_after_sign": letter & _next(sign),
        "line": line & ~_next(line) & ~_next(sign),
        "line_after_sign": line & ~_next(line) & _next(sign),
        "spaces_2": _reached(space, 2),
        "spaces_8": _reached(space, 8),
    }
    return sum(_RUNS[name] * places.bit_count() for name, places in found.items())


def _next(places: int) -> int:
    """The places after `places`."""
    return places << 8


def _reached(places: int, length: int) -> int:
    """Where runs of `places` reach `length`: one place for each run that is as long."""
    run, have = places, 1
    while have < length:
        step = min(have, length - have)
        run &= run << (8 * step)
        have += step
    return run & ~_next(run)


def _of_others(kinds: bytes) -> float:
    """What characters outside ASCII cost, Chinese ones left out. `kinds` has one byte for each character."""
    return sum(_CHARACTERS[name] * kinds.count(1 << _OTHER | number) for number, name in enumerate(_OTHERS))


def _of_chinese(text: str) -> float:
    """What Chinese characters cost, by how many words each is part of."""
    chinese = "".join(_CHINESE.findall(text))
    classes = chinese.translate(_CLASSES)
    counts = [classes.count(chr(number)) for number in range(len(_CHINESE_WEIGHTS) - 1)]
    counts.append(len(chinese) - sum(counts))
    return sum(weight * count for weight, count in zip(_CHINESE_WEIGHTS, counts, strict=True))
