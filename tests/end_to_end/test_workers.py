"""`run --workers`: real workers behind one port. Few starts: each costs as much as a proxy's for every worker."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from hunyuan_fix.config import operating_system
from scripts.lib.processes import free_port
from tests.cli.shell_environment import command
from tests.end_to_end.processes import KEY, Certificates, Process, Simulator, process, run_simulator
from tests.redis_server import RedisServer
from tests.vision_server import image_part, png

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no --workers")
PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class Workers:
    """A supervisor that runs, and what it has told."""

    process: Process
    told: Mapping[str, Any]

    def admin(self, path: str) -> httpx.Response:
        return httpx.get(f"{self.told['admin_url']}{path}", trust_env=False, timeout=30)

    def workers(self) -> list[dict[str, Any]]:
        return list(self.admin("/status").json()["workers"])

    def pids(self) -> list[int]:
        return [worker["pid"] for worker in self.workers() if worker["ready"]]

    def total(self, metric: str) -> float:
        """A metric, all its series together."""
        found = re.findall(rf"^{metric}\{{.*\}} (\S+)$", self.admin("/metrics").text, re.MULTILINE)
        return sum(map(float, found))

    def exchanges(self) -> float:
        return self.total("hunyuan_exchanges_total")

    def ask(self, client: httpx.Client, content: Any = "[[sim:say ok]]") -> int:
        body = {"model": "hunyuan-lite", "messages": [{"role": "user", "content": content}]}
        return client.post(f"{self.told['base_url']}/chat/completions", json=body).status_code


@contextmanager
def running(folder: Path, upstream: str, *arguments: str, count: int = 2) -> Iterator[Workers]:
    ports = ["--port", str(free_port()), "--reverse-port", str(free_port())]
    admin = ["--set", f"hunyuan_admin=127.0.0.1:{free_port()}", "--set", "hunyuan_concurrency=0"]
    words = ["--workers", str(count), "--json", *ports, *admin, "--upstream", f"{upstream}/v1", *arguments]
    with process("run --workers", [*command("run"), *words], {"HOME": str(folder)}) as started:
        told = json.loads(started.wait_for(r'(?m)^\{"base_url".*\}$')[0])
        yield Workers(started, told)


@pytest.fixture(scope="module")
def endpoint(certificates: Certificates) -> Iterator[Simulator]:
    with run_simulator(certificates, "--concurrency", "0", "--first-byte-delay", "0.02") as simulator:
        yield simulator


def client() -> httpx.Client:
    return httpx.Client(trust_env=False, timeout=30, headers={"authorization": f"Bearer {KEY}"})


def until(holds: Callable[[], bool], process: Process) -> None:
    """Look again and again whether it holds, as the supervisor's own answers are looked at: they take a while."""
    pause, tries = threading.Event(), int(PATIENCE / 0.1)
    assert any(holds() or pause.wait(0.1) for _ in range(tries)), process.output


@dataclass(slots=True)
class Traffic:
    """Clients that send one request after another over a connection that they keep, until they are told to stop."""

    workers: Workers
    statuses: list[int] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def work(self) -> None:
        with client() as connected:
            while not self.stop.is_set():
                try:
                    self.statuses.append(self.workers.ask(connected))
                    self.stop.wait(0.02)  # other tests want the processor, too
                except httpx.HTTPError as error:
                    self.failed.append(type(error).__name__)


@contextmanager
def traffic(workers: Workers, clients: int = 6) -> Iterator[Traffic]:
    """Requests under way all the while; they are over with the block."""
    sent = Traffic(workers)
    threads = [threading.Thread(target=sent.work) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        until(lambda: len(sent.statuses) > 2 * clients, workers.process)
        yield sent
    finally:
        sent.stop.set()
        for thread in threads:
            thread.join()


def test_from_the_start_to_the_end(endpoint: Simulator, tmp_path: Path) -> None:
    """One start for all of it: what is told, a killed worker, a rolling restart, the end."""
    endpoint.reset()
    with running(tmp_path, endpoint.url) as workers:
        # 1. It is told once, by the supervisor, which answers for all.
        assert workers.told["pid"] == workers.process.pid
        assert workers.told["key"]["result"] == "none"
        assert [workers.admin(path).status_code for path in ("/healthz", "/readyz", "/status", "/metrics")] == [200] * 4
        first = workers.pids()
        assert len(set(first)) == 2
        assert workers.process.pid not in first
        names = [check["name"] for check in workers.admin("/status").json()["checks"]]
        assert names[0] == "workers"
        assert len(set(names)) == len(names)
        # 2. One is killed under requests: it costs those that it had, and its numbers stay.
        with traffic(workers) as sent:
            before = workers.exchanges()
            os.kill(first[0], signal.SIGKILL)
            until(lambda: len(workers.pids()) == 2 and first[0] not in workers.pids(), workers.process)
            assert workers.exchanges() >= before
        assert len(sent.failed) <= 6, sent.failed  # no client has more than one request open
        assert set(sent.statuses) == {200}
        assert "hunyuan_worker_restarts_total 1.0" in workers.admin("/metrics").text
        # 3. All are replaced under requests, and no request notices.
        counted, second = workers.exchanges(), workers.pids()
        with traffic(workers) as sent:
            workers.process.signal(signal.SIGHUP)
            workers.process.wait_for("All workers are new")
            assert not set(second) & set(workers.pids())
        assert sent.failed == []
        assert set(sent.statuses) == {200}
        assert workers.exchanges() == counted + len(sent.statuses)
        # 4. What all have seen is in one list: also what the killed one and those that were replaced have.
        events = workers.admin("/api/events?seconds=0&last=x").text
        assert "event: gap" in events
        listed = workers.admin("/api/exchanges?limit=200").json()["exchanges"]
        assert len({one["id"] for one in listed}) == 200
        assert all(one["over"] for one in listed)
        overview = workers.admin("/api/overview").json()
        assert sum(overview["minutes"]["exchanges"]) >= 200
        assert {one["mode"] for one in overview["listens"]} == {"regular", "reverse"}
        # 5. SIGTERM: a request under way ends in peace.
        pids = workers.pids()
        with client() as connected:
            answers: list[int] = []
            endpoint.program({"fault": "slow:1", "times": 1})
            slow = threading.Thread(target=lambda: answers.append(workers.ask(connected)))
            slow.start()
            until(lambda: workers.admin("/status").json()["slots"]["taken"] == 1, workers.process)
            workers.process.terminate()
            assert workers.process.wait() == 0
            slow.join()
        assert answers == [200]
        assert not any(map(operating_system.process_exists, pids))
    assert list((tmp_path / ".local/share/hunyuan-fix/running").glob("*.json")) == []


@pytest.mark.parametrize("store", ["sqlite", "redis"])
def test_each_image_is_described_once_and_workers_end_with_their_supervisor(
    endpoint: Simulator, tmp_path: Path, redis_server: RedisServer, store: str
) -> None:
    if store == "redis":
        redis_server.start()
    endpoint.reset()
    place = redis_server.url if store == "redis" else "sqlite"
    with running(tmp_path, endpoint.url, "--set", f"hunyuan_store={place}") as workers:
        images = [png(f"picture {number}") for number in range(3)]
        question = {"type": "text", "text": "What is it? [[sim:say yes]]"}
        asked = 0

        def both_have_worked() -> bool:
            nonlocal asked
            for image in images:
                with client() as connected:  # a new connection each time: to any worker
                    assert workers.ask(connected, [question, image_part(image)]) == 200
                    asked += 1
            return all(worker["exchanges"] > len(images) for worker in workers.workers())

        until(both_have_worked, workers.process)
        # A store that takes too long, as on a busy machine, is asked no more: then it is described again.
        slow = workers.total("hunyuan_store_failures_total") + workers.total("hunyuan_store_bypassed_total")
        assert len(images) <= endpoint.stats()["vision_calls"] <= len(images) + slow
        # The supervisor is killed: no worker stays behind.
        pids = workers.pids()
        os.kill(workers.process.pid, signal.SIGKILL)
        workers.process.wait()
        until(lambda: not any(map(operating_system.process_exists, pids)), workers.process)


def test_what_exchanges_said_is_asked_of_the_workers(endpoint: Simulator, tmp_path: Path) -> None:
    """The supervisor's page has it from the worker that knows it; a session is put together from all."""
    endpoint.reset()
    with running(tmp_path, endpoint.url) as workers:
        said: list[str] = []

        def both_have_served() -> bool:
            for _ in range(4):
                said.append(f"it's number {len(said)} 好")
                with client() as connected:  # a connection of its own: the system chooses a worker for each
                    connected.headers["x-session-id"] = "one-run"
                    assert workers.ask(connected, f"[[sim:say ok]] {said[-1]}") == 200
            return all(worker["exchanges"] > 1 for worker in workers.workers())

        until(both_have_served, workers.process)
        until(lambda: len(exchanges(workers)) == len(said), workers.process)
        ids = exchanges(workers)
        # 1. What is about one exchange is known by one worker.
        for id, text in zip(ids, said, strict=True):
            came = workers.admin(f"/api/exchanges/{id}/raw/came")
            assert came.status_code == 200, came.text
            assert text in came.json()["messages"][0]["content"]
            assert "ok" in workers.admin(f"/api/exchanges/{id}/raw/answer").text
        assert "curl" in workers.admin(f"/api/exchanges/{ids[0]}/curl").text
        unknown = workers.admin("/api/exchanges/5b37e441-0274-4aed-90ed-d3176dc2deac/raw/came")
        assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "admin_no_such_exchange")
        none = workers.admin(f"/api/exchanges/{ids[0]}/images/1")
        assert (none.status_code, none.json()["error"]["code"]) == (404, "admin_no_such_image")
        # 2. A session is one file, in its order, whichever worker had which turn.
        (session,) = {one["session"] for one in workers.admin("/api/exchanges").json()["exchanges"]}
        lines = workers.admin(f"/api/sessions/{session}/export/jsonl").text.splitlines()
        assert [json.loads(line)["came"]["messages"][0]["content"].rpartition("] ")[2] for line in lines] == said
        entries = workers.admin(f"/api/sessions/{session}/export/har").json()["log"]["entries"]
        assert [json.loads(entry["request"]["postData"]["text"])["messages"] for entry in entries] == [
            json.loads(line)["came"]["messages"] for line in lines
        ]
        assert workers.admin("/api/sessions/no/export/har").status_code == 404
        # 3. What a worker knew is lost with it, and that is said; the other one answers on.
        os.kill(workers.pids()[0], signal.SIGKILL)
        until(lambda: "hunyuan_worker_restarts_total 1.0" in workers.admin("/metrics").text, workers.process)
        answers = [workers.admin(f"/api/exchanges/{id}/raw/came") for id in ids]
        assert {answer.status_code for answer in answers} == {200, 503}
        lost = next(answer for answer in answers if answer.status_code == 503)
        assert lost.json()["error"]["code"] == "admin_worker_silent"
        assert "ended" in lost.json()["error"]["message"]


def exchanges(workers: Workers) -> list[str]:
    """The ids of all that are over, the oldest first."""
    found = workers.admin("/api/exchanges?limit=1000").json()["exchanges"]
    return [one["id"] for one in sorted(found, key=lambda one: one["at"]) if one["over"]]


def test_what_is_wrong_is_said_once(endpoint: Simulator, tmp_path: Path) -> None:
    words = ["--workers", "3", "--port", str(free_port()), "--reverse-port", str(free_port())]
    wrong = [*command("run"), *words, "--set", "hunyuan_mode=wrong"]
    with process("run --workers", wrong, {"HOME": str(tmp_path)}) as started:
        assert started.wait() == 1
        assert started.output.count("hunyuan_mode") == 1
