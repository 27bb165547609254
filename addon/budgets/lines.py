"""The lines of `hunyuan_budgets`, and which of them a request has to keep to. Pure.

    SUBJECT PERIOD LIMIT [strict]

Subjects: `all`, `client:NAME`, `client:*` (each client that has no line of its own), `session:*` (each session).
Periods: `day`, `month`. Limits: `500k tokens`, `2M tokens`, `50 CNY`, `0.5 USD`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal

from .. import prices
from ..config import values as read
from ..did_you_mean import suggestion
from ..texts.terminal import say
from .periods import Period

type Scope = Literal["all", "client", "session"]

TOKENS: Final = "tokens"
"""The unit of a budget that isn't in money."""
EACH: Final = "*"
"""The name in a line that is for each client or session."""
NOBODY: Final = "-"
"""The name of all those together who send no client token."""

_SCOPES: Final[tuple[Scope, ...]] = ("client", "session", "all")
_PERIODS: Final[tuple[Period, ...]] = ("day", "month")
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}|\*")
_NUMBER: Final = re.compile(r"(\d{1,15}(?:\.\d{1,12})?)([kKmMgG]?)", re.ASCII)
_CURRENCY: Final = re.compile(r"[A-Za-z]{3}")
_THOUSANDS: Final = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9}
_MOST_TOKENS: Final = 10**15
_MOST_MONEY: Final = 10**6 * prices.UNITS
_MOST_LINES: Final = 1000


@dataclass(frozen=True, slots=True)
class Budget:
    """One line."""

    scope: Scope
    name: str
    """Of the client, or `EACH`; `""` for all."""
    period: Period
    unit: str
    """`TOKENS`, or the code of a currency."""
    limit: int
    """In tokens, or in parts of the currency (`prices.UNITS`)."""
    is_strict: bool = False
    """In money: a call whose price isn't known is refused."""

    @property
    def subject(self) -> str:
        """As in the line."""
        return self.scope if self.scope == "all" else f"{self.scope}:{self.name}"

    def __str__(self) -> str:
        """The line."""
        strict = " strict" if self.is_strict else ""
        return f"{self.subject} {self.period} {amount(self.limit, self.unit)}{strict}"


class Budgets:
    """All lines; false without any."""

    def __init__(self, lines: Sequence[Budget] = ()) -> None:
        self.lines = tuple(lines)
        named: dict[str, dict[tuple[Period, str], Budget]] = {}
        for line in self.lines:
            named.setdefault(line.subject, {})[line.period, line.unit] = line
        self._all = tuple(named.get("all", {}).values())
        self._sessions = tuple(named.get(f"session:{EACH}", {}).values())
        each = named.get(f"client:{EACH}", {})
        self._each = tuple(each.values())
        # A client's own line takes the place of that for each client, for its period and unit.
        self._clients: Mapping[str, tuple[Budget, ...]] = {
            subject.removeprefix("client:"): tuple({**each, **own}.values())
            for subject, own in named.items()
            if subject.startswith("client:")
        }

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self.lines)

    def __eq__(self, other: object) -> bool:
        """Whether `other` has the same lines."""
        return isinstance(other, Budgets) and self.lines == other.lines

    __hash__ = None  # type: ignore[assignment]

    def applying(self, client: str, session: str) -> list[tuple[str, Budget]]:
        """The budgets of a request: of its client, of its session (`""`: not known), of all. Each with whose it is."""
        name = client or NOBODY
        found = [(name, budget) for budget in self._clients.get(name, self._each)]
        if session:
            found += [(session, budget) for budget in self._sessions]
        return found + [("", budget) for budget in self._all]


@read.accepting("lines such as `client:alice day 2M tokens`, `client:* month 50 CNY`, `all day 1G tokens`")
def budgets(text: str) -> Budgets:
    """Budgets, comma separated."""
    lines: dict[tuple[str, Period, str], Budget] = {}
    for item in read.items(text):
        line = _line(item)
        if lines.setdefault((line.subject, line.period, line.unit), line) is not line:
            raise ValueError(
                say(
                    "{line!r}: {subject} has a budget in {unit} for the {period} already; write one of the two",
                    line=item,
                    subject=line.subject,
                    unit=line.unit,
                    period=line.period,
                )
            )
    if len(lines) > _MOST_LINES:
        raise ValueError(say("accepted are {most} budgets at most", most=_MOST_LINES))
    return Budgets(list(lines.values()))


def _line(text: str) -> Budget:
    words = text.split()
    if len(words) not in (4, 5) or words[4:] not in ([], ["strict"]):
        raise ValueError(
            say(
                "{line!r} is no budget: accepted is whose it is, day or month, a number and a unit, such as "
                "client:alice day 2M tokens or all month 300 CNY; strict may stand behind one in money",
                line=text,
            )
        )
    subject, period, number, unit = words[:4]
    scope, name = _subject(subject, text)
    if period not in _PERIODS:
        raise ValueError(
            say("{line!r}: {word!r} is no period: accepted are day and month", line=text, word=period)
            + suggestion(period, _PERIODS)
        )
    unit = TOKENS if unit.lower() in ("token", TOKENS) else unit.upper()
    if unit != TOKENS and not _CURRENCY.fullmatch(unit):
        raise ValueError(
            say("{line!r}: {word!r} is no unit: accepted are tokens, and codes of currencies", line=text, word=words[3])
        )
    strict = len(words) == 5
    if strict and unit == TOKENS:
        raise ValueError(say("{line!r}: strict is for budgets in money: tokens are always counted", line=text))
    return Budget(scope, name, "day" if period == "day" else "month", unit, _limit(number, unit, text), strict)


def _subject(word: str, line: str) -> tuple[Scope, str]:
    kind, colon, name = word.partition(":")
    scope = next((scope for scope in _SCOPES if scope == kind), None)
    if scope is None or bool(colon) == (scope == "all"):
        accepted = say(
            "{line!r}: {word!r} is no subject: accepted are all, client:NAME, client:* and session:*",
            line=line,
            word=word,
        )
        raise ValueError(accepted)
    if scope == "all":
        return scope, ""
    if not _NAME.fullmatch(name) or (scope == "session" and name != EACH):
        raise ValueError(
            say("{line!r}: accepted are client:NAME with the name of a client token, client:* and session:*", line=line)
        )
    return scope, name


def _limit(number: str, unit: str, line: str) -> int:
    found = _NUMBER.fullmatch(number.replace("_", ""))
    if found is None:
        raise ValueError(
            say(
                "{line!r}: {word!r} is no number: accepted are such as 500k, 2M, 1.5G for tokens and 50 or 0.5 for "
                "money",
                line=line,
                word=number,
            )
        )
    exact = Decimal(found[1]) * _THOUSANDS[found[2].lower()] * (1 if unit == TOKENS else prices.UNITS)
    limit = int(exact)
    if limit != exact or limit > (_MOST_TOKENS if unit == TOKENS else _MOST_MONEY):
        raise ValueError(
            say(
                "{line!r}: {word!r} can't be counted: tokens are whole, at most {tokens}, money at most {money}",
                line=line,
                word=number,
                tokens=f"{_MOST_TOKENS:,}",
                money=f"{_MOST_MONEY // prices.UNITS:,}",
            )
        )
    return limit


def amount(value: int, unit: str) -> str:
    """An amount for a person: `2,000,000 tokens`, `0.0375 CNY`."""
    if unit == TOKENS:
        return f"{value:,} tokens"
    exact = prices.decimal(value)
    shown = exact.quantize(Decimal("0.01")) if abs(exact) >= 1 else exact.quantize(Decimal("0.000001")).normalize()
    return f"{shown:,f} {unit}"
