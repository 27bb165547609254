"""Faults on request: which request gets which, as programmed over `/_sim/faults` or by the header `x-sim-fault`."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .codec import decode
from .content import image_urls
from .journal import Request
from .rows import Json

HEADER = "x-sim-fault"

# Refused as if the row had been broken.
ROWS = {
    "rate_limit": "A4",
    "rate_limit_text": "A4b",
    "quota": "A8",
    "internal": "A9",
    "retired": "A10",
    "overflow": "overflow",
    "overload": "overload",
}
# Answered with something else than an answer; `status` takes the status as its argument.
REPLACED = ("200_error", "garbage_json", "html_502", "status")
# A good answer that comes late, or stops coming: `slow:SECONDS`, `stall` or in a stream `stall:CHUNKS`.
DELAYED = ("slow", "stall")
# A good answer that breaks off; `cut:CHUNKS` says after how many chunks of a stream.
BROKEN = ("cut", "cut_in_chunk", "truncate_body")
# A stream that says something odd.
STREAMED = (
    "comments",
    "crlf",
    "error_event_first",
    "error_event_mid",
    "gzip_stream",
    "malformed_sse",
    "no_done",
    "no_final_blank",
    "no_finish",
)
# Of Tencent Cloud's own API: `native:CODE` refuses with that code; lines with a tab between events; an event of 200 KB.
NATIVE = ("native", "tabs", "big_event")
KINDS = frozenset({*ROWS, *REPLACED, *DELAYED, *BROKEN, *STREAMED, *NATIVE})
_NEED_NUMBER = ("status", "slow")


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault by its kind, the number or `text` after the colon, and a `Retry-After` for the error."""

    kind: str
    number: float | None = None
    retry_after: str | None = None
    text: str = ""

    @classmethod
    def parse(cls, text: str, retry_after: str | None = None) -> "Fault":
        """`kind` or `kind:number`; raises ValueError that says what is wrong."""
        kind, _, number = text.partition(":")
        if kind not in KINDS:
            raise ValueError(f"unknown fault {kind!r}; known: {', '.join(sorted(KINDS))}")
        if kind in _NEED_NUMBER and not number:
            raise ValueError(f"the fault {kind!r} needs a number: {kind}:NUMBER")
        if kind == "native":
            return cls(kind, None, retry_after, number)
        return cls(kind, float(number) if number else None, retry_after)

    def count(self, default: int) -> int:
        """The number as a count of chunks."""
        return default if self.number is None else int(self.number)


@dataclass(slots=True)
class _Rule:
    fault: Fault
    match: Json
    times: int


@dataclass(slots=True)
class Faults:
    """The faults still to come, in the order they were programmed."""

    rules: list[_Rule] = field(default_factory=list)

    def program(self, wanted: object) -> int:
        """Add rules `{"fault", "match", "times", "retry_after"}`, returns how many; raises ValueError."""
        if not isinstance(wanted, list) or not all(isinstance(entry, dict) for entry in wanted):
            raise ValueError("faults are a list of objects")
        rules = [_rule(entry) for entry in wanted]
        self.rules.extend(rules)
        return len(rules)

    def take(self, request: Request) -> Fault | None:
        """The fault that `request` is to suffer; a rule is used up after its `times`."""
        named = request.header(HEADER)
        if named:
            return Fault.parse(named)
        for rule in self.rules:
            if _matches(rule.match, request):
                rule.times -= 1
                if rule.times <= 0:
                    self.rules.remove(rule)
                return rule.fault
        return None


def _rule(entry: Json) -> _Rule:
    match, times, retry_after = entry.get("match", {}), entry.get("times", 1), entry.get("retry_after")
    if not isinstance(match, dict) or match.keys() - _TESTS.keys():
        raise ValueError(f"match takes {', '.join(_TESTS)}")
    if not isinstance(times, int) or times < 1:
        raise ValueError("times is a number of requests")
    fault = Fault.parse(str(entry.get("fault")), None if retry_after is None else str(retry_after))
    return _Rule(fault, match, times)


def _matches(match: Json, request: Request) -> bool:
    return all(_TESTS[name](request, wanted) for name, wanted in match.items())


def _json(request: Request) -> Json:
    try:
        body = decode(request.body)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _has_header(request: Request, wanted: str) -> bool:
    """`name` or `name: value`."""
    name, _, value = wanted.partition(":")
    return any(key == name.strip().lower() and value.strip() in ("", text) for key, text in request.headers)


_TESTS: dict[str, Callable[[Request, Any], bool]] = {
    "path": lambda request, wanted: request.path == wanted,
    "model": lambda request, wanted: _json(request).get("model") == wanted,
    "header": _has_header,
    "vision": lambda request, wanted: any(image_urls(_json(request))) is bool(wanted),
    "contains": lambda request, wanted: str(wanted).encode() in request.body,
}
