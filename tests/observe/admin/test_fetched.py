"""What the admin server shows may have to be fetched first, as from the workers of a supervisor."""

from __future__ import annotations

import asyncio

from hunyuan_fix.observe.admin.admin import Admin
from hunyuan_fix.observe.admin.request import Request
from hunyuan_fix.observe.admin.rooms import Rooms
from hunyuan_fix.observe.admin.settings import AdminSettings
from tests.observe.admin.serving import HERE, asking, raw
from tests.waiting import until


async def test_an_answer_waits_for_it_and_a_client_that_leaves_costs_nothing() -> None:
    fetched, paths, there = 0, list[str](), asyncio.Event()

    async def fetch(request: Request) -> None:
        nonlocal fetched
        paths.append(request.path)
        await there.wait()
        fetched += 1

    admin = Admin(Rooms(metrics=lambda _: ("text/plain", b"toys %d" % fetched)), {}, before=fetch)
    admin.configure(AdminSettings(admin=HERE))
    admin.start()
    try:
        async with asking(admin) as client:
            answer = asyncio.create_task(client.get("/metrics"))
            await until(lambda: paths == ["/metrics"])
            leaving = asyncio.create_task(raw(admin, b"GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n"))
            await until(lambda: paths == ["/metrics", "/status"])
            leaving.cancel()
            there.set()
            assert (await answer).text == "toys 1"
            assert (await client.get("/metrics")).text == "toys 3"
    finally:
        await admin.aclose()
