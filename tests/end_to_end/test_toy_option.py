"""What a new feature with an option writes: one file, and one line in addon/options.py (two with its import)."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from hunyuan_fix.config import option as options
from hunyuan_fix.config import values as read
from hunyuan_fix.config.option import option
from hunyuan_fix.options import OPTIONS, Settings
from tests import test_docs
from tests.end_to_end.processes import ROOT
from tests.end_to_end.served import Served, serve
from tests.proxying import Trust, chat_answer, run_endpoint

FEATURE = '''
"""A greeting."""

from __future__ import annotations

from dataclasses import dataclass

from .config import values as read
from .config.option import option


@dataclass(frozen=True)
class GreetingSettings:
    """How to greet."""

    greeting: str = option("hello", "What each request is greeted with.", read.choice("hello", "good-morning"))


def greet(settings: GreetingSettings) -> str:
    """The greeting."""
    return f"{settings.greeting}, request"
'''

PROBE = """
import logging
from mitmproxy import ctx
from hunyuan_fix.config.option import part
from hunyuan_fix.greeting import GreetingSettings, greet


def request(flow):
    settings = ctx.master.addons.get("hunyuan_fix").settings
    logging.getLogger("probe").warning("%s", greet(part(settings, GreetingSettings)))
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the addon with the feature in it."""
    folder = tmp_path / "checkout/addon"
    shutil.copytree(ROOT / "addon", folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "greeting.py").write_text(FEATURE, encoding="utf-8")
    listed = (folder / "options.py").read_text(encoding="utf-8")
    for line, new in (
        ("from .route import RouteSettings\n", "from .greeting import GreetingSettings\n"),
        ("    ConfigFileSettings,\n", "    GreetingSettings,\n"),
    ):
        assert listed.count(line) == 1
        listed = listed.replace(line, line + new)
    (folder / "options.py").write_text(listed, encoding="utf-8")
    return folder / "hunyuan_fix.py"


async def greeted(served: Served, with_what: str) -> None:
    async with served.client() as client:
        answer = await client.post("/chat/completions", json={"model": "hunyuan-lite", "messages": []})
    assert answer.status_code == 200
    await served.until(f"{with_what}, request")


async def test_a_new_option_is_declared_read_refused_and_changed_live(trust: Trust, checkout: Path, tmp_path: Path):
    probe, file = tmp_path / "probe.py", tmp_path / "hunyuan.yaml"
    probe.write_text(PROBE, encoding="utf-8")
    file.write_text("", encoding="utf-8")
    arguments = ("-s", str(probe), "--set", f"hunyuan_config={file}")
    async with run_endpoint(trust, tls=False) as endpoint:
        endpoint.answer = chat_answer("ok")
        async with serve(trust, endpoint, *arguments, script=checkout) as served:
            await greeted(served, "hello")
            file.write_text("greeting: good-morning", encoding="utf-8")
            await served.until(r"changed hunyuan_greeting\.")
            await greeted(served, "good-morning")
            file.write_text("greeting: moin", encoding="utf-8")
            await served.until(r"hunyuan_greeting=moin: accepted are hello, good-morning")
            file.write_text("greetin: hello", encoding="utf-8")
            await served.until(r"did you mean hunyuan_greeting\?")
            file.write_text("# nothing", encoding="utf-8")
            await served.until(r"changed hunyuan_greeting\.")
            await greeted(served, "hello")


@dataclass(frozen=True)
class GreetingSettings:
    greeting: str = option("hello", "What each request is greeted with.", read.choice("hello", "good-morning"))


@dataclass(frozen=True)
class More(Settings, GreetingSettings):
    pass


def test_it_comes_last_and_the_others_stay():
    assert options.options_of(More) == (*OPTIONS, *options.options_of(GreetingSettings))
    assert options.parse(More, {"hunyuan_greeting": "good-morning"}).greeting == "good-morning"


def test_the_test_of_the_docs_wants_a_row_for_it(monkeypatch: pytest.MonkeyPatch):
    (greeting,) = options.options_of(GreetingSettings)
    with pytest.raises(AssertionError):
        test_docs.test_every_option_is_in_the_table_with_its_default(greeting)
    page = test_docs.read("docs/options.md")
    documented = f"{page}\n| `hunyuan_greeting` | `hello` | What each request is greeted with. |\n"
    monkeypatch.setattr(test_docs, "read", lambda _: documented)
    test_docs.test_every_option_is_in_the_table_with_its_default(greeting)
