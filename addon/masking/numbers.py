"""Phone numbers, identity numbers and card numbers in a text, each by a form that can be checked. Pure, and linear.

- A mobile number of China: 11 digits whose first three are in use, with or without +86; of Hong Kong, Macau and Taiwan
  only behind a plus sign and the code. Other countries' numbers have no form that tells them from any other digits.
- A resident identity number of China: region, a day that there is, and the check character of GB 11643 (ISO 7064 MOD
  11-2).
- A card number: Luhn's sum (ISO/IEC 7812-1) alone is right for one number in ten, so its first digits have to be an
  issuer's, and its length one that this issuer has. With or without blanks or hyphens between groups of four.

Digits that go on to either side, with letters, a dot or a hyphen between digits, are another number: a digest, a UUID,
a decimal, an order's number. So are digits behind an ASCII word and a slash, such as the number of a run in a URL.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from typing import Final, NamedTuple


class Number(NamedTuple):
    """A number in a text: from `start` to before `end`. `kind`: `phone`, `id` or `card`."""

    start: int
    end: int
    kind: str


_CLUSTER: Final = re.compile(r"[0-9](?:[ -]?[0-9]){7,}+[Xx]?")
"""Digits that may hold a number: the text between them is not looked at."""
_AROUND: Final = 8
"""Characters around a cluster that decide what it is: `+886 `, `\\u4e2d`."""

# Behind an escape of JSON a number begins, though its letter stands there.
_START: Final = (
    r"(?:(?<![0-9A-Za-z_])(?<![0-9][.-])(?<![0-9A-Za-z]/)"
    r"|(?<=\\[nrtbf])|(?<=\\u[0-9a-fA-F]{4}))"
)
_END: Final = r"(?![0-9A-Za-z_])(?![.-][0-9])"

_MOBILE: Final = (
    r"1(?:3[0-9]|4[014-9]|5[0-35-9]|6[2567]|7[0-8]|8[0-9]|9[0-35-9])(?:[0-9]{8}|(?P<s>[ -])[0-9]{4}(?P=s)[0-9]{4})"
)
_PHONES: Final = (
    # The code stays before the number: with and without it, it is the same one.
    re.compile(rf"(?:(?<=\+86)|(?<=\+86[ -])|(?<=\b0086)|{_START}){_MOBILE}{_END}"),
    re.compile(rf"(?:(?<=\+852)|(?<=\+852[ -]))[4-79][0-9]{{3}}[ -]?[0-9]{{4}}{_END}"),
    re.compile(rf"(?:(?<=\+853)|(?<=\+853[ -]))6[0-9]{{3}}[ -]?[0-9]{{4}}{_END}"),
    re.compile(rf"(?:(?<=\+886)|(?<=\+886[ -]))9[0-9]{{2}}[ -]?[0-9]{{3}}[ -]?[0-9]{{3}}{_END}"),
)
_IDENTITY: Final = re.compile(
    rf"{_START}(?:1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5]|71|8[1-3])[0-9]{{4}}(?:19|20)[0-9]{{2}}"
    rf"(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])[0-9]{{3}}[0-9Xx]{_END}"
)
_CARD: Final = re.compile(
    rf"{_START}(?:"
    r"[3-9][0-9]{13,18}"
    r"|2[2-7][0-9]{14}"
    r"|(?:[2-9][0-9]{3})(?P<s>[ -])[0-9]{4}(?P=s)[0-9]{4}(?P=s)[0-9]{4}(?:(?P=s)[0-9]{3})?"
    r"|3[47][0-9]{2}(?P<a>[ -])[0-9]{6}(?P=a)[0-9]{5}"
    rf"){_END}"
)
_ISSUERS: Final = tuple(
    (re.compile(begins), lengths)
    for begins, lengths in (
        ("4", (16,)),  # Visa
        ("5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720", (16,)),  # Mastercard
        ("3[47]", (15,)),  # American Express
        ("6011|64[4-9]|65", (16,)),  # Discover
        ("352[89]|35[3-8]", (16,)),  # JCB
        ("30[0-5]|36|38|39", (14,)),  # Diners Club
        # UnionPay. It may have 17 and 18 digits, too: ids that count time (Twitter's snowflakes) have as many.
        ("62", (16, 19)),
        ("9558", (19,)),  # the debit cards that ICBC gave out before UnionPay's numbers
    )
)
_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECKS: Final = "10X98765432"


def find(text: str) -> list[Number]:
    """The numbers in `text`, in their order; they don't overlap."""
    found: list[Number] = []
    for cluster in _CLUSTER.finditer(text):
        low = max(0, cluster.start() - _AROUND)
        window = text[low : cluster.end() + _AROUND]
        inside = sorted(
            Number(low + start, low + end, kind)
            for start, end, kind in _in_window(window)
            if low + start >= cluster.start() and low + end <= cluster.end()
        )
        for number in inside:
            if not found or number.start >= found[-1].end:
                found.append(number)
    return found


def _in_window(text: str) -> Iterator[Number]:
    for phones in _PHONES:
        yield from (Number(*match.span(), "phone") for match in phones.finditer(text))
    for match in _IDENTITY.finditer(text):
        if is_identity(match[0]):
            yield Number(*match.span(), "id")
    for match in _CARD.finditer(text):
        if is_card(match[0]):
            yield Number(*match.span(), "card")


def is_identity(text: str) -> bool:
    """Whether 17 digits and a check character are an identity number: its day exists, its check character is right."""
    try:
        born = date(int(text[6:10]), int(text[10:12]), int(text[12:14]))
    except ValueError:
        return False
    total = sum(int(digit) * weight for digit, weight in zip(text, _WEIGHTS, strict=False))
    return born.year >= 1900 and _CHECKS[total % 11] == text[17].upper()


def is_card(text: str) -> bool:
    """Whether digits, perhaps in groups, are a card's number: one of its issuer's, with the right sum."""
    digits = text.replace(" ", "").replace("-", "")
    if not any(begins.match(digits) and len(digits) in lengths for begins, lengths in _ISSUERS):
        return False
    doubled = (int(digit) * 2 for digit in digits[-2::-2])
    return (sum(map(int, digits[-1::-2])) + sum(two // 10 + two % 10 for two in doubled)) % 10 == 0
