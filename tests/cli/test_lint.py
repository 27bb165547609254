"""`scripts/lint`: run as a process, its verdicts held against the simulator's checks."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hunyuan_fix.cli.lint import command as lint
from hunyuan_fix.cli.lint import report
from hunyuan_fix.cli.lint.reading import Unreadable
from hunyuan_fix.rules.explained import explanations
from hunyuan_fix.simulator import checks
from hunyuan_fix.simulator.vision import data_url, png_with_text
from tests.cli.lint_run import BROKEN, CLEAN, MODEL, OLD, OLD_MODEL, SECRET, Done
from tests.cli.shell_environment import command, environment
from tests.end_to_end.processes import ROOT
from tests.end_to_end.test_captures import CAPTURES, texts, whole

IMAGE = {"type": "image_url", "image_url": {"url": data_url(png_with_text(SECRET))}}
FOLDERS = sorted({path.parent for path in CAPTURES})

NO_NETWORK = """
import os, sys
from hunyuan_fix.cli.main import main
sys.addaudithook(lambda event, _: os._exit(77) if event in ("socket.connect", "socket.getaddrinfo") else None)
sys.exit(main(["--scripts", "lint", *sys.argv[1:]]))
"""


def fixed(*arguments: str | Path, stdin: object = b"") -> list[Any]:
    done = Done("--fix", *arguments, stdin=stdin)
    assert done.status in (0, 1), done.err
    return [json.loads(line) for line in done.out.splitlines()]


def test_a_clean_body() -> None:
    done = Done(stdin=CLEAN)
    assert (done.status, done.err) == (0, "")
    assert "clean" in done.out


def test_a_body_that_would_be_refused_and_changed() -> None:
    done = Done("-", stdin=BROKEN)
    assert done.status == 1
    for shown in (
        "standard input",
        "400 400002 invalid parameter 'messages': roles must alternate",  # the vendor's words
        "/messages/1/content",
        "/messages/1 ",
        "merge",
        explanations()["merge"].repairs,
        explanations()["merge"].why,
        "✓ then the endpoint would take it",
    ):
        assert shown in done.out
    assert SECRET not in done.out + done.err
    assert "\x1b" not in done.out


def test_the_fixed_body_alone_is_on_standard_output() -> None:
    done = Done("--fix", stdin=BROKEN)
    assert done.status == 1
    assert json.loads(done.out) == {"model": MODEL, "seed": 1, "messages": [{"role": "user", "content": SECRET}]}
    assert "merge" in done.err
    assert SECRET not in done.err


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_recorded_requests(folder: Path, tmp_path: Path) -> None:
    files = []
    for path in sorted(folder.glob("*.json")):
        capture = json.loads(path.read_text(encoding="utf-8"))
        capture["body"] = whole(capture["body"], "screenshot")
        if "messages" in capture["body"]:  # the model of embeddings has no successor that could take its place
            files.append(tmp_path / path.name)
            files[-1].write_text(json.dumps(capture), encoding="utf-8")

    done = Done("--fix", *files)

    assert done.status == 1, "TokenHub has none of their models"
    assert done.err.count("/model") >= len(files)
    bodies = [json.loads(line) for line in done.out.splitlines()]
    assert len(bodies) == len(files)
    assert [refusal(body) for body in bodies] == [None] * len(bodies)
    again = Done("--fix", stdin=done.out.encode())
    assert again.status == 0, again.err
    assert again.out == done.out


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_recorded_requests_on_the_old_platform(folder: Path, tmp_path: Path) -> None:
    files = []
    for path in sorted(folder.glob("*.json")):
        capture = json.loads(path.read_text(encoding="utf-8"))
        capture["body"] = whole(capture["body"], "screenshot")
        files.append(tmp_path / path.name)
        files[-1].write_text(json.dumps(capture), encoding="utf-8")
    captures = [json.loads(file.read_text(encoding="utf-8")) for file in files]

    done = Done("--fix", *OLD, *files)

    came_refused = any(refusal(capture["body"], "hunyuan") for capture in captures)
    assert came_refused == (folder.name != "continue-edge")
    assert done.status == int(came_refused), done.err
    bodies = [json.loads(line) for line in done.out.splitlines()]
    assert len(bodies) == len(files)
    assert [refusal(body, "hunyuan") for body in bodies] == [None] * len(bodies)
    for text in {text for capture in captures for text in texts(capture["body"]) if len(text) > 60}:
        assert text not in done.err
    again = Done("--fix", *OLD, stdin=done.out.encode())
    assert again.status == 0, again.err
    assert again.out == done.out


def refusal(body: Any, profile: checks.ProfileName = "tokenhub") -> object:
    check = checks.problems if "messages" in body else checks.embedding_problems
    return check(body, profile, strict=True)


def test_the_json_report() -> None:
    done = Done("--format", "json", stdin=BROKEN)
    report = done.report
    assert done.status == report["status"] == 1
    assert set(report) == {"status", "requests", "unreadable", "explanations"}
    assert report["unreadable"] == []
    request = done.only
    assert request == {
        "source": "standard input",
        "endpoint": "chat",
        "host": None,
        "model": MODEL,
        "profile": "tokenhub",
        "clean": False,
        "refused": request["refused"],
        "changes": request["changes"],
        "vision_calls": 0,
        "overlong": None,
        "answer": None,
        "calls": 1,
        "still_refused": [],
    }
    assert {key: type(value) for key, value in request["refused"][0].items()} == {
        "pointer": str,
        "reason": str,
        "status": int,
        "code": str,
        "message": str,
        "proven": bool,
    }
    found = [problem.detail for problem in checks.all_problems(BROKEN, "tokenhub", strict=True)]
    assert [f"{problem['pointer']}: {problem['reason']}" for problem in request["refused"]] == found
    assert {change["rule"] for change in request["changes"]} == set(report["explanations"]) == {"merge"}
    assert all(set(change) == {"rule", "pointer", "original", "final", "why"} for change in request["changes"])
    assert set(report["explanations"]["merge"]) == {"repairs", "why"}


def test_the_json_report_of_a_fix_is_on_standard_error() -> None:
    done = Done("--fix", "--format", "json", stdin=BROKEN)
    assert json.loads(done.err)["status"] == 1
    assert json.loads(done.out)["model"] == MODEL


def image_body(*parts: dict[str, Any], model: str = MODEL) -> dict[str, Any]:
    return {
        "model": model,
        "messages": [
            {"role": "user", "content": "look"},
            {"role": "assistant", "content": "yes"},
            {"role": "user", "content": [{"type": "text", "text": "what is it?"}, *parts]},
        ],
    }


def test_images_are_only_announced() -> None:
    remote = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    unreadable = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    body = image_body(IMAGE, IMAGE, remote, unreadable)
    program = [sys.executable, "-P", "-c", NO_NETWORK]

    done = Done("--fix", stdin=body, program=program)

    assert done.status == 1
    assert "vision calls that would be made: 2." in done.err, (
        "two images, one of them twice, and one that can't be sent"
    )
    lines = {line.split()[0]: line for line in done.err.splitlines() if line.strip().startswith("/messages/2/content/")}
    assert "1 of 4 replaced by a description from hy-vision-2.0-instruct" in lines["/messages/2/content/1"]
    assert "4 of 4 replaced by a note: unreadable" in lines["/messages/2/content/4"]
    assert "placeholder" in done.err
    assert refusal(json.loads(done.out)) is None
    assert done.out.count("no vision model was asked") == 3
    assert SECRET not in done.out


def test_the_guard_against_the_network_works() -> None:
    call = "import socket; socket.create_connection(('127.0.0.1', 1))"
    program = [sys.executable, "-P", "-c", NO_NETWORK.replace("sys.exit(", f"{call}\nsys.exit(")]
    assert Done(stdin=CLEAN, program=program).status == 77


def test_a_model_that_sees_gets_its_images() -> None:
    body = image_body(IMAGE, model="hy-vision-2.0-instruct")
    assert Done(stdin=body).status == 0
    schema = {"type": "object", "properties": {}}
    with_tools = {**body, "tools": [{"type": "function", "function": {"name": "ls", "parameters": schema}}]}
    request = Done("--format", "json", stdin=with_tools).only
    assert [change["rule"] for change in request["changes"]] == ["tool-model", "cascade"]
    assert (request["model"], request["vision_calls"]) == ("hy-vision-2.0-instruct", 1)
    never = Done("--format", "json", "--set", "hunyuan_cascade=never", stdin=with_tools).only
    assert never["vision_calls"] == 0
    assert never["changes"] == []


def test_profile() -> None:
    body = {**CLEAN, "model": "hy3", "reasoning_effort": "high"}
    assert Done("--profile", "tokenhub", stdin=body).status == 0
    legacy = Done("--format", "json", "--profile", "hunyuan", stdin=body)
    assert [change["pointer"] for change in legacy.only["changes"]] == ["/reasoning_effort"]
    assert [problem["pointer"] for problem in legacy.only["still_refused"]] == ["/model"]
    assert legacy.status == 1


def test_retired_models_are_mapped_on_the_way_to_the_successor() -> None:
    """As `hunyuan-fix run` sends a request; not where a profile is named, which stands for the address itself."""
    old = {**CLEAN, "model": OLD_MODEL}
    plain = Done("--format", "json", *OLD, stdin=old).only
    assert (plain["profile"], plain["changes"]) == ("hunyuan", [])
    at_tokenhub = Done("--format", "json", "--profile", "tokenhub", stdin=old).only
    assert (at_tokenhub["changes"], len(at_tokenhub["still_refused"])) == ([], 1)
    sent = Done("--format", "json", stdin=old).only
    assert sent["profile"] == "tokenhub"
    assert [(change["rule"], change["pointer"]) for change in sent["changes"]] == [("successor", "/model")]
    assert [problem["pointer"] for problem in sent["refused"]] == ["/model"]
    assert fixed(stdin=old) == [CLEAN]
    mapped = fixed("--set", f"hunyuan_successors={OLD_MODEL}=hy3-preview", stdin=old)
    assert mapped == [{**CLEAN, "model": "hy3-preview"}]


def test_a_recorded_host_decides_unless_the_request_is_rerouted(tmp_path: Path) -> None:
    file = tmp_path / "session.har"
    url = "https://api.hunyuan.cloud.tencent.com/v1/chat/completions"
    request = {"method": "POST", "url": url, "postData": {"text": json.dumps({**CLEAN, "model": OLD_MODEL})}}
    file.write_text(json.dumps({"log": {"entries": [{"request": request}]}}))
    assert Done("--format", "json", file).only["profile"] == "hunyuan"
    assert fixed(file) == [{**CLEAN, "model": OLD_MODEL}]
    assert Done("--format", "json", "--rerouted", file).only["profile"] == "tokenhub"
    assert fixed("--rerouted", file) == [CLEAN]


def test_language() -> None:
    body = {"model": MODEL, "messages": [{"role": "assistant", "content": "hello"}]}
    (chinese,), (english,) = fixed(stdin=body), fixed("--language", "en", stdin=body)
    assert chinese["messages"][0]["content"] == "请继续。"
    assert english["messages"][0]["content"].isascii()


def test_what_the_addon_can_not_repair() -> None:
    done = Done(stdin={"model": MODEL, "messages": []})
    assert done.status == 1
    assert "400 400004 invalid parameter 'messages': messages is required" in done.out
    assert "请求格式有误" in Done(*OLD, stdin={"model": OLD_MODEL, "messages": []}).out
    assert "can't repair that" in done.out
    assert fixed(stdin={"model": MODEL, "messages": []}) == [{"model": MODEL, "messages": []}]
    unknown = Done(stdin={**BROKEN, "model": "gpt-4o"})
    assert "✗ then the endpoint would still refuse it; reasons: 1" in unknown.out


def test_what_the_endpoint_would_cut_without_a_word() -> None:
    body = {"model": "hunyuan-code", "messages": [{"role": "user", "content": "字" * 10_000}]}
    done = Done(*OLD, stdin=body)
    assert done.status == 0
    assert "estimated at 6,389 tokens, past the limit of 4,000" in done.out
    refused = Done("--fix", *OLD, "--set", "hunyuan_overlong=error", stdin=body)
    assert (refused.status, refused.out) == (1, "")
    assert "nothing would be sent, the addon answers 400: prompt is too long: 6389 tokens > 4000 maximum" in refused.err
    request = Done("--format", "json", *OLD, "--set", "hunyuan_overlong=error", stdin=body).only
    assert request["overlong"] == {"estimated": 6389, "limit": 4000}
    assert (request["answer"]["status"], request["calls"]) == (400, 0)


def test_embeddings() -> None:
    body = {"model": "hunyuan-embedding", "input": [f"text {number}" for number in range(120)]}
    assert Done(*OLD, stdin={**body, "input": body["input"][:50]}).status == 0
    done = Done("--fix", *OLD, stdin={**body, "encoding_format": "base64"})
    assert done.status == 1
    assert "/encoding_format" in done.err
    assert "sent as 3 calls" in done.err
    bodies = [json.loads(line) for line in done.out.splitlines()]
    assert [refusal(sent, "hunyuan") for sent in bodies] == [None] * 3
    assert [text for sent in bodies for text in sent["input"]] == body["input"]
    wrong = Done("--format", "json", *OLD, stdin={**body, "dimensions": 5})
    assert wrong.only["answer"]["status"] == 400
    assert "1024" in wrong.only["answer"]["message"]


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["--format", "yaml"], "invalid choice: 'yaml'"),
        (["--set", "hunyuan_vision_tries=0"], "whole number from 1 up"),
        (["--set", "hunyuan_unknown=1"], "accepted is OPTION=VALUE"),
        (["--set", "hunyuan_upstream=http://127.0.0.1/v1"], "accepted is OPTION=VALUE"),
        (["--set", "hunyuan_overlong"], "accepted is OPTION=VALUE"),
    ],
)
def test_wrong_usage(arguments: list[str], what: str) -> None:
    done = Done(*arguments, stdin=CLEAN)
    assert (done.status, done.out) == (2, "")
    assert what in done.err


def test_help_says_what_it_reads_and_what_the_status_means() -> None:
    done = Done("--help")
    assert done.status == 0
    for word in ("HAR", "flow file", "standard input", "--fix", "--rerouted", "0 clean, 1 would be", "2 unreadable"):
        assert word in done.out


def test_places_are_those_of_what_came_and_of_what_is_sent() -> None:
    """A bridge stands before message 4 of what came, where the endpoint refuses it; for its rule that was message 3."""
    call = {"id": "c1", "type": "function", "function": {"name": "ls", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": "a"},
        {"role": "user", "content": "b"},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "x"},
        {"role": "user", "content": "c"},
    ]
    body = {"model": OLD_MODEL, "messages": messages}
    request = Done("--format", "json", *OLD, stdin=body).only
    places = {change["rule"]: (change["original"], change["final"]) for change in request["changes"]}
    assert places["merge"] == ("/messages/1", "/messages/0")
    assert places["placeholders"] == ("/messages/2/content", "/messages/1/content")
    assert places["bridge"] == ("/messages/4", "/messages/4")
    assert "/messages/4" in {problem["pointer"] for problem in request["refused"]}
    assert "/messages/2/content → /messages/1/content" in Done(*OLD, stdin=body).out


def test_alike_changes_are_folded() -> None:
    tools = [{"type": "function", "function": {"name": f"f{number}", "strict": True}} for number in range(12)]
    shown = Done(*OLD, stdin={**CLEAN, "model": OLD_MODEL, "tools": tools}).out
    assert re.search(r"/tools/0…11/function/strict +strict is not accepted in a function: removed \(12\)", shown)


def test_in_chinese() -> None:
    done = Done(stdin=BROKEN, language="zh")
    assert done.status == 1
    for shown in (
        "接口会拒绝",
        "插件会修改",
        "并入前一条 user 消息",
        "原因：",
        "修改后接口会接受",
        "user 之后又是 user",
    ):
        assert shown in done.out, shown
    assert explanations()["merge"].repairs not in done.out
    assert "roles must alternate" in done.out, "the vendor's own words"
    assert "用法：" in Done("--help", language="zh").out
    plain = Done("--format", "json", stdin=BROKEN, language="zh").report
    assert plain == Done("--format", "json", stdin=BROKEN).report, "for programs"


def test_nothing_that_a_terminal_would_obey_is_shown() -> None:
    model = "\x1b]0;title\x07\u202e\ud800" + "m" * 500
    done = Done(stdin={"model": model, "messages": [{"role": "\x1b[2J", "content": "a"}], "\x1b[31mp": 1})
    assert done.status == 1
    assert re.search("[\x1b\x07\u202e]", done.out) is None
    assert "m" * 300 not in done.out


@pytest.mark.parametrize(("variables", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_colours_and_width_of_a_terminal(variables: dict[str, str], coloured: bool, tmp_path: Path) -> None:
    file = tmp_path / "body.json"
    file.write_text(json.dumps(BROKEN))
    master, slave = pty.openpty()
    given = environment(tmp_path, TERM="xterm", COLUMNS="60", PYTHONPATH=str(ROOT))
    given.pop("NO_COLOR", None)
    process = subprocess.Popen(command("lint", "body.json"), cwd=tmp_path, env=given | variables, stdout=slave)
    os.close(slave)
    shown = b"".join(read_all(master)).decode()
    assert process.wait(timeout=60) == 1
    assert ("\x1b[" in shown) == coloured
    assert "400 400002 invalid" in shown
    plain = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    assert max(map(len, plain.splitlines())) <= 60
    if coloured:
        assert "\x1b[1;36mmerge\x1b[0m" in shown or "\x1b[1m\x1b[36mmerge\x1b[0m" in shown
        assert re.search(r"\x1b\[[0-9;]*36m[^\x1b]* ", shown) is None, "the name alone, not the sentence behind it"


def read_all(descriptor: int) -> Iterator[bytes]:
    """What comes out of a terminal until nobody writes to it any more, which Linux reports as an error."""
    try:
        while data := os.read(descriptor, 4096):
            yield data
    except OSError:
        pass
    os.close(descriptor)


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    lint_command = subprocess.Popen(
        command("lint", *["--format", "text"], *map(str, CAPTURES)),
        cwd=ROOT,
        env={**environment(ROOT), "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert lint_command.stdout is not None
    lint_command.stdout.close()
    _, errors = lint_command.communicate(timeout=60)
    assert errors == b""


def test_the_script_itself(tmp_path: Path) -> None:
    """From another folder, with a folder `scripts` of the person's own, in an environment that is up to date."""
    (tmp_path / "scripts").mkdir()
    (tmp_path / "a body.json").write_text(json.dumps(BROKEN))
    venv = tmp_path / "venv"
    (venv / "bin").mkdir(parents=True)
    python = venv / "bin/python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    made_from = [
        f"{ROOT}\n\n".encode(),
        *((ROOT / name).read_bytes() for name in ("pyproject.toml", "constraints.txt")),
    ]
    (venv / "hunyuan-fix-stamp").write_bytes(b"".join(made_from))
    given = environment(tmp_path, HUNYUAN_FIX_VENV=str(venv))
    given.pop("HUNYUAN_FIX_PYTHON", None)
    done = subprocess.run(
        [ROOT / "scripts/lint", "--format", "json", "a body.json"],
        cwd=tmp_path,
        env=given,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, "")
    assert json.loads(done.stdout)["requests"][0]["source"] == "a body.json"


def test_a_fault_of_its_own_is_not_taken_for_a_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise KeyError(SECRET)

    monkeypatch.setattr(lint, "judge", fail)
    (found,) = lint.results(lint.parse([str(CAPTURES[0])], "scripts/"))
    assert report.status([found]) == 2
    assert isinstance(found, Unreadable)
    assert "KeyError" in found.message
    assert SECRET not in found.message


def test_an_error_without_a_code_is_called_by_its_type() -> None:
    body = {**CLEAN, "model": "kimi-k2.6", "temperature": 0.2}
    done = Done("--profile", "moonshot", stdin=body)
    assert "400 invalid_request_error invalid temperature" in done.out
    report = Done("--format", "json", "--profile", "moonshot", stdin=body).only
    assert [problem["code"] for problem in report["refused"]] == [None]


def test_plug_ins_take_part_and_are_explained() -> None:
    done = Done("--set", "hunyuan_plugins=examples/house_style.py", stdin=CLEAN)
    assert "    house-style  A line of the team's own stands at the end of the system message." in done.out
    assert f"Why: Loaded from {ROOT}/examples/house_style.py. steps: house-style" in done.out


def test_a_plug_ins_step_without_a_place_is_wrong_usage(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from hunyuan_fix.plugins import *\n"
        "class S(Step):\n name = 's'; after = 'x'\n"
        "PLUGIN = Plugin('a', steps=(S(),))"
    )
    done = Done("--set", f"hunyuan_plugins={tmp_path}/mine.py", stdin=CLEAN)
    assert "the step s of a: there is no step x" in done.err
