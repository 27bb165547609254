"""The real Claude Code and Codex under `hunyuan_mask`: they read a key and write it, and no endpoint has seen it.

The file that they read tells the model what to write: as it left, with a placeholder.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from hunyuan_fix.masking.placeholders import FORM
from tests.clients.claude_code import ClaudeCode
from tests.clients.codex import Codex
from tests.clients.test_claude_code import MODELS, bash, call
from tests.clients.test_codex import PROFILES, shell
from tests.clients.translating import WAYS, Way, run_way
from tests.end_to_end.processes import Certificates
from tests.wire.test_secret_shapes import letters

SECRET, PHONE = "sk-" + letters(40), "13812345678"
CONTENT = json.dumps({"key": SECRET, "phone": PHONE})


@pytest.fixture(scope="module", params=WAYS)
def masking(request: pytest.FixtureRequest, certificates: Certificates) -> Iterator[Way]:
    with run_way(certificates, request.param, options=["hunyuan_mask=keys,ids"]) as running:
        yield running


@pytest.fixture
def way(masking: Way) -> Way:
    masking.upstream.reset()
    return masking


def assert_nothing_left(way: Way) -> None:
    sent = [json.dumps(body, ensure_ascii=False) for body in way.upstream.bodies()]
    assert any(FORM.search(body) for body in sent)
    assert not any(SECRET in body or PHONE in body for body in sent)


def test_claude_code_writes_what_it_read(way: Way, tmp_path: Path) -> None:
    claude = ClaudeCode(tmp_path, way.base_url, MODELS[way.name])
    proof = claude.work / "proof"
    (claude.work / "two").write_text(call("Write", file_path=str(proof), content=CONTENT))
    run = claude.ask(bash("cat two"))
    assert run.code == 0, run.output
    assert proof.read_text() == CONTENT
    assert_nothing_left(way)
    left = [path for path in tmp_path.rglob("*") if path.is_file() and FORM.search(path.read_text(errors="replace"))]
    assert left == [], "nor is one in what it keeps of its session"


def test_codex_writes_what_it_read(way: Way, tmp_path: Path) -> None:
    codex = Codex(tmp_path, way.proxy, PROFILES[way.name], MODELS[way.name])
    (codex.work / "two").write_text(shell(f"printf %s {shlex.quote(CONTENT)} > proof"))
    run = codex.ask(shell("cat two"))
    assert run.code == 0, run.output
    assert (codex.work / "proof").read_text() == CONTENT
    assert_nothing_left(way)
