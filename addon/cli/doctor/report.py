"""The findings, for a person or for a machine."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict

from ..colours import BOLD, DIM, GREEN, RED, YELLOW, paint
from .situation import Finding, Result

_COLOURS: dict[Result, tuple[int, ...]] = {"ok": (GREEN,), "warning": (YELLOW,), "problem": (RED, BOLD)}
_RESULT_WIDTH = 9
_CHECK_WIDTH = 15


def write(findings: Iterable[Finding]) -> list[Finding]:
    """Print each finding when it is ready, then the number of problems and warnings. Returns the findings."""
    done = []
    for finding in findings:
        result = paint(f"{finding.result:<{_RESULT_WIDTH}}", *_COLOURS[finding.result])
        print(f"{result}{finding.check:<{_CHECK_WIDTH}}{finding.found}", flush=True)
        if finding.advice:
            print(f"{'':<{_RESULT_WIDTH + _CHECK_WIDTH}}{paint('→', DIM)} {finding.advice}", flush=True)
        done.append(finding)
    problems, warnings = count(done, "problem"), count(done, "warning")
    print(f"\n{_number(problems, 'problem')}, {_number(warnings, 'warning')}")
    return done


def write_json(findings: Iterable[Finding]) -> list[Finding]:
    """Print one JSON object with the findings in it; returns them."""
    done = list(findings)
    totals = {"problems": count(done, "problem"), "warnings": count(done, "warning")}
    print(json.dumps({**totals, "findings": [asdict(finding) for finding in done]}, indent=2))
    return done


def count(findings: Sequence[Finding], result: Result) -> int:
    """How many findings are of one kind."""
    return sum(finding.result == result for finding in findings)


def _number(count: int, what: str) -> str:
    return f"{count or 'no'} {what}{'' if count == 1 else 's'}"
