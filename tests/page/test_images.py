"""Images for the page: what workers know is one list, a deletion reaches all stores, and who may have one described."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from hunyuan_fix import options
from hunyuan_fix.access.call_keys import CallKeys
from hunyuan_fix.access.keys import LentKey
from hunyuan_fix.access.secrets import Secrets
from hunyuan_fix.cascade import Cascade
from hunyuan_fix.config.hot_change import HotChange
from hunyuan_fix.config.values import StorePlaces
from hunyuan_fix.exchange import Exchange, JsonObject, Response
from hunyuan_fix.observe.last_exchanges import LastExchanges
from hunyuan_fix.observe.metrics import Metrics
from hunyuan_fix.observe.sinks import Sinks
from hunyuan_fix.page import describing, images
from hunyuan_fix.page.content import Content
from hunyuan_fix.page.contents import Contents
from hunyuan_fix.page.images import ImageRow, ImagesBody
from hunyuan_fix.page.page import Page
from hunyuan_fix.page.sources import Running, Sources
from hunyuan_fix.stores import Chain, Memory, open_levels
from hunyuan_fix.supervisor.asked_workers import PageOfWorkers
from hunyuan_fix.vision.descriptions import Descriptions
from hunyuan_fix.wire.openai_error import ProxyError
from hunyuan_fix.workers import Workers
from tests.cascading import HUNYUAN, IMAGE, ZH, Setting, body
from tests.redis_server import RedisServer
from tests.stores.conftest import unhurried  # noqa: F401 - a fixture
from tests.vision_server import Received, Reply, chat, vision_server

pytestmark = pytest.mark.usefixtures("unhurried")


@pytest.fixture
async def server() -> AsyncIterator[Setting]:
    async with vision_server() as running:
        made = Setting(running)
        yield made
        await made.http_client.aclose()


class Bodies(Contents):
    """What exchanges said, as the test has it."""

    def __init__(self, kept: dict[str, bytes]) -> None:
        super().__init__(Workers())
        self.bodies = kept

    @property
    def is_on(self) -> bool:
        return True

    def get(self, id: str) -> Content | None:
        came = self.bodies.get(id)
        return None if came is None else Content({}, came, None, None)

    def ids(self) -> Iterator[str]:
        return iter(self.bodies)


class Worker:
    """The page of one worker, whose vision calls go to `server`. `key`: the proxy's own."""

    def __init__(self, server: Setting, places: StorePlaces | None = None, *, key: str = "", **given: str) -> None:
        self.chain = Chain(Memory(100, 1 << 20), open_levels(places or StorePlaces(), 1 << 20))
        self.cascade = Cascade(server.vision, clock=server.clock, known=Descriptions(self.chain))
        self.cascade.images.configure(is_on=True, with_content=True)
        self.settings = options.parse({"hunyuan_vision_upstream": server.server.url, **given})
        keys = CallKeys(lent=lambda: LentKey({"HUNYUAN_API_KEY": key}))
        self.told: list[tuple[str, JsonObject]] = []
        self.sinks = Sinks()
        self.server = server
        self.bodies: dict[str, bytes] = {}
        self.running = Running(
            settings=lambda: self.settings,
            config=HotChange(options.OPTIONS),
            secrets=Secrets(lambda _: None),
            call_keys=keys,
            unusable=list,
            cascade=self.cascade,
            chain=self.chain,
            sinks=self.sinks,
            metrics=Metrics(),
        )
        self.page = Page(Sources(LastExchanges(), contents=Bodies(self.bodies), running=self.running))

    async def request(self, id: str) -> str:
        """A request with `IMAGE`: what stands in its place."""
        asked = body(IMAGE)
        self.bodies[id] = json.dumps(asked).encode()
        target = replace(self.server.target, exchange=Exchange(id=id))
        found = await self.cascade.find(asked, 1000)

        await self.cascade.describe(asked, found, HUNYUAN, target, ZH)
        return str(asked["messages"][0]["content"][1]["text"])

    async def ask(self, what: str, **values: Any) -> tuple[int, Any]:
        return told(await self.page.ask(what, values, "en"))


def told(answer: Response | ProxyError) -> tuple[int, Any]:
    response = answer.response() if isinstance(answer, ProxyError) else answer
    return response.status, json.loads(response.body)


def counting(server: Setting) -> None:
    """Each description is another one."""
    number = iter(range(100))

    async def reply(_: Received) -> Reply:
        return chat(f"description {next(number)}")

    server.server.handler = reply


async def keys_of(worker: Worker) -> dict[str, str]:
    (row,) = (await worker.ask("images"))[1]["images"]
    return {"key": row["key"], "any": row["any"]}


async def test_a_deletion_reaches_memory_the_file_and_redis(
    server: Setting, tmp_path: Path, redis_server: RedisServer
) -> None:
    counting(server)
    places = StorePlaces(tmp_path / "store", redis_server.url)
    worker = Worker(server, places)
    assert "description 0" in await worker.request("a")
    await worker.chain.flush()
    restarted = Worker(server, places)
    assert "description 0" in await restarted.request("b"), "it is in the stores"
    keys = await keys_of(restarted)
    assert (await restarted.ask("delete_image", **keys)) == (200, {"key": keys["key"], "waiting": []})
    assert (await restarted.ask("images"))[1]["images"] == []
    assert (await restarted.ask("known_image", **keys))[0] == 404
    later = Worker(server, places)
    assert "description 1" in await later.request("c"), "a third process finds it nowhere"
    for one in (worker, restarted, later):
        await one.chain.aclose()


async def test_a_store_that_fails_deletes_once_it_works_again_and_is_named(
    server: Setting, redis_server: RedisServer
) -> None:
    counting(server)
    worker = Worker(server, StorePlaces(None, redis_server.url))
    await worker.request("a")
    await worker.chain.flush()
    keys = await keys_of(worker)
    redis_server.stop()
    assert (await worker.ask("delete_image", **keys))[1]["waiting"] == ["redis"]
    assert "description 1" in await worker.request("b"), "it is forgotten all the same"
    await worker.chain.aclose()


async def test_a_description_for_any_question_goes_too(server: Setting) -> None:
    counting(server)
    worker = Worker(server)

    source = IMAGE[1]["image_url"]["url"]
    await worker.cascade.describe_ahead(source, HUNYUAN, server.target, ZH)
    assert "description 0" in await worker.request("a")
    await worker.ask("delete_image", **await keys_of(worker))
    assert "description 1" in await worker.request("b")


class Asking:
    """Several workers, as the supervisor asks them."""

    def __init__(self, workers: Sequence[Worker]) -> None:
        self.workers = [_Asked(worker) for worker in workers]

    def told_by(self, id: str) -> Any:
        return None

    def to_ask(self) -> Any:
        return self.workers


class _Asked:
    def __init__(self, worker: Worker) -> None:
        self.questions: Any = self
        self.worker = worker

    async def ask(self, what: str, values: Any, language: str, patience: float | None = None) -> Response:
        answer = await self.worker.page.ask(what, values, language or "en")
        return answer.response() if isinstance(answer, ProxyError) else answer


async def test_of_several_workers_all_forget_and_one_describes_for_all(server: Setting, tmp_path: Path) -> None:
    counting(server)
    places = StorePlaces(tmp_path / "store")
    workers = [Worker(server, places, key="sk-own") for _ in range(3)]
    page = PageOfWorkers(Page(Sources(LastExchanges())), Asking(workers))
    assert "description 0" in await workers[1].request("a")
    await workers[1].chain.flush()
    assert "description 0" in await workers[2].request("b")
    (row,) = told(await page.ask("images", {}, "en"))[1]["images"]
    assert (row["calls"], row["hits"], row["exchanges"]) == (1, 1, ["b", "a"])
    keys = {"key": row["key"], "any": row["any"]}
    # 1. All forget it.
    assert told(await page.ask("delete_image", keys, "en"))[0] == 200
    assert "description 1" in await workers[2].request("c")
    await workers[2].chain.flush()
    assert "description 1" in await workers[1].request("d")
    # 2. One describes it again, and the others have it from the store.
    status, said = told(await page.ask("describe_image", keys, "en"))
    assert (status, said["asked"]) == (200, True)
    assert said["image"]["description"] == "description 2"
    for worker in workers:
        assert "description 2" in await worker.request("e")
    assert len(server.server.received) == 3
    for worker in workers:
        await worker.chain.aclose()


async def test_described_again_only_with_a_key_of_the_proxys_own(server: Setting) -> None:
    counting(server)
    without = Worker(server)
    without.settings = options.parse({})
    await without.request("a")
    record = next(without.cascade.images.newest())
    record.base_url = "https://api.hunyuan.cloud.tencent.com/v1"
    status, said = await without.ask("describe_image", **await keys_of(without))
    assert (status, said["asked"]) == (200, False)
    assert "a client's key is never kept" in said["why"]
    assert len(server.server.received) == 1
    own = Worker(server, key="sk-own")
    own.settings = options.parse({})
    await own.request("a")
    next(own.cascade.images.newest()).base_url = "https://api.hunyuan.cloud.tencent.com/v1"
    assert (await own.ask("images"))[1]["images"][0]["can_ask"]
    # Never to another vendor's host, whatever its request was sent to.
    next(own.cascade.images.newest()).base_url = "https://api.moonshot.cn/v1"
    assert not (await own.ask("images"))[1]["images"][0]["can_ask"]


async def test_a_plans_endpoint_is_asked_only_where_its_user_wants_that(server: Setting) -> None:
    worker = Worker(server, key="sk-own")
    await worker.request("a")
    record = next(worker.cascade.images.newest())
    record.profile = "tokenhub-plan"
    assert not describing.can(record, worker.running)
    worker.settings = options.parse({"hunyuan_vision_upstream": server.server.url, "hunyuan_cascade": "always"})
    assert describing.can(record, worker.running)
    record.profile = "gone"
    assert not describing.can(record, worker.running)


async def test_what_is_gone_or_refused_is_said(server: Setting) -> None:
    counting(server)
    worker = Worker(server, key="sk-own")
    await worker.request("a")
    keys = await keys_of(worker)
    assert (await worker.page.ask("known_picture", keys, "en")).status == 200
    worker.bodies.clear()
    assert (await worker.page.ask("known_picture", keys, "en")).status == 404
    (row,) = (await worker.ask("images"))[1]["images"]
    assert (row["picture"], row["can_ask"]) == ("gone", False)
    assert (await worker.ask("describe_image", **keys))[1]["why"] == "The request that had the image is no longer kept."
    await worker.request("b")
    server.server.handler = _refusing
    said = (await worker.ask("describe_image", **keys))[1]
    assert (said["asked"], said["image"]["outcome"], said["image"]["description"]) == (True, "failed", "")
    assert said["why"]
    counting(server)
    assert "description 0" in await worker.request("c"), "the old one is deleted, the next request asks"


async def _refusing(_: Received) -> Reply:
    return Reply(401, b'{"error": {"message": "no"}}')


def row(key: str, last: float, **more: Any) -> ImageRow:
    made: Any = {
        **{"key": key, "any": key, "first": last, "last": last, "model": "m", "upstream": "u", "outcome": "described"},
        **{"why": "", "status": 200, "description": "d", "is_whole": True, "prompt": "", "hits": 1, "calls": 1},
        **{"called": last, "ms": 1.0, "tries": 1, "tokens": {"input": 1}, "cost": {"USD": 2}, "exchanges": [key]},
        **{"picture": "gone", "can_ask": False, **more},
    }
    return made  # type: ignore[no-any-return]


def listing(rows: list[ImageRow]) -> ImagesBody:
    unchanged: Any = {"requests": 1, "images": 2, "models": {"m": 1}, "exchanges": ["x"]}
    return {"images": rows, "count": len(rows), "unchanged": unchanged, "content": True}


_ROWS = some.lists(some.tuples(some.sampled_from("abcd"), some.integers(1, 99)), unique_by=lambda one: one[0])


@given(some.lists(_ROWS, min_size=1, max_size=4), some.integers(1, 9))
def test_the_list_of_all_workers_has_each_image_once_with_the_sum_of_its_counts(
    parts: list[list[tuple[str, int]]], limit: int
) -> None:
    bodies = [listing([row(key, float(last)) for key, last in part]) for part in parts]
    whole = images.merged(bodies, limit)
    together = [one for part in parts for one in part]
    keys = {key for key, _ in together}
    assert len(whole["images"]) == min(limit, len(keys))
    assert [one["last"] for one in whole["images"]] == sorted((one["last"] for one in whole["images"]), reverse=True)
    for one in whole["images"]:
        mine = [last for key, last in together if key == one["key"]]
        assert (one["hits"], one["calls"], one["tokens"]) == (len(mine), len(mine), {"input": len(mine)})
        assert (one["first"], one["last"], one["called"]) == (min(mine), max(mine), max(mine))
    assert whole["unchanged"]["requests"] == len(parts)
    assert whole["count"] >= len(keys)
    backwards = images.merged(reversed(bodies), 9)
    assert {one["key"]: one["hits"] for one in backwards["images"]} == {
        one["key"]: one["hits"] for one in images.merged(bodies, 9)["images"]
    }
