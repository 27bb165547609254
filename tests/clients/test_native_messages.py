"""The real Claude Code on a TokenHub that speaks Messages itself, all of it or only the common part."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.claude_code import ClaudeCode
from tests.clients.test_claude_code import bash
from tests.end_to_end.processes import TOKENHUB, Certificates, Proxy, Simulator, run_proxy, run_simulator


@pytest.fixture(scope="module", params=["all", "the common part", "the common part in Anthropic's words"])
def endpoint(request: pytest.FixtureRequest, certificates: Certificates) -> Iterator[Simulator]:
    given = {"all": ("--takes", "all"), "the common part": ()}.get(request.param, ("--anthropic-words",))
    with run_simulator(certificates, "--no-mentions", *given, hosts=[TOKENHUB], profile="tokenhub") as running:
        yield running


@pytest.fixture(scope="module")
def before(certificates: Certificates, endpoint: Simulator) -> Iterator[Proxy]:
    """A proxy with nothing but its upstream set."""
    given = ("--set", f"hunyuan_upstream=https://{TOKENHUB}/v1")
    with run_proxy(certificates, {f"{TOKENHUB}:443": endpoint.port}, *given) as running:
        yield running


def test_a_tool_is_called(before: Proxy, endpoint: Simulator, tmp_path: Path) -> None:
    endpoint.reset()
    claude = ClaudeCode(tmp_path, before.reverse_url.removesuffix("/v1"), "hy3")
    run = claude.ask(bash("echo done > proof"))
    assert run.code == 0, run.output
    assert (claude.work / "proof").read_text() == "done\n"
    requests = endpoint.requests()
    assert {request["path"] for request in requests} == {"/v1/messages"}
    assert {request["status"] for request in requests} == {200}


@pytest.mark.parametrize("words", [(), ("--anthropic-words",)], ids=["its own words", "Anthropic's words"])
def test_without_the_addon(certificates: Certificates, tmp_path: Path, words: tuple[str, ...]) -> None:
    """It gives up on the vendor's words; Anthropic's tell it, one refusal after the other, what to leave out."""
    with run_simulator(certificates, "--no-mentions", *words, profile="tokenhub") as endpoint:
        run = ClaudeCode(tmp_path, endpoint.url, "hy3").ask("[[sim:say hello]]")
        refused = [request for request in endpoint.requests() if request["status"] == 400]
    assert (run.code == 0) is bool(words)
    assert len(refused) > 5
