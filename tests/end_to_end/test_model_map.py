"""`hunyuan_model_map` through a real mitmdump and the simulator: three formats, whole and streamed, both ways."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.end_to_end.processes import KEY, TOKENHUB, Certificates, Proxy, Simulator, run_proxy
from tests.end_to_end.test_hot_change import File

TABLE = """\
model_map:
  - name: coding
    when: {tag: "*coding*"}
    model: hy3-preview
    default: {max_tokens: 700}
    force: {temperature: 0.3, effort: high}
    system: {text: Be brief., place: before}
  - when: {model: "claude-*haiku*"}
    model: hy3-preview
"""
PATHS = ["/chat/completions", "/messages", "/responses"]


@dataclass(frozen=True, slots=True)
class Mapped:
    proxy: Proxy
    file: File

    def say(self, table: str) -> None:
        """Change the file, and wait until that counts."""
        seen = self.proxy.process.output.count("hunyuan.yaml: changed")
        self.file.say(table)
        self.proxy.process.wait_for(rf"(?s)(hunyuan\.yaml: changed.*?){{{seen + 1}}}\n")

    def client(self) -> httpx.Client:
        return httpx.Client(
            proxy=self.proxy.url,
            verify=self.proxy.certificates.proxy_trusted(),
            trust_env=False,
            timeout=60,
            base_url=f"https://{TOKENHUB}/v1",
            headers={"authorization": f"Bearer {KEY}", "anthropic-version": "2023-06-01"},
        )


@pytest.fixture(scope="module", params=["auto", "always"])
def mapped(
    request: pytest.FixtureRequest,
    certificates: Certificates,
    running_tokenhub: Simulator,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Mapped]:
    file = File(Path(tmp_path_factory.mktemp("options")) / "hunyuan.yaml")
    file.say(TABLE)
    options = (*file.option, "--set", f"hunyuan_translate={request.param}")
    with run_proxy(certificates, {f"{TOKENHUB}:443": running_tokenhub.port}, *options) as running:
        yield Mapped(running, file)


def body_of(path: str, model: str = "hy3") -> dict[str, Any]:
    messages = [{"role": "user", "content": "hi"}]
    if path == "/responses":
        return {"model": model, "input": "hi", "store": False}
    return {"model": model, "messages": messages} | ({"max_tokens": 5000} if path == "/messages" else {})


def models_in(answer: httpx.Response) -> set[str]:
    """The models that an answer names, wherever it does."""
    if "event-stream" not in answer.headers["content-type"]:
        return {answer.json()["model"]}
    events = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")]
    assert not any(event.get("type") == "error" or event.get("error") for event in events)
    named = [
        event.get("model") or (event.get("message") or event.get("response") or {}).get("model") for event in events
    ]
    return {name for name in named if name}


def system_of(body: dict[str, Any]) -> str:
    if "instructions" in body or "system" in body:
        given = body.get("instructions") or body["system"]
        return given if isinstance(given, str) else "".join(part["text"] for part in given)
    return str(body["messages"][0]["content"])


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", PATHS)
def test_a_row_counts_in_each_format(mapped: Mapped, tokenhub: Simulator, path: str, stream: bool) -> None:
    with mapped.client() as client:
        answer = client.post(path, json=body_of(path) | {"stream": stream}, headers={"x-hunyuan-tag": "loop.Coding.1"})
    assert answer.status_code == 200
    (arrived,) = tokenhub.requests()
    sent = arrived["body"]
    assert sent["model"] == "hy3-preview"
    # In Messages an effort is a budget for thinking where the endpoint takes none, and no temperature goes with that.
    assert sent.get("temperature") == (None if "budget_tokens" in str(sent) else 0.3)
    limit = next(sent[key] for key in ("max_tokens", "max_output_tokens", "max_completion_tokens") if key in sent)
    assert limit == (5000 if path == "/messages" else 700)
    assert system_of(sent) == "Be brief."
    asked = [sent.get("reasoning_effort"), (sent.get("reasoning") or {}).get("effort"), "budget_tokens" in str(sent)]
    assert asked in (["high", None, False], [None, "high", False], [None, None, True])
    assert "x-hunyuan-tag" not in {name.lower() for name, _ in _pairs(arrived["headers"])}
    assert "model-map" in answer.headers["x-hunyuan-fix"].split(",")
    assert models_in(answer) == ({"hy3-preview"} if path == "/chat/completions" else {"hy3"})


def _pairs(headers: Any) -> list[tuple[str, str]]:
    return list(headers.items()) if isinstance(headers, dict) else [(name, value) for name, value in headers]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", PATHS)
def test_a_request_that_no_row_is_for_is_as_without_the_table(
    mapped: Mapped, tokenhub: Simulator, path: str, stream: bool
) -> None:
    data = json.dumps(body_of(path) | {"stream": stream}, indent=1)
    named = {"content-type": "application/json", "x-hunyuan-tag": "review"}
    bodies = []
    for table in ("", TABLE):
        mapped.say(table or "retry: vision\n")
        with mapped.client() as client:
            answer = client.post(path, content=data, headers=named)
        assert answer.status_code == 200
        assert "model-map" not in answer.headers.get("x-hunyuan-fix", "")
        bodies.append(tokenhub.requests()[-1]["body"])
    assert bodies[0] == bodies[1]
    assert bodies[0]["model"] == "hy3"


def test_the_model_of_another_vendor_and_a_count(mapped: Mapped, tokenhub: Simulator) -> None:
    asked = body_of("/messages", "claude-haiku-4-5[1m]")
    with mapped.client() as client:
        answer = client.post("/messages", json=asked)
        counts = [
            client.post("/messages/count_tokens", json=asked, headers={"x-hunyuan-tag": tag}) for tag in ("", "coding")
        ]
    assert answer.json()["model"] == "claude-haiku-4-5[1m]"
    assert [body["model"] for body in tokenhub.bodies()] == ["hy3-preview"]
    plain, with_text = (count.json()["input_tokens"] for count in counts)
    assert with_text > plain, "the system text of the row counts"


def test_a_wrong_table_changes_nothing(mapped: Mapped, tokenhub: Simulator) -> None:
    mapped.file.say(TABLE.replace("model: hy3-preview\n", "model: hy3-*\n", 1))
    mapped.proxy.process.wait_for(r"hunyuan\.yaml: line 1: hunyuan_model_map: row 1: model: it is the one that answers")
    with mapped.client() as client:
        client.post("/chat/completions", json=body_of("/chat/completions"), headers={"x-hunyuan-tag": "coding"})
    assert [body["model"] for body in tokenhub.bodies()] == ["hy3-preview"]
    mapped.say(TABLE)


def test_rows_that_nothing_reaches_are_named_at_the_start(certificates: Certificates, tmp_path: Path) -> None:
    file = File(tmp_path / "hunyuan.yaml")
    file.say("model_map:\n- model: hy3\n- {when: {tag: a}, model: hy3}\n")
    with run_proxy(certificates, {}, *file.option) as running:
        said = running.process.wait_for(r"hunyuan_model_map: no request reaches row [^\n]*")[0]
    assert said == "hunyuan_model_map: no request reaches row 2 (tag a): row 1 takes all of them."
