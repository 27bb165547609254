"""Requests that real clients sent (docs/facts/clients.md#histories), replayed through the proxy to the simulator.

On TokenHub's rules as `hunyuan-fix run` sends them there, and on those of the old platform. Two things differ from
what was recorded. The recorder cut images, and nobody can read half an image: each gets
a whole one. aider called its model gpt-4o to be allowed to send images: Hunyuan has none of that name.
"""

from __future__ import annotations

import copy
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from hunyuan_fix.simulator.vision import data_url, png_with_text
from tests.conftest import WITH, WITHOUT
from tests.end_to_end.processes import KEY, LEGACY, ROOT, TOKENHUB, Certificates, Simulator, run_proxy

CAPTURES = sorted((Path(__file__).parents[1] / "captures").glob("*/*.json"))
CUT_IMAGE = "data:image/"
FOREIGN_MODEL, MODEL = "gpt-4o", "hunyuan-t1-latest"


def test_all_captures_are_here() -> None:
    assert len(CAPTURES) == 83
    assert len({path.parent.name for path in CAPTURES}) == 12


@dataclass(frozen=True, slots=True)
class Way:
    """To an endpoint: directly, and through the addon, whose client still has the old platform's address."""

    name: str
    simulator: Simulator
    http: httpx.Client

    def by_hand(self, body: dict[str, Any]) -> dict[str, Any]:
        """`body` as a person would send it here who changes nothing but the model, to one that this endpoint has."""
        if self.name == "hunyuan":
            return body
        return {**body, "model": SUCCESSORS.get(body["model"], "hy3")}


SUCCESSORS = {"hunyuan-turbos-vision": "hy-vision-2.0-instruct", "hunyuan-embedding": "kinfra-text-embedding-0.6b"}


@pytest.fixture(scope="module")
def to_tokenhub(certificates: Certificates, running_tokenhub: Simulator) -> Iterator[httpx.Client]:
    """A client of the old platform behind a proxy that re-routes to TokenHub."""
    redirects = {f"{TOKENHUB}:443": running_tokenhub.port}
    with (
        run_proxy(certificates, redirects, "--set", f"hunyuan_upstream=https://{TOKENHUB}/v1") as proxy,
        httpx.Client(
            proxy=proxy.url,
            verify=certificates.proxy_trusted(),
            trust_env=False,
            timeout=60,
            base_url=f"https://{LEGACY}/v1",
            headers={"authorization": f"Bearer {KEY}"},
        ) as http,
    ):
        yield http


@pytest.fixture(params=["tokenhub", "hunyuan"])
def way(request: pytest.FixtureRequest) -> Way:
    simulator, http = ("tokenhub", "to_tokenhub") if request.param == "tokenhub" else ("simulator", "http")
    return Way(request.param, request.getfixturevalue(simulator), request.getfixturevalue(http))


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_accepted_without_losing_a_word(path: Path, way: Way, record_property: Callable[[str, object], None]) -> None:
    capture = json.loads(path.read_text(encoding="utf-8"))
    body = whole(capture["body"], f"screenshot of {path.parent.name} {path.stem}")
    headers = {"user-agent": capture["user_agent"], "authorization": f"Bearer {KEY}"}
    simulator = way.simulator
    direct = httpx.post(
        f"{simulator.url}{capture['path']}",
        json=way.by_hand(body),
        headers=headers,
        verify=simulator.verify,
        trust_env=False,
    )
    record_property(f"{WITHOUT}:{way.name}", direct.is_success)
    simulator.reset()

    if "input" in body:
        body = way.by_hand(body)  # an embedding model is replaced by nobody: its vectors would fit no index
    answer = way.http.post(capture["path"].removeprefix("/v1/"), json=copy.deepcopy(body), headers=headers)

    record_property(f"{WITH}:{way.name}", answer.is_success)
    assert answer.status_code == 200, answer.text
    if body.get("stream"):
        assert answer.text.rstrip().endswith("data: [DONE]")
    *vision_calls, received = simulator.bodies()
    assert len(vision_calls) == (images(body) - images(received))
    sent_texts, received_texts = list(texts(body)), "\n".join(texts(received))
    assert [text for text in sent_texts if text.strip() not in received_texts] == []
    assert Counter(" ".join(sent_texts).split()) <= Counter(received_texts.split())


def test_the_readmes_say_how_many_are_refused_without_the_addon(
    running_tokenhub: Simulator, legacy_simulator: Simulator, http: httpx.Client
) -> None:
    refused = []
    for name, simulator in (("tokenhub", running_tokenhub), ("hunyuan", legacy_simulator)):
        way = Way(name, simulator, http)
        captures = [json.loads(path.read_text(encoding="utf-8")) for path in CAPTURES]
        with httpx.Client(
            verify=simulator.verify, trust_env=False, headers={"authorization": f"Bearer {KEY}"}
        ) as direct:
            answers = [
                direct.post(f"{simulator.url}{one['path']}", json=way.by_hand(whole(one["body"], "a screenshot")))
                for one in captures
            ]
        refused.append(str(sum(not answer.is_success for answer in answers)))
    for page, pattern in (
        ("README.md", r"Of (\d+) requests .* refuses (\d+) and the old platform's (\d+)\. .* accept all (\d+),"),
        ("README.zh-CN.md", r"录下 (\d+) 个请求：.*拒绝 (\d+) 个，旧平台的拒绝 (\d+) 个；.*都是 (\d+) 个全部接受"),
    ):
        said = re.search(pattern, (ROOT / page).read_text(encoding="utf-8"))
        assert said
        assert said.groups() == (str(len(CAPTURES)), *refused, str(len(CAPTURES)))


def whole(body: dict[str, Any], shown: str) -> dict[str, Any]:
    """The recorded body with whole images, all alike, and a model that Hunyuan has."""

    def mended(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: mended(item) for key, item in value.items()}
        if isinstance(value, list):
            return [mended(item) for item in value]
        return data_url(png_with_text(shown)) if isinstance(value, str) and value.startswith(CUT_IMAGE) else value

    model = MODEL if body["model"] == FOREIGN_MODEL else body["model"]
    return {**mended(body), "model": model}


def images(body: dict[str, Any]) -> int:
    """How many image parts the messages have."""
    contents = (message.get("content") for message in body.get("messages", []))
    return sum(part.get("type") == "image_url" for content in contents if isinstance(content, list) for part in content)


def texts(body: dict[str, Any]) -> Iterator[str]:
    """Every text that a body carries: contents, tool calls, tool descriptions, inputs. Not `reasoning_content`,
    which the endpoint refuses, and not images."""
    given = body.get("input", [])
    yield from [given] if isinstance(given, str) else given
    for message in body.get("messages", []):
        content = message.get("content")
        if isinstance(content, str):
            yield content
        for part in content if isinstance(content, list) else []:
            if part["type"] == "text":
                yield part["text"]
        for call in message.get("tool_calls") or []:
            yield call["function"]["name"]
            yield call["function"]["arguments"]
    for tool in body.get("tools", []):
        yield tool["function"]["name"]
        yield tool["function"].get("description", "")
