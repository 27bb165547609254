"""`/metrics` of a real mitmdump after all kinds of exchanges, read by Prometheus's official parsers."""

from __future__ import annotations

import asyncio
import functools
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import Metric as Family
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain
from prometheus_client.samples import Sample

from hunyuan_fix.rules.explained import explanations
from scripts.lib import metrics_page
from scripts.lib.processes import free_port
from tests.end_to_end.processes import KEY, LEGACY, ROOT, TOKENHUB, Certificates, Proxy, Simulator, process, run_proxy
from tests.end_to_end.requests import MODEL, agent_request, good_request, image, tool
from tests.observe.alerts.promtool import found
from tests.waiting import until

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
PARSERS: dict[str, Callable[[str], Iterable[Family]]] = {"text/plain": plain, OPENMETRICS: openmetrics}
HY3 = "hy3"


@dataclass(frozen=True, slots=True)
class Running:
    """A proxy before both endpoints, and its admin server."""

    proxy: Proxy
    admin: str
    legacy: Simulator

    def scrape(self, accept: str = "text/plain") -> dict[str, Family]:
        answer = httpx.get(f"{self.admin}/metrics", headers={"accept": accept}, trust_env=False, timeout=30)
        assert answer.headers["content-type"].startswith(accept.partition(";")[0])
        return {family.name: family for family in PARSERS[accept](answer.raise_for_status().text)}

    def ask(self, host: str, path: str, body: dict[str, Any], **headers: str) -> int:
        """The status of an answer that has come whole."""
        given = {"authorization": f"Bearer {KEY}", "anthropic-version": "2023-06-01", **headers}
        with httpx.Client(
            proxy=self.proxy.url, verify=self.proxy.certificates.proxy_trusted(), trust_env=False, timeout=60
        ) as client:
            return client.post(f"https://{host}/v1/{path}", json=body, headers=given).status_code


@pytest.fixture
def running(certificates: Certificates, simulator: Simulator, tokenhub: Simulator) -> Iterator[Running]:
    port = free_port()
    options = {"hunyuan_admin": f"127.0.0.1:{port}", "hunyuan_retry": "all", "hunyuan_breaker_failures": "0"}
    arguments = [word for name, value in options.items() for word in ("--set", f"{name}={value}")]
    redirects = {f"{LEGACY}:443": simulator.port, f"{TOKENHUB}:443": tokenhub.port}
    with run_proxy(certificates, redirects, *arguments) as proxy:
        yield Running(proxy, f"http://127.0.0.1:{port}", simulator)


@contextmanager
def prometheus(admin: str, folder: Path) -> Iterator[Callable[[str], list[float]]]:
    """A real Prometheus that scrapes `admin` four times a second; gives what answers a query."""
    config = {
        "global": {"scrape_interval": "250ms", "scrape_timeout": "250ms", "evaluation_interval": "250ms"},
        "rule_files": [str(ROOT / "deploy/prometheus/hunyuan-fix.rules.yml")],
        "scrape_configs": [
            {"job_name": "hunyuan-fix", "static_configs": [{"targets": [admin.removeprefix("http://")]}]},
        ],
    }
    (folder / "prometheus.yml").write_text(json.dumps(config), encoding="utf-8")
    port = free_port()
    command = [
        str(Path(found(folder).program).with_name("prometheus")),
        "--config.file",
        str(folder / "prometheus.yml"),
    ]
    command += ["--storage.tsdb.path", str(folder / "data"), "--web.listen-address", f"127.0.0.1:{port}"]
    with process("prometheus", command) as started:
        started.wait_for("Server is ready to receive web requests")

        def ask(query: str) -> list[float]:
            address = f"http://127.0.0.1:{port}/api/v1/query"
            answer = httpx.get(address, params={"query": query}, trust_env=False, timeout=30).raise_for_status().json()
            return [float(one["value"][1]) for one in answer["data"]["result"]]

        yield ask


def everything(running: Running) -> int:
    """Send exchanges of all kinds; how many."""
    user = [{"role": "user", "content": "你好"}]
    stream = {"stream": True, "stream_options": {"include_usage": True}}
    picture = {"role": "user", "content": [{"type": "text", "text": "Read."}, image("[[sim:say 图里的字]]")]}
    asked: list[tuple[str, str, dict[str, Any]]] = [
        (LEGACY, "chat/completions", good_request()),
        (LEGACY, "chat/completions", agent_request("再来")),
        (LEGACY, "chat/completions", good_request() | stream),
        (LEGACY, "embeddings", {"model": "hunyuan-embedding", "input": "你好"}),
        (LEGACY, "messages", {"model": MODEL, "max_tokens": 100, "messages": user}),
        (LEGACY, "messages", {"model": MODEL, "max_tokens": 100, "messages": user, "stream": True}),
        (LEGACY, "responses", {"model": MODEL, "input": "你好"}),
        (LEGACY, "responses", {"model": MODEL, "input": "你好", "stream": True}),
        (LEGACY, "chat/completions", {"model": MODEL, "tools": [tool()], "messages": [picture]}),
        (LEGACY, "chat/completions", {"model": MODEL, "tools": [tool()], "messages": [picture]}),
        (TOKENHUB, "chat/completions", {"model": HY3, "messages": user} | stream),
        (TOKENHUB, "messages", {"model": HY3, "max_tokens": 100, "messages": user, "stream": True}),
        (TOKENHUB, "responses", {"model": HY3, "input": "你好", "stream": True, "store": False}),
    ]
    for host, path, body in asked:
        assert running.ask(host, path, body) == 200, (host, path, body)
    assert running.ask(LEGACY, "chat/completions", good_request() | {"model": "no-such-model"}) >= 400
    assert running.ask(LEGACY, "chat/completions", good_request(), **{"x-sim-fault": "quota"}) >= 400
    running.legacy.program({"fault": "status:503", "times": 1})
    assert running.ask(LEGACY, "chat/completions", good_request("once more")) == 200
    running.legacy.program({"fault": "cut:1", "times": 1})
    assert running.ask(LEGACY, "chat/completions", good_request("cut") | stream) == 200
    return len(asked) + 4


def total(family: Family, **labels: str) -> float:
    """The values of a counter or a gauge, of a histogram how many there are, with these labels."""
    suffix = {"counter": "_total", "histogram": "_count"}.get(family.type, "")
    return sum(
        sample.value
        for sample in family.samples
        if sample.name == family.name + suffix and labels.items() <= sample.labels.items()
    )


def of(sample: Sample) -> tuple[str, ...]:
    return (sample.name, *(f"{name}={value}" for name, value in sorted(sample.labels.items())))


def check_buckets(family: Family) -> None:
    """Cumulative, up to the count."""
    found: dict[tuple[str, ...], dict[float, float]] = {}
    counts: dict[tuple[str, ...], float] = {}
    sums: dict[tuple[str, ...], float] = {}
    for sample in family.samples:
        labels = tuple(f"{name}={value}" for name, value in sorted(sample.labels.items()) if name != "le")
        if sample.name.endswith("_bucket"):
            found.setdefault(labels, {})[float(sample.labels["le"])] = sample.value
        else:
            (counts if sample.name.endswith("_count") else sums)[labels] = sample.value
    assert found.keys() == counts.keys() == sums.keys()
    for labels, buckets in found.items():
        values = [buckets[bound] for bound in sorted(buckets)]
        assert values == sorted(values)
        assert buckets[math.inf] == counts[labels]
        assert (sums[labels] > 0) == (counts[labels] > 0), (family.name, labels)


def test_a_run_is_told_by_its_metrics(running: Running) -> None:
    before = running.scrape()
    sent = everything(running)
    first = running.scrape()
    for family in first.values():
        if family.type == "histogram":
            check_buckets(family)

    # 1. Each exchange is counted once, with its time.
    exchanges = first["hunyuan_exchanges"]
    assert total(exchanges) == sent
    assert total(first["hunyuan_exchange_seconds"]) == total(first["hunyuan_own_seconds"]) == sent
    assert total(exchanges, profile="tokenhub", model=HY3, status="2xx") == 3
    assert total(exchanges, model="other", status="4xx") == 1
    for dialect in ("chat", "embeddings", "anthropic", "responses", "anthropic-native", "responses-native"):
        assert total(exchanges, dialect=dialect, status="2xx") > 0, dialect
        assert total(first["hunyuan_exchange_seconds"], dialect=dialect) == total(exchanges, dialect=dialect)

    # 2. What happened to them.
    errors = first["hunyuan_errors"]
    assert total(errors, code="insufficient_quota") == 1
    assert total(errors, code="stream_broken") == total(first["hunyuan_streams_cut"]) == 1
    assert total(errors) == 3
    assert total(first["hunyuan_streams"]) == 7
    assert total(first["hunyuan_retries"], reason="http_5xx") == 1
    assert total(first["hunyuan_changes"]) > 0
    assert {sample.labels["rule"] for sample in first["hunyuan_changes"].samples} <= explanations().keys()
    assert total(first["hunyuan_first_token_seconds"]) >= 6
    assert total(first["hunyuan_first_byte_seconds"]) >= sent - 1
    assert total(first["hunyuan_admissions"], result="admitted") >= sent
    images = first["hunyuan_images"]
    assert (total(images, result="described"), total(images, result="cached"), total(images)) == (1, 1, 2)
    assert total(first["hunyuan_vision_seconds"]) == 1
    assert total(first["hunyuan_vision_tokens"], kind="output") > 0
    for kind in ("input", "output"):
        assert total(first["hunyuan_tokens"], kind=kind) > 0
    assert total(first["hunyuan_failures"]) == total(first["hunyuan_clients_gone"]) == 0
    assert total(first["hunyuan_slots_taken"]) == total(first["hunyuan_breaker_open"]) == 0
    assert first["hunyuan_build_info"].samples[0].labels["mitmproxy"].startswith("12.")
    assert first["process_cpu_seconds"].samples[0].value > 0

    # 3. Counters only rise, and no series goes.
    assert running.ask(LEGACY, "chat/completions", good_request("one more")) == 200
    second = running.scrape()
    assert total(second["hunyuan_exchanges"]) == total(second["hunyuan_exchange_seconds"]) == sent + 1
    earlier, later = (
        {of(sample): sample.value for family in each.values() for sample in family.samples} for each in (first, second)
    )
    rising = [family for family in first.values() if family.type in ("counter", "histogram")]
    for series in [of(sample) for family in rising for sample in family.samples]:
        assert later[series] >= earlier[series], series
    assert earlier.keys() <= later.keys()
    assert before.keys() <= first.keys()

    # 4. OpenMetrics says the same.
    other = running.scrape(OPENMETRICS)
    assert other.keys() == second.keys()
    for name in ("hunyuan_exchanges", "hunyuan_errors", "hunyuan_images", "hunyuan_own_seconds"):
        assert sorted(map(of, other[name].samples)) == sorted(map(of, second[name].samples))
        assert total(other[name]) == total(second[name])

    # 5. Nothing of a client's is in it.
    text = httpx.get(f"{running.admin}/metrics", trust_env=False, timeout=30).text
    for secret in (KEY, "你好", "no-such-model", "图里的字", "x-sim-fault", "127.0.0.1"):
        assert secret not in text


def scraped(ask: Callable[[str], list[float]], exchanges: int) -> bool:
    return ask("sum(hunyuan_exchanges_total)") == [exchanges]


def test_a_real_prometheus_scrapes_and_answers_the_questions_of_the_page(running: Running, tmp_path: Path) -> None:
    page = metrics_page.PAGES["en"].read_text("utf-8")
    queries = [query.replace("\\|", "|") for query in re.findall(r"^\| .+\? \| `(.+)` \|$", page, re.MULTILINE)]
    with prometheus(running.admin, tmp_path) as ask:
        # Each series has to be there twice, with traffic in between: a rate is what has been added.
        for rounds in (1, 2):
            sent = rounds * everything(running)
            asyncio.run(until(functools.partial(scraped, ask, sent), lambda: ask("up")))
        answers = {query: ask(query) for query in queries}
        assert all(answers.values()), answers
        assert not any(math.isnan(value) for values in answers.values() for value in values), answers
        assert ask('ALERTS{alertstate="firing"}') == []
        assert ask('max_over_time(hunyuan_health{check="event_loop"}[1m])')
