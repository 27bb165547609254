from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from hunyuan_fix.admission import Account, Admission
from hunyuan_fix.exchange import Response
from hunyuan_fix.upstream.calls import Calls, RetriedCall
from hunyuan_fix.upstream.circuit_breaker import Breaker
from hunyuan_fix.upstream.client import CallFailed, CallTimedOut, HttpClient
from hunyuan_fix.upstream.gate import CallRefused, Gate
from hunyuan_fix.upstream.retry import Retryable
from hunyuan_fix.upstream.target import Target
from hunyuan_fix.upstream.timing import Timing
from tests.vision_server import Received, Reply, VisionServer, chat, error, never, vision_server


@dataclass
class Setting:
    """Calls through a real gate to a real server; one failure opens the breaker, the account has one slot."""

    server: VisionServer
    http_client: HttpClient = field(default_factory=HttpClient)
    admission: Admission = field(default_factory=Admission)
    breaker: Breaker = field(default_factory=lambda: Breaker(failures=1, seconds=30.0))

    def __post_init__(self) -> None:
        self.admission.configure(queue_max=10, queue_timeout=60.0, leases=None)
        self.gate = Gate(self.admission, self.breaker)
        self.calls = Calls(self.http_client, self.gate)
        self.target = Target(self.server.url, {"authorization": "Bearer k"}, Account("hunyuan:1", 1))

    async def post(self, seconds: float = 10.0, patience: float = 60.0, ends: float = math.inf) -> Response:
        now = asyncio.get_running_loop().time()
        return await self.calls.send(
            self.target, "/chat/completions", b"{}", timeout=seconds, until=now + patience, ends=now + ends
        )

    @property
    def load(self) -> tuple[int, int]:
        """Calls under way and waiting."""
        queues = self.admission.state().queues
        return sum(queue.under_way for queue in queues), sum(queue.waiting for queue in queues)

    async def waiting(self, count: int) -> None:
        async with asyncio.timeout(10):
            while self.load[1] != count:
                await asyncio.sleep(0)


@pytest.fixture
async def setting() -> AsyncIterator[Setting]:
    async with vision_server() as server:
        server.replies(chat("x"))
        made = Setting(server)
        yield made
        assert made.load == (0, 0)
        await made.http_client.aclose()
        await made.admission.aclose()


async def test_a_call_holds_a_slot_and_gives_it_back(setting: Setting) -> None:
    calls = [asyncio.create_task(setting.post()) for _ in range(4)]
    assert [call.status for call in await asyncio.gather(*calls)] == [200] * 4
    assert setting.server.most_running == 1
    assert setting.server.received[0].target == "/v1/chat/completions"


async def test_its_time_begins_with_the_slot(setting: Setting) -> None:
    hold = asyncio.Event()

    async def held(_: object) -> Reply:
        await hold.wait()
        return chat("x")

    setting.server.handler = held
    first = asyncio.create_task(setting.post())
    await setting.server.until(lambda: setting.server.running == 1)
    second = asyncio.create_task(setting.post(seconds=1.5))
    await setting.waiting(1)
    await asyncio.sleep(1.6)  # longer than the second may take
    hold.set()
    assert [(await call).status for call in (first, second)] == [200, 200]


async def test_the_wait_for_the_slot_is_bounded(setting: Setting) -> None:
    setting.server.handler = never
    first = asyncio.create_task(setting.post())
    await setting.server.until(lambda: setting.server.running == 1)
    with pytest.raises(CallRefused) as caught:
        await setting.post(patience=0.01)
    assert caught.value.response.status == 429
    first.cancel()
    await asyncio.wait({first})


@pytest.mark.parametrize("cancelled", [0, 1])
async def test_a_cancelled_call_gives_up_its_place(setting: Setting, cancelled: int) -> None:
    """The one under way and the one that waits. Neither says anything about the endpoint."""
    setting.server.handler = never
    calls = [asyncio.create_task(setting.post())]
    await setting.server.until(lambda: setting.server.running == 1)
    calls.append(asyncio.create_task(setting.post()))
    await setting.waiting(1)
    calls[cancelled].cancel()
    await asyncio.wait({calls[cancelled]})
    assert setting.load == (1, 0)
    calls[1 - cancelled].cancel()
    await asyncio.wait(calls)
    assert setting.breaker.open() == []


@pytest.mark.parametrize(
    ("reply", "down"), [(error(400), False), (error(429), False), (error(500), False), (Reply(502), True)]
)
async def test_what_an_answer_tells_the_breaker(setting: Setting, reply: Reply, down: bool) -> None:
    setting.server.replies(reply)
    await setting.post()
    assert bool(setting.breaker.open()) is down


async def test_no_answer_in_time_opens_the_breaker(setting: Setting) -> None:
    setting.server.handler = never
    with pytest.raises(CallTimedOut):
        await setting.post(seconds=0.02)
    assert setting.breaker.open() == [setting.server.url]
    with pytest.raises(CallRefused):
        await setting.post()


async def test_a_call_that_was_cut_short_says_nothing(setting: Setting) -> None:
    setting.server.handler = never
    with pytest.raises(CallTimedOut):
        await setting.post(ends=0.02)
    assert setting.breaker.open() == []


async def test_nobody_there_opens_the_breaker(setting: Setting) -> None:
    async with vision_server() as gone:
        setting.target = Target(gone.url, {}, Account("hunyuan:1", 1))
    with pytest.raises(CallFailed):
        await setting.post()
    assert setting.breaker.open() == [gone.url]


async def test_without_an_account_there_is_no_gate(setting: Setting) -> None:
    setting.target = Target(setting.server.url, {})
    await asyncio.gather(*(setting.post() for _ in range(3)))
    assert setting.admission.state().admitted == 0


async def test_a_further_try_goes_ahead_of_new_calls(setting: Setting) -> None:
    order: list[str] = []
    hold = asyncio.Event()
    others: list[asyncio.Task[Response]] = []

    async def handle(received: Received) -> Reply:
        name = received.body["name"]
        order.append(name)
        if name == "other":
            await hold.wait()
        return error(429) if order == ["retried"] else chat("x")

    def start(name: str) -> None:
        body = json.dumps({"name": name}).encode()
        call = setting.calls.send(setting.target, "/x", body, timeout=10.0, until=math.inf)
        others.append(asyncio.create_task(call))

    async def sleep(_: float) -> None:
        start("other")
        await setting.server.until(lambda: setting.server.running == 1)
        start("later")
        await setting.waiting(1)

    async def release() -> None:
        await setting.waiting(2)
        hold.set()

    setting.server.handler = handle
    retried: RetriedCall[Response] = RetriedCall(
        name="test",
        target=setting.target,
        house="chat",
        body={"name": "retried"},
        read=lambda answer: answer if answer.status == 200 else Retryable("limited", answer),
        failed=lambda _: Response(502, {}, b""),
        tries=2,
        timeout=10.0,
        until=math.inf,
    )
    releasing = asyncio.create_task(release())
    calls = Calls(setting.http_client, setting.gate, Timing(sleep=sleep))
    assert (await retried.send(calls)).status == 200
    await asyncio.gather(releasing, *others)
    assert order == ["retried", "other", "retried", "later"]
