"""`explain_rule`: what a kind of change repairs, and why. Asks no proxy."""

from __future__ import annotations

from ...did_you_mean import alike
from ...rules.explained import Explanation, explanations
from . import words
from .admin_api import Unanswered
from .choosing import Asked
from .report import Report


async def answer(asked: Asked) -> Report:
    """Of the rule with this name; of all, their names, where none is given."""
    known = explanations()
    name = asked.value("name")
    if not name:
        report = Report(["The names of all kinds of changes:", words.listed(known, len(known))])
        report.data = {"names": list(known)}
        return report
    found = known.get(name) or known.get(name.lower())
    if found is None:
        near = alike(name[:80], known)
        hint = f"did you mean {', '.join(near)}?" if near else "explain_rule without a name lists all."
        raise Unanswered(f"There is no rule {name[:80]!r}; {hint}")
    report = Report(data=data(name.lower(), found))
    report.show(f"{name.lower()}: {found.repairs}", f"Why: {found.why}")
    return report


def data(name: str, found: Explanation) -> dict[str, object]:
    """The same as data."""
    return {"name": name, "repairs": found.repairs, "why": found.why}


def short(name: str) -> str:
    """What a rule repairs, in a line; `""` for one that isn't known here."""
    found = explanations().get(name)
    return found.repairs if found else ""
