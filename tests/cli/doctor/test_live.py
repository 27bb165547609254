"""`doctor --live` before real simulators: what they take is found, written, read back, and then the proxy heeds it."""

from __future__ import annotations

import copy
import json
import os
import pty
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from hunyuan_fix import profile_folder, profiles, rules
from hunyuan_fix.cli.doctor import live, probes, probing
from hunyuan_fix.simulator.rows import ProfileName
from tests.cli.doctor.situations import situation
from tests.cli.shell_environment import command, environment, run
from tests.end_to_end.processes import Certificates, Simulator, run_simulator
from tests.rule_context import context

KEY = "sk-a-key-that-nobody-may-see"
BASES: dict[str, str] = {"zenmux": "/api/v1", "tokenhub-plan": "/plan/v3", "kimi-coding": "/coding/v1"}


@pytest.fixture(autouse=True)
def shipped_profiles() -> Iterator[None]:
    """The command runs in the test's process: afterwards the user's folder is forgotten."""
    yield
    profile_folder.use(profile_folder.ProfileSettings(profiles=None))


class Examined:
    """What the command said, as JSON."""

    def __init__(self, home: Path, simulator: Simulator, profile: str, *arguments: str, **variables: str) -> None:
        upstream = f"{simulator.url}{BASES.get(profile, '/v1')}"
        given = environment(home, **{"HUNYUAN_API_KEY": KEY, **variables})
        flags = ["--live", "--json", "--upstream", upstream, "--profile", profile, *arguments]
        done = run("doctor", *flags, given=given)
        assert KEY not in done.stdout + done.stderr
        assert done.stderr == ""
        self.status = done.returncode
        self.said: dict[str, Any] = json.loads(done.stdout)
        self.file = home / f".config/hunyuan-fix/profiles/{profile}.toml"

    @property
    def rows(self) -> dict[str, tuple[str, str]]:
        """What was asked -> what was found, and the verdict."""
        return {row["what"]: (row["found"], row["verdict"]) for row in self.said["findings"]}

    @property
    def differing(self) -> set[str]:
        return {what for what, (_, verdict) in self.rows.items() if verdict == "differs"}


@pytest.mark.parametrize("model", ["kimi-k2.6", "kimi-k3", "kimi-k2.7-code", "kimi-k2.5", "moonshot-v1-32k"])
def test_an_endpoint_as_documented_has_no_differences(certificates: Certificates, tmp_path: Path, model: str) -> None:
    with run_simulator(certificates, profile="moonshot") as simulator:
        found = Examined(tmp_path, simulator, "moonshot", "--model", model)
        requests = simulator.requests()
    assert found.status == 0
    assert {verdict for _, verdict in found.rows.values()} == {"agrees"}
    assert found.said["keys"] == {}
    assert found.said["written"] is False
    assert not found.file.exists()
    assert found.said["calls"] == len(requests) <= probes.MAX_CALLS
    limits = [request["body"]["max_tokens"] for request in requests if request["method"] == "POST"]
    assert set(limits) == {probing.MAX_TOKENS}


def test_tokenhub_has_no_differences_and_twelve_calls(certificates: Certificates, tmp_path: Path) -> None:
    with run_simulator(certificates, profile="tokenhub") as simulator:
        found = Examined(tmp_path, simulator, "tokenhub")
    assert (found.status, found.said["model"], found.said["calls"]) == (0, "hy3", probes.MAX_CALLS)
    assert found.differing == set()
    assert found.rows["Responses: custom tool"] == ("refused", "agrees")


HY3, KIMI = {"model": "hy3"}, {"model": "kimi-k2.6"}

DIFFERENCES: list[tuple[ProfileName, str, list[str], set[str], dict[str, Any]]] = [
    (
        "tokenhub",
        "hy3",
        ["--reasoning-required"],
        {"turn without its reasoning"},
        {"models": {"hy3": {"replay": "required"}}},
    ),
    ("tokenhub", "hy3", ["--but", "mfjs-lite"], {"enum without a type"}, {"models": {"hy3": {"schema": "mfjs-lite"}}}),
    ("tokenhub", "hy3", ["--but", "named-choice-refused"], {"tool_choice named"}, {"tool_choice_object": False}),
    (
        "tokenhub",
        "hy3",
        ["--but", "required-choice-refused"],
        {"tool_choice required"},
        {"tool_choices": ["auto", "none"]},
    ),
    (
        "tokenhub",
        "hy3",
        ["--but", "thinking-always"],
        {"thinking off"},
        {"models": {"hy3": {"thinking": {"can_be_off": False}}}},
    ),
    (
        "tokenhub",
        "hy3",
        ["--but", "effort-refused"],
        {"effort high"},
        {"models": {"hy3": {"thinking": {"efforts": []}}}},
    ),
    ("tokenhub", "hy3", ["--but", "developer-taken"], {"role developer"}, {}),
    ("tokenhub", "hy3", ["--but", "unknown-refused", "--but", "cache-key-refused"], set(), {}),
    ("tokenhub", "hy3", ["--no-messages"], {"Messages"}, {"speaks": ["responses"]}),
    (
        "tokenhub",
        "hy3",
        ["--no-responses"],
        {"Responses"},
        {"native": {"responses": {"models": ["hy3-preview", "minimax-*"]}}},
    ),
    (
        "moonshot",
        "kimi-k2.6",
        ["--but", "reasoning-needless"],
        {"turn without its reasoning"},
        {"models": {"kimi-k2.6": {"replay": "wanted"}}},
    ),
    (
        "moonshot",
        "kimi-k2.6",
        ["--but", "thinking-always"],
        {"thinking off"},
        {"models": {"kimi-k2.6": {"thinking": {"can_be_off": False}}}},
    ),
    (
        "moonshot",
        "kimi-k2.6",
        ["--but", "cache-key-refused"],
        {"prompt_cache_key"},
        {"session_key": "", "parameters": {"prompt_cache_key": False}},
    ),
    (
        "moonshot",
        "kimi-k2.6",
        ["--reasoning-field", "reasoning"],
        {"field of reasoning"},
        {
            "messages": {
                "reasoning_field": "reasoning",
                "fields": {"assistant": ["content", "name", "partial", "reasoning", "role", "tool_calls"]},
            }
        },
    ),
    (
        "moonshot",
        "kimi-k2.6",
        ["--takes", "system_messages"],
        {"Messages: system among them"},
        {"native": {"anthropic": {"roles": ["assistant", "system", "user"]}}},
    ),
]


def without_source(keys: dict[str, Any]) -> dict[str, Any]:
    """The keys without where they are from."""
    for row in keys.get("models", {}).values():
        assert row.pop("source").startswith("measured with doctor --live, ")
    return keys


@pytest.mark.parametrize(
    ("profile", "model", "flags", "differing", "keys"), DIFFERENCES, ids=lambda value: str(value)[:50]
)
def test_exactly_what_differs_is_found_written_and_then_known(
    certificates: Certificates,
    tmp_path: Path,
    profile: ProfileName,
    model: str,
    flags: list[str],
    differing: set[str],
    keys: dict[str, Any],
) -> None:
    with run_simulator(certificates, *flags, profile=profile) as simulator:
        dry = Examined(tmp_path, simulator, profile, "--model", model, "--dry")
        assert not dry.file.exists()
        found = Examined(tmp_path, simulator, profile, "--model", model)
        again = Examined(tmp_path, simulator, profile, "--model", model)
    assert dry.differing == found.differing == differing
    assert without_source(found.said["keys"]) == keys
    assert found.file.exists() is bool(keys)
    assert found.said["written"] is bool(keys)
    if keys:
        text = found.file.read_text(encoding="utf-8")
        assert text.startswith(f"{live.MARK} on ")
        assert KEY not in text
        assert without_source(tomllib.loads(text)) == keys
        # The command reads the folder: the second time the profile says what the endpoint does.
        assert again.differing == set()
        assert again.said["keys"] == {}


def read_back(file: Path) -> None:
    """Use the folder, as `hunyuan_profiles` does."""
    profile_folder.use(profile_folder.ProfileSettings(profiles=file.parent))


CALL = {"id": "a", "type": "function", "function": {"name": "look_up", "arguments": "{}"}}
LOST: list[dict[str, Any]] = [
    {"role": "user", "content": "hi"},
    {"role": "assistant", "content": "", "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "a", "content": "found"},
]
BARE_ENUM = {"type": "object", "properties": {"a": {"enum": ["x", "y"]}}}


def tools(schema: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    return [{"type": "function", "function": {"name": "look_up", "parameters": schema or {"type": "object"}}}]


@pytest.mark.parametrize(
    ("profile", "model", "flags", "body"),
    [
        ("tokenhub", "hy3", ["--reasoning-required"], {"messages": LOST, "thinking": {"type": "enabled"}}),
        ("tokenhub", "hy3", ["--but", "mfjs-lite"], {"tools": tools(BARE_ENUM)}),
        ("tokenhub", "hy3", ["--but", "thinking-always"], {"thinking": {"type": "disabled"}}),
        ("tokenhub", "hy3", ["--but", "effort-refused"], {"reasoning_effort": "high"}),
        ("moonshot", "kimi-k2.6", ["--but", "thinking-always"], {"thinking": {"type": "disabled"}}),
        (
            "moonshot",
            "kimi-k2.6",
            ["--reasoning-field", "reasoning"],
            {"messages": [LOST[0], LOST[1] | {"reasoning_content": "I look it up."}, LOST[2]], "tools": tools()},
        ),
        (
            "tokenhub",
            "hy3",
            ["--but", "named-choice-refused"],
            {"tools": tools(), "tool_choice": {"type": "function", "function": {"name": "look_up"}}},
        ),
        ("tokenhub", "hy3", ["--but", "required-choice-refused"], {"tools": tools(), "tool_choice": "required"}),
        ("moonshot", "kimi-k2.6", ["--but", "cache-key-refused"], {"prompt_cache_key": "a"}),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_was_refused_before_is_accepted_after(
    certificates: Certificates, tmp_path: Path, profile: ProfileName, model: str, flags: list[str], body: dict[str, Any]
) -> None:
    whole = {"model": model, "messages": [{"role": "user", "content": "hi"}], **body}
    with run_simulator(certificates, *flags, profile=profile) as simulator:
        assert status(simulator, profile, whole) == 400
        found = Examined(tmp_path, simulator, profile, "--model", model)
        read_back(found.file)
        assert status(simulator, profile, whole) == 200


def status(simulator: Simulator, profile: str, body: dict[str, Any]) -> int:
    """What the endpoint says to `body` as the rules leave it."""
    repaired = copy.deepcopy(body)
    rules.apply_chat(repaired, context(profile, body["model"]))
    headers = {"authorization": f"Bearer {KEY}"}
    url = f"{simulator.url}{BASES.get(profile, '/v1')}/chat/completions"
    return httpx.post(url, json=repaired, headers=headers, trust_env=False).status_code


def test_a_later_examination_adds_to_the_file(certificates: Certificates, tmp_path: Path) -> None:
    with run_simulator(certificates, "--reasoning-required", profile="tokenhub") as simulator:
        Examined(tmp_path, simulator, "tokenhub", "--model", "hy3")
        found = Examined(tmp_path, simulator, "tokenhub", "--model", "hy3-preview")
    assert found.file.read_text(encoding="utf-8").count('replay = "required"') == 2
    read_back(found.file)
    assert profiles.load("tokenhub").model("hy3-preview").replay == "required"


def test_a_file_of_the_users_own_is_left_alone(certificates: Certificates, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    own = folder / "tokenhub.toml"
    own.write_text("# my own\nconcurrency = 2\n", encoding="utf-8")
    with run_simulator(certificates, "--reasoning-required", profile="tokenhub") as simulator:
        found = Examined(tmp_path, simulator, "tokenhub", "--profiles", str(folder))
    assert found.status == 1
    assert own.read_text(encoding="utf-8") == "# my own\nconcurrency = 2\n"
    assert f"{own} is your own and was left alone" in found.said["said"]


def test_another_folder_is_named_with_the_option_that_reads_it(certificates: Certificates, tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    with run_simulator(certificates, "--reasoning-required", profile="tokenhub") as simulator:
        found = Examined(tmp_path, simulator, "tokenhub", "--profiles", str(folder))
    assert (folder / "tokenhub.toml").exists()
    assert found.said["said"].endswith(f"it counts with hunyuan_profiles={folder}")


@pytest.mark.parametrize("fault", ["rate_limit", "internal", "status:401", "status:403", "status:503"])
def test_what_says_nothing_of_the_request_is_no_finding(certificates: Certificates, tmp_path: Path, fault: str) -> None:
    with run_simulator(certificates, "--reasoning-required", profile="tokenhub") as simulator:
        simulator.program({"fault": fault, "match": {"contains": "probe:0"}, "times": 1})
        simulator.program({"fault": fault, "match": {"contains": "tool_choice"}, "times": 2})
        found = Examined(tmp_path, simulator, "tokenhub")
    assert found.status == 0
    assert found.rows["turn without its reasoning"][1] == "unknown"
    assert found.rows["tool_choice named"][1] == found.rows["tool_choice required"][1] == "unknown"
    assert found.differing == set()
    assert not found.file.exists()


def failed(home: Path, *arguments: str, **variables: str) -> str:
    """Why nothing was examined."""
    done = run("doctor", "--live", "--json", *arguments, given=environment(home, **variables))
    assert (done.returncode, done.stderr) == (1, "")
    assert KEY not in done.stdout
    return str(json.loads(done.stdout)["error"])


@pytest.mark.parametrize(
    ("arguments", "variables", "said"),
    [
        (["--upstream", "https://api.moonshot.cn/v1"], {}, "set MOONSHOT_API_KEY or HUNYUAN_API_KEY"),
        (
            ["--upstream", "https://example.com/v1"],
            {"HUNYUAN_API_KEY": KEY},
            "no profile is for https://example.com/v1",
        ),
        (["--upstream", "http://api.moonshot.cn/v1"], {"MOONSHOT_API_KEY": KEY}, "is not encrypted"),
        (["--upstream", "https://tokenhub.tencentmaas.com/plan/v3"], {"HUNYUAN_API_KEY": KEY}, "add --live-plan"),
        (["--upstream", "https://api.kimi.com/coding/v1"], {"HUNYUAN_API_KEY": KEY}, "add --live-plan"),
    ],
)
def test_why_nothing_is_asked(tmp_path: Path, arguments: list[str], variables: dict[str, str], said: str) -> None:
    assert said in failed(tmp_path, *arguments, **variables)


def test_a_plan_is_asked_if_that_is_said_twice(certificates: Certificates, tmp_path: Path) -> None:
    with run_simulator(certificates, profile="tokenhub-plan") as simulator:
        upstream = ["--upstream", f"{simulator.url}/plan/v3", "--profile", "tokenhub-plan"]
        assert "add --live-plan" in failed(tmp_path, *upstream, HUNYUAN_API_KEY=KEY)
        assert simulator.requests() == []
        found = Examined(tmp_path, simulator, "tokenhub-plan", "--live-plan", "--model", "glm-5.2", "--dry")
        assert found.said["calls"] == len(simulator.requests()) > 1


@pytest.mark.parametrize(("typed", "goes_on"), [("yes", True), ("y", False), ("", False)])
def test_a_person_may_type_yes(certificates: Certificates, tmp_path: Path, typed: str, goes_on: bool) -> None:
    own, terminal = pty.openpty()
    with run_simulator(certificates, profile="tokenhub-plan") as simulator:
        upstream = ["--upstream", f"{simulator.url}/plan/v3", "--profile", "tokenhub-plan", "--model", "glm-5.2"]
        given = environment(tmp_path, HUNYUAN_API_KEY=KEY)
        os.write(own, f"{typed}\n".encode())
        done = subprocess.run(
            command("doctor", "--live", "--dry", *upstream),
            env=given,
            stdin=terminal,
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert (len(simulator.requests()) > 0) is goes_on
    os.close(own)
    os.close(terminal)
    assert done.returncode == (0 if goes_on else 1)
    assert b"Type yes to go on: " in done.stderr


@pytest.mark.parametrize(
    ("variables", "way"),
    [
        ({}, None),
        ({"HTTPS_PROXY": "http://127.0.0.1:8080"}, None),  # this one
        ({"HTTPS_PROXY": "http://me:pass@proxy.company:3128"}, "http://me:pass@proxy.company:3128"),
        ({"HTTPS_PROXY": "http://proxy.company:3128", "NO_PROXY": ".tencent.com"}, None),
    ],
)
def test_calls_leave_by_the_companys_proxy_and_never_by_this_one(
    certificates: Certificates, variables: dict[str, str], way: str | None
) -> None:
    assert live.way_out(situation(certificates, **variables)) == way


def test_a_key_that_is_refused_ends_it_after_one_call(certificates: Certificates, tmp_path: Path) -> None:
    with run_simulator(certificates, "--accept-key", "another", profile="moonshot") as simulator:
        upstream = ["--upstream", f"{simulator.url}/v1", "--profile", "moonshot"]
        said = failed(tmp_path, *upstream, MOONSHOT_API_KEY=KEY)
        assert len(simulator.requests()) == 1
    assert "(HTTP 401): the key is refused" in said


def test_the_vendors_own_key_comes_first(certificates: Certificates, tmp_path: Path) -> None:
    with run_simulator(certificates, profile="moonshot") as simulator:
        Examined(tmp_path, simulator, "moonshot", HUNYUAN_API_KEY="sk-tencent", MOONSHOT_API_KEY=KEY)
        keys = {dict(request["headers"])["authorization"] for request in simulator.requests()}
    assert keys == {f"Bearer {KEY}"}


def test_nothing_listens(tmp_path: Path) -> None:
    upstream = ["--upstream", "http://127.0.0.1:9/v1", "--profile", "moonshot"]
    said = failed(tmp_path, *upstream, HUNYUAN_API_KEY=KEY)
    assert "at http://127.0.0.1:9/v1: the endpoint doesn't answer" in said


def test_a_misspelt_profile(tmp_path: Path) -> None:
    upstream = ["--upstream", "http://127.0.0.1:9/v1", "--profile", "moonshoot"]
    assert "did you mean moonshot?" in failed(tmp_path, *upstream, HUNYUAN_API_KEY=KEY)


def test_a_profile_of_the_users_own(certificates: Certificates, tmp_path: Path) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "gateway.toml").write_text(
        'extends = "moonshot"\nvendor = "moonshot"\nhosts = ["gateway.example"]\n', "utf-8"
    )
    with run_simulator(certificates, profile="moonshot") as simulator:
        flags = ["--upstream", f"{simulator.url}/v1", "--profile", "gateway", "--profiles", str(folder), "--dry"]
        done = run("doctor", "--live", *flags, given=environment(tmp_path, MOONSHOT_API_KEY=KEY))
    assert done.returncode == 0
    assert "profile gateway, " in done.stdout


def test_for_a_person_it_is_a_table(certificates: Certificates, tmp_path: Path) -> None:
    with run_simulator(certificates, "--reasoning-required", profile="tokenhub") as simulator:
        flags = ["--live", "--upstream", f"{simulator.url}/v1", "--profile", "tokenhub"]
        done = run("doctor", *flags, given=environment(tmp_path, HUNYUAN_API_KEY=KEY))
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines[0] == f"hy3 at {simulator.url}/v1, profile tokenhub, 12 calls"
    assert "differs  turn without its reasoning   refused                   accepted" in lines
    assert lines[-1].strip().startswith("source = ")
    assert f"written: {tmp_path}/.config/hunyuan-fix/profiles/tokenhub.toml" in lines


@pytest.mark.parametrize("flag", ["--dry", "--live-plan", "--model=a", "--profile=moonshot", "--profiles=."])
def test_the_flags_belong_to_live(tmp_path: Path, flag: str) -> None:
    done = run("doctor", flag, given=environment(tmp_path))
    assert done.returncode == 2
    assert "need --live" in done.stderr
