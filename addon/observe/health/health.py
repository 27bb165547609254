"""All checks: looked at when somebody asks, and every `INTERVAL` seconds so that `since` is true without that.

- A look that is less than `FRESH` seconds old is used again: a probe that asks ten times a second costs no more.
- All checks are looked at side by side, for `PATIENCE` seconds at most. A look that takes longer goes on, no further
  one of that check is begun, and the check is degraded until it ends.
- A state that is worse holds at once. A better one holds when nothing worse was found for `STEADY` seconds: what comes
  and goes is one trouble with one beginning, and two lines in the log.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypedDict

from ...texts import terminal
from ...texts.sentence import Sentence, in_language
from ...texts.terminal import say
from ...wire import safe_text
from ..metrics import Reading
from ..statistics import HEALTH
from .check import Check, Finding, State, degraded

logger = logging.getLogger("hunyuan_fix")

INTERVAL = 10.0
FRESH = 1.0
PATIENCE = 0.5
"""Half of what Kubernetes gives a probe by default (`timeoutSeconds: 1`)."""
STEADY = 15.0


class CheckReport(TypedDict):
    """A check as it stands now: plain data."""

    name: str
    state: str
    """`healthy`, `degraded` or `unhealthy`."""
    since: float | None
    """When this state began; as `looked` Unix time in seconds. `None`: there was no look yet."""
    looked: float | None
    """The end of the last look; `None`: none has ended yet."""
    message: str


class Health:
    """The checks, by name. `clock`: Unix time; `passed`: monotonic. Both in seconds."""

    def __init__(
        self,
        checks: Iterable[Check],
        clock: Callable[[], float] = time.time,
        passed: Callable[[], float] = time.monotonic,
    ) -> None:
        self._checks = {check.name: _Standing(check, clock, passed) for check in checks}
        self._timer: asyncio.Task[None] | None = None

    def report(self, language: str = "") -> list[CheckReport]:
        """Every check as it was last seen, in order, with messages in `language`, by default that of the log.

        Raises nothing and waits for nothing: looks that are old are begun, and found at the next call. `await look()`
        before it waits for them. `/readyz` refuses where a state is `unhealthy`; `degraded` stays ready.
        """
        self._begin()
        self._end()
        said = language or terminal.language()
        return [standing.report(said) for standing in self._checks.values()]

    async def look(self) -> None:
        """Look at every check whose last look is old. Takes `PATIENCE` seconds at most."""
        self._begin()
        waiting = [standing for standing in self._checks.values() if standing.patience_left()]
        looks = [standing.looking for standing in waiting if standing.looking]
        if looks:
            await asyncio.wait(looks, timeout=max(standing.patience_left() for standing in waiting))
        self._end()

    def readings(self) -> Iterator[Reading]:
        """For `Metrics`: the states as they were last seen; none before the first look."""
        for name, standing in self._checks.items():
            if standing.since is not None:
                yield HEALTH, (name,), standing.state

    def start(self) -> None:
        """Look from now on every `INTERVAL` seconds. Needs a running event loop. Idempotent."""
        if self._timer is None or self._timer.done():
            self._timer = asyncio.create_task(self._watch(), name="hunyuan-fix looks at its health")

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
        for standing in self._checks.values():
            standing.stop()

    def _begin(self) -> None:
        for standing in self._checks.values():
            standing.begin_look()

    def _end(self) -> None:
        for standing in self._checks.values():
            standing.end_look()

    async def _watch(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(INTERVAL)


class _Standing:
    """One check: its look under way, and what its looks have shown so far."""

    def __init__(self, check: Check, clock: Callable[[], float], passed: Callable[[], float]) -> None:
        self._check = check
        self._clock = clock
        self._passed = passed
        self.looking: asyncio.Task[Finding] | None = None
        self._began = float("-inf")
        """When the last look began, on the monotonic clock."""
        self.state = State.HEALTHY
        self.since: float | None = None
        self.looked: float | None = None
        self._message = Sentence("Not looked at yet.")
        self._better: tuple[float, float, Finding] | None = None
        """A better finding than the state, which isn't held for long enough: since when, on both clocks, and the worst
        of those since then."""
        self._has_raised = False

    def begin_look(self) -> None:
        """Begin a look, unless one is under way or the last one is fresh."""
        if self.looking is None and self._passed() - self._began >= FRESH:
            self._began = self._passed()
            self.looking = asyncio.create_task(self._look(), name=f"hunyuan-fix looks at {self._check.name}")

    def patience_left(self) -> float:
        """Seconds for which to wait for the look under way; 0 if there is none."""
        return max(0.0, self._began + PATIENCE - self._passed()) if self.looking else 0.0

    def end_look(self) -> None:
        """Take in what the look has found, or that it takes too long."""
        look = self.looking
        if look is None:
            return
        if look.done():
            self.looking = None
            self.looked = self._clock()
            self._take(self._found(look))
        elif not self.patience_left():
            self._take(degraded(Sentence("The look at it takes longer than {seconds:g} s.", seconds=PATIENCE)))

    def stop(self) -> None:
        """Look no more."""
        if self.looking is not None:
            self.looking.cancel()

    def report(self, language: str) -> CheckReport:
        """As plain data."""
        return {
            "name": self._check.name,
            "state": self.state.word,
            "since": self.since,
            "looked": self.looked,
            "message": in_language(language, self._message),
        }

    async def _look(self) -> Finding:
        found = await self._check.look()
        if not isinstance(found, Finding):
            raise TypeError(type(found).__name__)
        return found

    def _found(self, look: asyncio.Task[Finding]) -> Finding:
        error: BaseException | None = asyncio.CancelledError() if look.cancelled() else look.exception()
        if error is None:
            self._has_raised = False
            return look.result()
        if not self._has_raised:  # once: it may raise at each look
            self._has_raised = True
            said = say("The check {check} failed itself:", check=self._check.name)
            logger.error("%s\n%s", said, safe_text.traceback_without_text(error))
        return degraded(Sentence("The check failed itself ({kind}); the log has more.", kind=type(error).__name__))

    def _take(self, found: Finding) -> None:
        if self.since is None:
            self._become(found, self._clock())
        elif found.state <= self.state:
            self._better = None
            if found.state < self.state:
                self._become(found, self._clock())
            else:
                self._message = found.message
        else:
            began_at, began, worst = self._better or (self._clock(), self._passed(), found)
            worst = found if found.state <= worst.state else worst
            self._better = began_at, began, worst
            if self._passed() - began >= STEADY:
                self._better = None
                self._become(worst, began_at)

    def _become(self, found: Finding, since: float) -> None:
        was, before = self.state, self.since
        self.state, self.since, self._message = found.state, since, found.message
        if found.state is was:
            return
        message = in_language(terminal.language(), found.message)
        if found.state is State.HEALTHY:
            seconds = max(0.0, since - (before or since))
            said = say(
                "Check {check} is healthy again, after {seconds:.0f} s.", check=self._check.name, seconds=seconds
            )
            logger.info("%s", said)
        else:
            level = logging.ERROR if found.state is State.UNHEALTHY else logging.WARNING
            named = {"check": self._check.name, "state": found.state.word, "message": message}
            logger.log(level, "%s", say("Check {check} is {state}: {message}", **named))
