"""RD-Agent itself at the three endpoints: what it gets through the addon, and what without.

Both run the same script with the `.env` of docs/rd-agent.md, the addon with the options that stand there.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hunyuan_fix.simulator.embeddings import vector
from tests.client_guides import blocks_of
from tests.clients.three_endpoints import MOONSHOT, Endpoints, run_endpoints, run_script
from tests.end_to_end.processes import KEY, LEGACY, ROOT, TOKENHUB, Certificates, clean_environment
from tests.looped import each

GUIDE = ROOT / "docs/rd-agent.md"
BY_URL = "http://127.0.0.1:4000/v1"
"""What the guide's `.env` has; here the endpoints are called by their names."""
MORE = f"""
OPENAI_API_BASE=https://{TOKENHUB}/v1
OPENAI_API_KEY={KEY}
MOONSHOT_API_BASE=https://{MOONSHOT}/v1
MOONSHOT_API_KEY={KEY}
RETRY_WAIT_SECONDS=0
LOG_LLM_CHAT_CONTENT=False
"""
FAULTS: dict[str, list[dict[str, Any]]] = {
    LEGACY: [
        {"fault": "rate_limit", "match": {"contains": "<limited>"}, "times": 1, "retry_after": "0"},
        {"fault": "rate_limit", "match": {"contains": "<busy>"}, "times": 99, "retry_after": "0"},
        {"fault": "quota", "match": {"contains": "<quota>"}, "times": 99},
    ],
    TOKENHUB: [{"fault": "overflow", "match": {"contains": "<refused-text>"}, "times": 3}],
}


@dataclass(frozen=True, slots=True)
class Ran:
    """What RD-Agent got, by scenario, and the requests that the endpoints got for it."""

    found: dict[str, Any]
    requests: Sequence[dict[str, Any]]

    def sent(self, name: str) -> list[dict[str, Any]]:
        """The requests of a question."""
        return [one for one in self.requests if f"<{name}>" in json.dumps(one["body"])]

    def models(self, name: str) -> list[str]:
        return [one["body"]["model"] for one in self.sent(name)]


@contextmanager
def running(certificates: Certificates, folder: Path) -> Iterator[Endpoints]:
    (options,) = (block.text for block in blocks_of(GUIDE) if block.file == "rd-agent.yaml")
    (folder / "rd-agent.yaml").write_text(options)
    given = [f"hunyuan_config={folder / 'rd-agent.yaml'}", "hunyuan_retry_tries=2"]
    with run_endpoints(certificates, given, {"XDG_DATA_HOME": str(folder)}) as endpoints:
        yield endpoints


def ran(endpoints: Endpoints, with_addon: bool, folder: Path, *scenarios: str) -> Ran:
    """Run RD-Agent through one of the proxies."""
    endpoints.reset()
    for host, faults in FAULTS.items():
        endpoints.by_host[host].program(*faults)
    (settings,) = (block.text for block in blocks_of(GUIDE) if block.file == ".env")
    (folder / ".env").write_text(settings.replace(BY_URL, f"https://{TOKENHUB}/v1").replace("sk-...", KEY) + MORE)
    proxy = endpoints.proxy if with_addon else endpoints.bare
    found = run_script(folder, "rd_agent.py", proxy, *scenarios, environment={"BY_URL": proxy.reverse_url})
    requests = [one for endpoint in endpoints.by_host.values() for one in endpoint.requests()]
    return Ran(found, requests)


FAILED = {"raised": "RuntimeError"}
"""After `MAX_RETRY` tries."""
NUMBERS = "one two three four five six seven eight nine ten eleven twelve thirteen"
JSON, CITY = '{"a": 1}', '{"city": "Shenzhen", "degrees": 30}'
BAD, TRIES = "BadRequestError", 3


@dataclass(frozen=True, slots=True)
class Both:
    """The same run twice, and what calls cost in the first."""

    addon: Ran
    bare: Ran
    billed: dict[str, Any]
    """By the endpoints' own count, by model."""
    ledger: dict[str, Any]
    """By `hunyuan-fix usage`, by model."""


@pytest.fixture(scope="module")
def both(certificates: Certificates, tmp_path_factory: pytest.TempPathFactory) -> Both:
    data, first, second = (tmp_path_factory.mktemp(name) for name in ("data", "addon", "bare"))
    with running(certificates, data) as endpoints:
        addon = ran(endpoints, True, first)
        billed = {
            model: counts
            for endpoint in endpoints.by_host.values()
            for model, counts in endpoint.usage()["ended"].items()
        }
        bare = ran(endpoints, False, second)
    return Both(addon, bare, billed, usage_in(data))


def usage_in(data: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "hunyuan_fix.cli.main", "usage", "--by", "model", "--format", "json"]
    environment = {**clean_environment(), "XDG_DATA_HOME": str(data)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    return {row["model"]: row for row in json.loads(done.stdout)["rows"]}


def chats(both: Both) -> None:
    addon, bare = both.addon.found["chats"], both.bare.found["chats"]
    same = {"streamed": "one two three", "whole": "one two three", "by-url": "hello", "kimi": "from Kimi"}
    assert addon == {**same, "history": "on", "think": "so"}
    # Two answers in a row, and what the model thinks.
    assert bare == {**same, "history": FAILED, "think": "<think>because</think>so"}


def json_answers(both: Both) -> None:
    repaired = {"json": JSON, "kimi-json": JSON, "typed": JSON, "schema": CITY}
    # LiteLLM doesn't list hy3: nothing in the request says that JSON is wanted, unless the example of a backend does.
    assert both.addon.found["json"] == {**repaired, "unlisted": FAILED, "unlisted-ours": JSON}
    assert both.bare.found["json"] == dict.fromkeys([*repaired, "unlisted", "unlisted-ours"], FAILED)
    for name in (*repaired, "unlisted-ours"):
        assert (len(both.addon.sent(name)), len(both.bare.sent(name))) == (1, TRIES), name
    (schema,) = both.addon.sent("schema")
    assert schema["body"]["response_format"]["type"] == "json_schema"


def long_answers(both: Both) -> None:
    assert both.addon.found["long"] == {"long": NUMBERS, "long-kimi": NUMBERS, "two-parts": "one two three"}
    assert len(both.addon.sent("long")) == 6
    # RD-Agent's own way, an answer of its own at the end of the messages: refused, or the answer begins anew.
    assert both.bare.found["long"]["long"] == FAILED
    assert both.bare.found["long"]["two-parts"] != "one two three"
    assert both.bare.found["long"]["long-kimi"] != NUMBERS
    (_, second) = both.addon.sent("two-parts")
    assert second["body"]["messages"][-1]["partial"] is True


def failures(both: Both) -> None:
    addon, bare = both.addon.found["failures"], both.bare.found["failures"]
    # A rate limit under the status 400: waited for here; else it is an error that RD-Agent knows as one.
    assert (addon["limited"], bare["limited"]) == (["through", []], ["through", [BAD]])
    assert (addon["busy"], bare["busy"]) == ([FAILED, ["RateLimitError"] * TRIES], [FAILED, [BAD] * TRIES])
    assert (len(both.addon.sent("busy")), len(both.bare.sent("busy"))) == (2 * TRIES, TRIES)
    assert addon["quota"] == bare["quota"] == [FAILED, [BAD] * TRIES]
    # A wrong key is tried as often as RD-Agent likes; what it logs says where there is a right one.
    assert addon["key"] == [FAILED, ["AuthenticationError"] * 10, True]
    assert bare["key"] == [FAILED, ["AuthenticationError"] * 10, False]
    # A refusal of content has a code; LiteLLM and RD-Agent go by words. The example of a backend goes by the code.
    assert (addon["refused"], bare["refused"]) == ([FAILED, [BAD] * TRIES], [FAILED, ["APIError"] * TRIES])
    assert addon["refused-ours"] == [{"raised": "PolicyError"}, []]
    assert bare["refused-ours"] == bare["refused"]
    assert (len(both.addon.sent("refused-ours")), len(both.bare.sent("refused-ours"))) == (1, TRIES)


def embeddings(both: Both) -> None:
    addon, bare = both.addon.found["embeddings"], both.bare.found["embeddings"]
    first, second = ([1024, begin(f"<{name}> text")] for name in ("first", "second"))
    assert addon["first"] == bare["first"] == [first]
    assert addon["again"] == bare["again"] == [first, second, first]
    # Known vectors aren't asked for again, nor the same text twice.
    sent = [one["body"]["input"] for one in (*both.addon.sent("first"), *both.addon.sent("second"))]
    assert sent == [["<first> text"], ["<second> text"]]
    assert len(both.bare.sent("second")[0]["body"]["input"]) == 3
    # More than 50 texts.
    assert addon["many"] == [[1024, begin(f"<many> text {number}")] for number in range(120)]
    assert bare["many"] == FAILED
    # Too long for the model: its end is cut off either way, here before it is sent, and that is said.
    ((long, short),) = (one["body"]["input"] for one in both.addon.sent("too-long"))
    assert 2000 < len(long) < 8000
    assert short == "<too-long> short"
    # Refused as too long, in words that RD-Agent doesn't know.
    assert [vector[0] for vector in addon["refused-text"]] == [1024]
    assert bare["refused-text"] == FAILED
    lengths = [len(one["body"]["input"][0]) for one in both.addon.sent("refused-text")]
    assert len(lengths) == 4
    assert lengths == sorted(lengths, reverse=True)
    assert addon["distances"] == bare["distances"]


def begin(text: str) -> list[float]:
    return [round(value, 6) for value in vector(text)[:3]]


def own_cache_of_vectors(both: Both) -> None:
    """RD-Agent's goes by the text alone, so that another model's vector comes; the proxy's doesn't."""
    for run in (both.addon, both.bare):
        assert run.found["two models"] == {"its own": [1024, 1024], "without": [1024, 2560]}
    assert len(both.addon.sent("models")) == 2
    assert len(both.bare.sent("models")) == 3


def own_cache_and_sessions(both: Both) -> None:
    for run in (both.addon, both.bare):
        assert run.found["kept"] == {"same": True, "session": ["a", "b"]}
        assert len(run.sent("kept")) == 1
        assert [len(one["body"]["messages"]) for one in run.sent("session")] == [2, 4]


def stages(both: Both) -> None:
    for run in (both.addon, both.bare):
        assert run.found["stages"] == {"its own": "x", "ours": "x"}
        assert run.models("its-map") == ["hy3-preview"]
    assert both.addon.models("our-map") == ["hy3-preview"]
    assert both.bare.models("our-map") == ["hy3"]
    for one in (*both.addon.requests, *both.addon.sent("our-map")):
        assert not [name for name, _ in one["headers"] if name.startswith(("x-hunyuan-tag", "x-hunyuan-json"))]


def costs(both: Both) -> None:
    """The ledger has what the endpoints bill, to the token; RD-Agent counts the text of answers, if it is listed."""
    for model, counts in both.billed.items():
        row = both.ledger[model]
        assert {kind: row["tokens"][kind] for kind in ("input", "output")} == {
            kind: counts[kind] for kind in ("input", "output")
        }, model
        assert row["estimated"]["calls"] == 0
    counted = both.addon.found["costs"]
    assert counted["unlisted"] == 0
    assert both.ledger["hy3"]["tokens"]["reasoning"] >= 800
    thought = 1600 / 4  # characters of one thought
    assert counted["thinks"] < 0.000004 * thought < float(both.ledger["kimi-k2.6"]["cost"]["USD"])


def agents(both: Both) -> None:
    """RD-Agent's agents leave LiteLLM's prefix at the name of the model, and have two system messages."""
    assert both.addon.found["agent"] == "工具返回：Shenzhen: sun"
    assert both.addon.models("agent") == ["hy3", "hy3"]
    assert both.bare.found["agent"] == {"raised": "ModelRequestRejectedError"}


def litellm_alone(both: Both) -> None:
    works = {"whole": "hello", "streamed": "one two three", "tools": "工具返回：Shenzhen: sun"}
    # Vectors in base64: the old platform refuses the field, TokenHub's stand-in answers in floats.
    packed = {LEGACY: begin("packed"), TOKENHUB: begin("packed"), MOONSHOT: None}
    assert both.addon.found["litellm"] == {
        host: {**works, "structured": "Shenzhen", "packed": packed[host]} for host in HOSTS
    }
    floats = {LEGACY: {"raised": BAD}, TOKENHUB: {"raised": "TypeError"}, MOONSHOT: None}
    # JSON with a comma too many; the old platform takes no schema.
    wrong = {LEGACY: BAD, TOKENHUB: "ValidationError", MOONSHOT: "ValidationError"}
    assert both.bare.found["litellm"] == {
        host: {**works, "structured": {"raised": error}, "packed": floats[host]} for host, error in wrong.items()
    }


def pydantic_ai(both: Both) -> None:
    """Its agents have two system messages, one more for each second try, and null for a limit."""
    works = {"whole": "hello", "streamed": "one two three", "tools": "工具返回：Beijing: sun", "again": "b"}
    cities = dict.fromkeys(("by tool", "by schema", "in words"), "Shenzhen")
    assert both.addon.found["pydantic-ai"] == {host: {**works, **cities} for host in HOSTS}
    refused, unexpected = {"raised": "ModelRequestRejectedError"}, {"raised": "UnexpectedModelBehavior"}
    bare = both.bare.found["pydantic-ai"]
    assert bare[LEGACY] == dict.fromkeys([*works, *cities], refused)
    assert bare[TOKENHUB] == dict.fromkeys([*works, *cities], refused) | {"whole": "hello", "by tool": "Shenzhen"}
    assert bare[MOONSHOT] == {**works, "by tool": refused, "by schema": unexpected, "in words": unexpected}


HOSTS = (LEGACY, TOKENHUB, MOONSHOT)
ALL: tuple[Callable[[Both], None], ...] = (
    *(chats, json_answers, long_answers, failures, embeddings, own_cache_of_vectors, own_cache_and_sessions),
    *(stages, costs, agents, litellm_alone, pydantic_ai),
)


@pytest.mark.timeout(600)  # two processes that import LiteLLM, one after the other
@each("holds", ALL, ids=lambda holds: holds.__name__)
def test_rd_agent_with_the_addon_and_without(both: Both, holds: Callable[[Both], None]) -> None:
    holds(both)
