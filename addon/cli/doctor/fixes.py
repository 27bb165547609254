"""`doctor --fix`: make the changes that mend what was found, each after a question."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from ...texts.terminal import say
from .report import said
from .situation import Backups, Finding


def mend(findings: Sequence[Finding], *, sure: bool) -> int:
    """Offer each change that `findings` have, and make those that the user wants; returns how many failed.

    `sure`: make all without asking. Without that, and without a terminal to answer at, none is made.
    """
    fixes = [finding.fix for finding in findings if finding.fix is not None]
    if not fixes:
        print(say("There is nothing that --fix could change."))
        return 0
    if not sure and not sys.stdin.isatty():
        for fix in fixes:
            print(say("would {change}", change=said(fix.what)))
        print(say("Nothing was changed: there is no terminal to ask at. --yes makes all these changes."))
        return 0
    failed = 0
    backups: Backups = {}
    for fix in fixes:
        if not (sure or _wanted(said(fix.what))):
            continue
        try:
            done = said(fix.apply(backups))
        except OSError as error:
            print(say("not done: {change}: {why}", change=said(fix.what), why=error.strerror or str(error)))
            failed += 1
        else:
            print(f"{said(fix.what)}\n  {done}" if sure else f"  {done}")
    return failed


def _wanted(change: str) -> bool:
    print(say("{change}? [y/N] ", change=change), end="", flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes", "是")
