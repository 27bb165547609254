"""RD-Agent's own demands of its cache and its seeds, held by the proxy's cache of answers.

RD-Agent keeps nothing itself here. Its demands: a seed decides which answers a question gets, one after the other, in
one process and in four; the same question asked twice with one seed gets two answers.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.clients.test_rd_agent import usage_in
from tests.clients.three_endpoints import Endpoints, run_endpoints, run_script
from tests.end_to_end.processes import KEY, TOKENHUB, Certificates
from tests.looped import each

SETTINGS = {
    "BACKEND": "hunyuan_backend.HunyuanBackend",
    "CHAT_MODEL": "openai/hy3",
    "OPENAI_API_BASE": f"https://{TOKENHUB}/v1",
    "OPENAI_API_KEY": KEY,
    "RETRY_WAIT_SECONDS": "0",
    "MAX_RETRY": "3",
    "LOG_LLM_CHAT_CONTENT": "False",
}


@dataclass(frozen=True, slots=True)
class Asking:
    """RD-Agent behind a proxy that keeps answers."""

    endpoints: Endpoints
    folder: Path
    numbers: Iterator[int]

    def __call__(self, scenario: str, **settings: str) -> Any:
        """What a process of RD-Agent gets, in a folder and a home of its own."""
        folder = self.folder / str(next(self.numbers))
        folder.mkdir()
        environment = SETTINGS | settings
        return run_script(folder, "rd_agent_cache.py", self.endpoints.proxy, scenario, environment=environment)[
            scenario
        ]

    def calls(self, name: str) -> int:
        """How many requests the endpoints have got for a question."""
        return len(self.endpoints.sent(f"<{name}>"))


@pytest.fixture(scope="module")
def asking(certificates: Certificates, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asking]:
    folder = tmp_path_factory.mktemp("cache")
    options = ["hunyuan_answer_cache=use", "hunyuan_json=repair", "hunyuan_usage=ask"]
    with run_endpoints(certificates, options, {"XDG_DATA_HOME": str(folder)}) as endpoints:
        yield Asking(endpoints, folder, itertools.count())


def by_seed(found: Sequence[Sequence[str]]) -> None:
    """The answers with the seed 10, with 20, and with 10 again."""
    first, second, again = found
    assert first == again
    assert not set(first) & set(second)
    assert len(set(first)) == len(first)
    assert len(set(second)) == len(second)


def one_process(asking: Asking) -> None:
    by_seed(asking("seeded", HUNYUAN_RUN="seeds"))
    assert asking.calls("seeded") == 4


def four_processes(asking: Asking) -> None:
    found = asking("processes", HUNYUAN_RUN="seeds")
    by_seed(found)
    assert asking.calls("processes") == 8
    assert asking("processes", HUNYUAN_RUN="seeds") == found
    assert asking.calls("processes") == 8


def a_run_in_another_process(asking: Asking) -> None:
    """On another day, in another folder, with streams where there were whole answers: the n-th gets the n-th."""
    first = asking("run", HUNYUAN_RUN="agent/monday")
    assert len(set(first)) == len(first)
    calls = [asking.calls(name) for name in ("run", "other", "streamed")]
    assert calls == [3, 1, 1]
    asking.endpoints.by_host[TOKENHUB].program({"fault": "internal", "times": 99})
    assert asking("run", HUNYUAN_RUN="agent/tuesday") == first
    assert asking("whole_run", HUNYUAN_RUN="agent/wednesday") == first
    asking.endpoints.reset()
    another = asking("run", HUNYUAN_RUN="another/monday")
    assert not set(another) & set(first)


def its_own_way_to_another_answer(asking: Asking) -> None:
    first, second, third, last = asking("flags")
    assert first == second
    assert first != third
    assert third == last
    assert asking.calls("flags") == 2


def another_model_is_another_question(asking: Asking) -> None:
    """RD-Agent's own cache gives the first answer to all three."""
    flags = {"BACKEND": "rdagent.oai.backend.LiteLLMAPIBackend", "USE_CHAT_CACHE": "True", "DUMP_CHAT_CACHE": "True"}
    asking.endpoints.reset()
    assert len(set(asking("models"))) == 3
    assert asking.calls("models") == 3
    assert len(set(asking("models", **flags))) == 1


def what_cannot_be_used_is_not_given_again(asking: Asking) -> None:
    listed = {"CHAT_MODEL": "tencent/hy4-preview", "TENCENT_API_BASE": f"https://{TOKENHUB}/v1", "TENCENT_API_KEY": KEY}
    assert asking("unusable", **listed) == "RuntimeError"
    assert asking.calls("unusable") == 3


def what_is_given_again_costs_nothing(asking: Asking) -> None:
    asking.endpoints.reset()
    before = calls_in(asking.folder)
    found = [asking("flags", HUNYUAN_RUN="ledger/1"), asking("flags", HUNYUAN_RUN="ledger/2")]
    assert found[0] == found[1]
    assert asking.calls("flags") == 4
    assert calls_in(asking.folder) - before == 4


def calls_in(data: Path) -> int:
    return sum(row["calls"] for row in usage_in(data).values())


ALL = (
    *(one_process, four_processes, a_run_in_another_process, its_own_way_to_another_answer),
    *(another_model_is_another_question, what_cannot_be_used_is_not_given_again, what_is_given_again_costs_nothing),
)


@each("holds", ALL, ids=lambda holds: holds.__name__)
def test_the_proxy_holds_what_rd_agent_demands_of_its_cache(asking: Asking, holds: Any) -> None:
    holds(asking)
