"""The supervisor's own sums: what any worker tells counts once."""

from __future__ import annotations

import time

from hunyuan_fix import events
from hunyuan_fix.exchange import Exchange
from hunyuan_fix.observe.done import done
from hunyuan_fix.supervisor.supervisor import Supervisor
from hunyuan_fix.supervisor.worker import Worker


async def test_what_workers_tell_is_in_its_list_and_in_its_minutes() -> None:
    supervisor = Supervisor(2, lambda *_: (), (), changed=lambda _: None)
    now = time.time()
    for number in (1, 2):
        worker = Worker(number, number, supervisor._hear)
        paid = {"usage": {"input": 10}, "amount": 5, "currency": "CNY"}
        over = {**done(Exchange(), "200", "answered", 200)}
        told = [
            [events.CAME, f"{number}", now, {}],
            [events.PAID, f"{number}", now, paid],
            [events.DONE, f"{number}", now, over],
        ]
        supervisor._hear(worker, {"kind": "events", "events": told})
    series = supervisor.minutes.series(now)
    assert (series["exchanges"][-1], series["input"][-1], series["cost"]["CNY"][-1]) == (2, 20, 10)
    assert len(supervisor.exchanges) == 2
    kept = supervisor.exchanges.get("1")
    assert kept is not None and kept.summary()["cost"] == {"CNY": 5}
