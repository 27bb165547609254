"""The health check of the workers: whether all serve clients, and stay."""

from __future__ import annotations

from ..observe.health.check import Finding, degraded, healthy, unhealthy
from ..observe.health.lately import Growth
from ..texts.sentence import Sentence
from .supervisor import Supervisor

_LATELY = 300.0
"""Seconds for which a worker's end counts."""


class WorkersCheck:
    """Looks at the workers of `supervisor`."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._restarts = Growth(_LATELY)

    async def look(self) -> Finding:
        """By how many serve, then by those that don't answer, then by those that ended lately."""
        supervisor = self._supervisor
        serving, wanted = len(supervisor.serving), supervisor.count
        restarts = self._restarts.of(supervisor.restarts)
        if not serving:
            return unhealthy(Sentence("No worker serves clients. The log says how the last one ended."))
        if serving < wanted:
            return degraded(
                Sentence(
                    "{serving} of {wanted} workers serve clients; the others are being started. The log says how they "
                    "ended.",
                    serving=serving,
                    wanted=wanted,
                )
            )
        if silent := supervisor.silent:
            return degraded(
                Sentence(
                    "Worker {number} doesn't answer: its event loop stands still. SIGHUP replaces all workers.",
                    number=", ".join(str(worker.place) for worker in silent),
                )
            )
        if restarts:
            return degraded(
                Sentence(
                    "{count} workers ended by themselves in the last minutes and were started again. The log says how: "
                    "SIGKILL mostly means that the machine had no memory left.",
                    count=restarts,
                )
            )
        return healthy(Sentence("{serving} workers serve clients.", serving=serving))
