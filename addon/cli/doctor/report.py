"""The findings, for a person or for a machine."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from ...columns import width
from ...texts import terminal
from ...texts.sentence import in_language
from ...texts.terminal import say
from ...wire import safe_text
from ..colours import BOLD, CYAN, DIM, GREEN, RED, YELLOW, paint
from .situation import CHECKS, Finding, Result

RESULTS: dict[Result, tuple[int, ...]] = {"ok": (GREEN,), "info": (CYAN,), "warning": (YELLOW,), "problem": (RED, BOLD)}
"""The results, and their colours."""
_GAP = 2
_LONGEST = 2000
"""Characters of a line."""


def write(findings: Iterable[Finding]) -> list[Finding]:
    """Print each finding when it is ready, then the number of problems and warnings. Returns the findings."""
    done = []
    results = _padded(RESULTS)
    checks = _padded(CHECKS.values())
    indent = " " * (width(next(iter(results.values()))) + width(next(iter(checks.values()))))
    for finding in findings:
        result = paint(results[finding.result], *RESULTS[finding.result])
        print(f"{result}{checks[finding.check]}{said(finding.found)}", flush=True)
        if finding.advice:
            print(f"{indent}{paint('→', DIM)} {said(finding.advice)}", flush=True)
        done.append(finding)
    print(f"\n{_totals(count(done, 'problem'), count(done, 'warning'))}")
    return done


def said(text: str) -> str:
    """`text` in the terminal's language. It may have names from files that others have written."""
    return safe_text.line(in_language(terminal.language(), text), _LONGEST)


def _padded(words: Iterable[str]) -> dict[str, str]:
    """Each of `words` -> the same in the terminal's language, all of one width."""
    spoken = {word: say(word) for word in words}
    columns = max(map(width, spoken.values())) + _GAP
    return {word: text + " " * (columns - width(text)) for word, text in spoken.items()}


def _totals(problems: int, warnings: int) -> str:
    match problems, warnings:
        case 0, 0:
            return say("no problems, no warnings")
        case 0, _:
            return say("no problems; warnings: {warnings}", warnings=warnings)
        case _, 0:
            return say("problems: {problems}; no warnings", problems=problems)
    return say("problems: {problems}; warnings: {warnings}", problems=problems, warnings=warnings)


def write_json(findings: Iterable[Finding]) -> list[Finding]:
    """Print one JSON object with the findings in it, in English in every language; returns them."""
    done = list(findings)
    totals = {"problems": count(done, "problem"), "warnings": count(done, "warning")}
    print(json.dumps({**totals, "findings": [_as_json(finding) for finding in done]}, indent=2))
    return done


def _as_json(finding: Finding) -> dict[str, object]:
    return {
        "id": finding.id,
        "check": finding.check,
        "result": finding.result,
        "found": str(finding.found),
        "advice": str(finding.advice),
        "fix": None if finding.fix is None else str(finding.fix.what),
    }


def count(findings: Sequence[Finding], result: Result) -> int:
    """How many findings are of one kind."""
    return sum(finding.result == result for finding in findings)
