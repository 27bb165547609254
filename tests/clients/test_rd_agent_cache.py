"""RD-Agent's own demands of its cache and its seeds, held by the proxy's cache of answers.

RD-Agent keeps nothing itself here. Its demands: a seed decides which answers a question gets, one after the other, in
one process and in four; the same question asked twice with one seed gets two answers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.clients.test_rd_agent import usage_in
from tests.clients.three_endpoints import Endpoints, run_endpoints, run_script
from tests.end_to_end.processes import KEY, TOKENHUB, Certificates
from tests.looped import each

OPTIONS = ("hunyuan_answer_cache=use", "hunyuan_json=repair", "hunyuan_usage=ask")
SETTINGS = {
    "BACKEND": "hunyuan_backend.HunyuanBackend",
    "CHAT_MODEL": "openai/hy3",
    "OPENAI_API_BASE": f"https://{TOKENHUB}/v1",
    "OPENAI_API_KEY": KEY,
    "RETRY_WAIT_SECONDS": "0",
    "MAX_RETRY": "3",
    "LOG_LLM_CHAT_CONTENT": "False",
}
FIRST = ("processes@seeds", "seeded@seeds", "run@agent/monday", "run@another/monday", "flags@", "models@", "unusable@")
SECOND = ("processes@seeds", "run@agent/tuesday", "run_otherwise@agent/wednesday", "models_by_itself@")
QUESTIONS = ("processes", "seeded", "run", "other", "whole", "flags", "models", "unusable")


@dataclass(frozen=True, slots=True)
class Ran:
    """Two processes of RD-Agent, one after the other: what they got, and how often the endpoint was asked."""

    first: dict[str, Any]
    second: dict[str, Any]
    calls: Counter[str]
    """After the first."""
    more_calls: Counter[str]
    """By the second. The endpoint refuses questions of recorded runs by then."""
    paid: int
    """Calls in the ledger."""


@pytest.fixture(scope="module")
def asked(certificates: Certificates, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    data, here, elsewhere = (tmp_path_factory.mktemp(name) for name in ("data", "here", "elsewhere"))
    with run_endpoints(certificates, OPTIONS, {"XDG_DATA_HOME": str(data)}) as endpoints:
        first = ask(endpoints, here, FIRST)
        calls = count(endpoints)
        endpoints.reset()
        recorded = [{"fault": "status:500", "match": {"contains": f"<{name}>"}, "times": 99} for name in QUESTIONS[:5]]
        endpoints.by_host[TOKENHUB].program(*recorded)
        second = ask(endpoints, elsewhere, SECOND)
        more_calls = count(endpoints)
    return Ran(first, second, calls, more_calls, sum(row["calls"] for row in usage_in(data).values()))


def ask(endpoints: Endpoints, folder: Path, scenarios: Sequence[str]) -> dict[str, Any]:
    """A process of RD-Agent, in a folder and a home of its own."""
    return run_script(folder, "rd_agent_cache.py", endpoints.proxy, *scenarios, environment=SETTINGS)


def count(endpoints: Endpoints) -> Counter[str]:
    return Counter({name: len(endpoints.sent(f"<{name}>")) for name in QUESTIONS})


def by_seed(found: Sequence[Sequence[str]]) -> None:
    """The answers with the seed 10, with 20, and with 10 again."""
    first, second, again = found
    assert first == again
    assert not set(first) & set(second)
    assert len(set(first)) == len(first)
    assert len(set(second)) == len(second)


def one_process(ran: Ran) -> None:
    by_seed(ran.first["seeded@seeds"])
    assert ran.calls["seeded"] == 4


def four_processes(ran: Ran) -> None:
    by_seed(ran.first["processes@seeds"])
    assert ran.calls["processes"] == 8
    assert ran.second["processes@seeds"] == ran.first["processes@seeds"]
    assert ran.more_calls["processes"] == 0


def a_run_again(ran: Ran) -> None:
    """In another process, another folder, and with streams where there were whole answers: the n-th gets the n-th."""
    monday, another = ran.first["run@agent/monday"], ran.first["run@another/monday"]
    assert len({*monday, *another}) == 10
    assert ran.second["run@agent/tuesday"] == ran.second["run_otherwise@agent/wednesday"] == monday
    assert [ran.calls[name] for name in ("run", "other", "whole")] == [6, 2, 2]
    assert [ran.more_calls[name] for name in ("run", "other", "whole")] == [0, 0, 0]


def its_own_way_to_another_answer(ran: Ran) -> None:
    first, second, third, last = ran.first["flags@"]
    assert first == second
    assert first != third
    assert third == last
    assert ran.calls["flags"] == 2


def another_model_is_another_question(ran: Ran) -> None:
    """RD-Agent's own cache gives the first answer to all three."""
    assert len(set(ran.first["models@"])) == ran.calls["models"] == 3
    assert len(set(ran.second["models_by_itself@"])) == 1


def what_cannot_be_used_is_not_given_again(ran: Ran) -> None:
    assert ran.first["unusable@"] == "RuntimeError"
    assert ran.calls["unusable"] == 3


def what_is_given_again_costs_nothing(ran: Ran) -> None:
    assert ran.paid == ran.calls.total() + ran.more_calls.total()


ALL: tuple[Callable[[Ran], None], ...] = (
    *(one_process, four_processes, a_run_again, its_own_way_to_another_answer, another_model_is_another_question),
    *(what_cannot_be_used_is_not_given_again, what_is_given_again_costs_nothing),
)


@pytest.mark.timeout(600)  # two processes that import LiteLLM, one after the other
@each("holds", ALL, ids=lambda holds: holds.__name__)
def test_the_proxy_holds_what_rd_agent_demands_of_its_cache(asked: Ran, holds: Callable[[Ran], None]) -> None:
    holds(asked)
