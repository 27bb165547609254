"""`hunyuan-fix describe FOLDER`, as a process before a simulator; then a real proxy over the same store."""

from __future__ import annotations

import base64
import errno
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from hunyuan_fix.cli import describe as command
from hunyuan_fix.texts import terminal
from tests.end_to_end.conftest import certificates as certificates  # noqa: PLC0414 - a fixture
from tests.end_to_end.processes import ROOT, Certificates, Simulator, clean_environment, run_proxy, run_simulator
from tests.end_to_end.requests import MODEL, VISION_MODEL, image, tool

KEY = "sk-the-users-own"


@pytest.fixture(scope="module")
def running(certificates: Certificates) -> Iterator[Simulator]:
    with run_simulator(certificates, profile="hunyuan") as started:
        yield started


@pytest.fixture
def simulator(running: Simulator) -> Simulator:
    running.reset()
    return running


def picture(name: str) -> bytes:
    url: str = image(name)["image_url"]["url"]
    return base64.b64decode(url.partition(",")[2])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four images, two of them alike, one with another name than its content; and two files that are none."""
    made = tmp_path / "pictures"
    (made / "deep" / "er").mkdir(parents=True)
    (made / "a.png").write_bytes(picture("a cat"))
    (made / "b.dat").write_bytes(picture("a dog"))
    (made / "deep" / "same.png").write_bytes(picture("a cat"))
    (made / "deep" / "er" / "c.png").write_bytes(picture("a bird"))
    (made / "notes.png").write_text("no image, whatever its name")
    (made / "empty.png").touch()
    return made


@pytest.fixture
def options(simulator: Simulator, tmp_path: Path) -> dict[str, str]:
    store = f"sqlite:{tmp_path / 'store.sqlite3'}"
    return {"hunyuan_upstream": simulator.base_url, "hunyuan_profile": "hunyuan", "hunyuan_store": store}


@dataclass(frozen=True, slots=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


def describe(folder: Path, options: dict[str, str], *flags: str, key: str = KEY) -> Done:
    given = [word for name, value in options.items() for word in ("--set", f"{name}={value}")]
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setenv("HUNYUAN_API_KEY", key)
        status = command.main([str(folder), *given, *flags], "hunyuan-fix ")
    terminal.use("en")
    return Done(status, out.getvalue(), err.getvalue())


def told(done: Done) -> dict[str, Any]:
    return dict(json.loads(done.stdout))


def vision_calls(simulator: Simulator) -> list[dict[str, Any]]:
    return [body for body in simulator.bodies() if body and body["model"] == VISION_MODEL]


def test_a_proxy_over_the_same_store_asks_about_none_of_them(
    certificates: Certificates, simulator: Simulator, folder: Path, options: dict[str, str]
):
    done = describe(folder, options, "--json")
    assert done.returncode == 0, done.stderr
    found = told(done)
    assert (found["images"], found["described"] + found["known"], found["failed"]) == (4, 4, [])
    assert len(vision_calls(simulator)) == found["described"] in (3, 4), (
        "the two that are alike may be under way at once"
    )
    assert {dict(request["headers"])["authorization"] for request in simulator.requests()} == {f"Bearer {KEY}"}
    assert KEY not in done.stdout + done.stderr
    simulator.reset()
    given = [
        word for name, value in options.items() if name != "hunyuan_store" for word in ("--set", f"{name}={value}")
    ]
    with (
        run_proxy(certificates, {}, *given, store=options["hunyuan_store"]) as proxy,
        httpx.Client(base_url=proxy.reverse_url, trust_env=False, timeout=30) as client,
    ):
        for asked in ("What is this?", "And how many?"):
            parts = [{"type": "text", "text": asked}, image("a cat"), image("a dog"), image("a bird")]
            body = {"model": MODEL, "messages": [{"role": "user", "content": parts}], "tools": [tool()]}
            answer = client.post("/chat/completions", json=body, headers={"authorization": f"Bearer {KEY}"})
            assert answer.status_code == 200, answer.text
        words = json.dumps(simulator.bodies()[-1]["messages"], ensure_ascii=False)
        assert not vision_calls(simulator)
        assert all(name in words for name in ("a cat", "a dog", "a bird"))
        other = {"model": MODEL, "messages": [{"role": "user", "content": [image("a fish")]}], "tools": [tool()]}
        assert (
            client.post("/chat/completions", json=other, headers={"authorization": f"Bearer {KEY}"}).status_code == 200
        )
        assert len(vision_calls(simulator)) == 1, "one that isn't in the folder"


def test_images_are_described_where_the_proxy_would_let_them_be(
    simulator: Simulator, folder: Path, options: dict[str, str], tmp_path: Path
):
    """`hunyuan_vision_upstream`, with its key in `hunyuan_keys_file` or, as here a server of this machine, without."""
    elsewhere = {
        **options,
        "hunyuan_upstream": "https://tokenhub.tencentmaas.com/v1",
        "hunyuan_vision_upstream": simulator.base_url,
    }
    named = {**elsewhere, "hunyuan_vision_model": VISION_MODEL}
    assert "no vision model is known for this endpoint" in describe(folder, elsewhere).stderr
    assert describe(folder, named, "--dry-run").returncode == 0
    describe(folder, named)
    assert {dict(request["headers"]).get("authorization") for request in simulator.requests()} == {None}

    simulator.reset()
    keys = tmp_path / "keys.toml"
    keys.touch(0o600)
    keys.write_text(f'[hosts."127.0.0.1:{simulator.port}"]\nfile = "./key"\n')
    (tmp_path / "key").touch(0o600)
    (tmp_path / "key").write_text("sk-of-the-file")
    done = describe(folder, {**named, "hunyuan_keys_file": str(keys)}, "--json")
    assert told(done)["failed"] == [] and len(vision_calls(simulator)) >= 3
    assert {dict(request["headers"])["authorization"] for request in simulator.requests()} == {"Bearer sk-of-the-file"}
    other = {**named, "hunyuan_vision_upstream": "https://api.moonshot.cn/v1", "hunyuan_keys_file": str(keys)}
    assert "hunyuan_keys_file names none for it" in describe(folder, other).stderr


def test_what_is_known_costs_nothing(simulator: Simulator, folder: Path, options: dict[str, str]):
    assert describe(folder, options, "--parallel", "1").returncode == 0
    assert len(vision_calls(simulator)) == 3
    again = describe(folder, options, key="")
    assert again.returncode == 2
    assert "there is no key" in again.stderr
    again = describe(folder, options)
    assert (again.returncode, again.stdout) == (0, "4 images: 4 known, 0 described, 0 without a description.\n")
    assert len(vision_calls(simulator)) == 3
    (folder / "d.png").write_bytes(picture("a tree"))
    assert told(describe(folder, options, "--json"))["described"] == 1
    assert len(vision_calls(simulator)) == 4


def test_another_model_or_language_is_another_description(simulator: Simulator, folder: Path, options: dict[str, str]):
    assert describe(folder, options).returncode == 0
    other = told(describe(folder, options | {"hunyuan_language": "en"}, "--json", "--dry-run"))
    assert (other["known"], other["calls"]) == (0, 4)


def test_a_dry_run_counts_and_calls_nobody(simulator: Simulator, folder: Path, options: dict[str, str]):
    done = describe(folder, options, "--dry-run")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("4 images, 0 of them known. 4 vision calls would be made, for about ")
    assert not simulator.requests()
    found = told(describe(folder, options, "--dry-run", "--json"))
    assert found["calls"] == 4
    assert found["image_tokens"] > 0


def test_files_that_fail_are_named_and_the_others_are_described(
    simulator: Simulator, folder: Path, options: dict[str, str]
):
    (folder / "large.png").write_bytes(picture("a whale") + b"\0" * 9000)
    (folder / "lost.png").symlink_to(folder / "nowhere.png")
    simulator.program({"fault": "status:422", "match": {"model": VISION_MODEL}, "times": 1})
    done = describe(folder, options | {"hunyuan_image_max_bytes": "8k"}, "--json", "--parallel", "1")
    assert done.returncode == 1
    failed = {one["file"]: one["why"] for one in told(done)["failed"]}
    assert failed["large.png"] == "the image is larger than the limit"
    assert "a.png" in failed
    assert told(done)["described"] == 3
    assert "large.png: the image is larger than the limit" in done.stderr


def test_a_file_that_may_not_be_read(folder: Path, monkeypatch: pytest.MonkeyPatch):
    there = Path.open

    def opened(self: Path, *arguments: Any, **named: Any) -> Any:
        if self.name == "a.png":
            raise PermissionError(errno.EACCES, "Permission denied", str(self))
        return there(self, *arguments, **named)

    monkeypatch.setattr(Path, "open", opened)
    failed: list[tuple[str, str]] = []
    found = [file.name for file in command._files(folder, lambda *one: failed.append(one))]
    assert (found, failed) == (["b.dat", "same.png", "c.png"], [("a.png", "Permission denied")])


def test_as_a_process(simulator: Simulator, folder: Path, options: dict[str, str]):
    given = [word for name, value in options.items() for word in ("--set", f"{name}={value}")]
    words = [sys.executable, "-m", "hunyuan_fix.cli.main", "describe", str(folder), *given, "--dry-run"]
    environment = {**clean_environment(), "HUNYUAN_API_KEY": KEY}
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "4 vision calls" in done.stdout


def test_a_refused_key_ends_the_run(simulator: Simulator, folder: Path, options: dict[str, str]):
    simulator.program({"fault": "status:401", "match": {}, "times": 99})
    done = describe(folder, options, "--parallel", "1")
    assert done.returncode == 1
    assert "The rest wasn't tried" in done.stdout
    assert len(simulator.requests()) == 1


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"hunyuan_store": "memory"}, "hunyuan_store=memory keeps nothing"),
        ({"hunyuan_mode": "perhaps"}, "hunyuan_mode"),
        ({"http2": "false"}, "--set http2: accepted are hunyuan_"),
        ({"hunyuan_upstream": "https://api.moonshot.cn/v1", "hunyuan_profile": ""}, "there is no key"),
    ],
)
def test_what_can_not_be_tried(
    simulator: Simulator, folder: Path, options: dict[str, str], changed: dict[str, str], said: str
):
    key = "" if "moonshot" in str(changed) else KEY
    done = describe(folder, options | changed, key=key)
    assert done.returncode == 2
    assert said in done.stderr
    assert not simulator.requests()


def test_a_folder_that_is_none(options: dict[str, str], tmp_path: Path):
    done = describe(tmp_path / "nothing", options)
    assert (done.returncode, "is no folder" in done.stderr) == (2, True)
