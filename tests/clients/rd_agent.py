"""What RD-Agent gets from its endpoints, printed as JSON: a script for RD-Agent's own Python.

Its `.env` is in the folder where it starts. No arguments, or the names of scenarios. Each question begins with the
scenario's name in angle brackets, by which the endpoint's journal is searched.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from dotenv import load_dotenv

load_dotenv(".env")  # as RD-Agent's command does, before it reads its settings

from litellm_and_pydantic import litellm_alone, pydantic_ai  # noqa: E402
from loguru import logger  # noqa: E402
from pydantic import BaseModel  # noqa: E402
from pydantic_ai import Agent  # noqa: E402
from rdagent.log import rdagent_logger  # noqa: E402
from rdagent.oai.backend import litellm as backend  # noqa: E402
from rdagent.oai.backend.pydantic_ai import get_agent_model  # noqa: E402
from rdagent.oai.llm_conf import LLM_SETTINGS  # noqa: E402
from rdagent.oai.llm_utils import APIBackend, calculate_embedding_distance_between_str_list  # noqa: E402

OURS = "hunyuan_backend.HunyuanBackend"
HY3, HY4, KIMI = "openai/hy3", "tencent/hy4-preview", "moonshot/kimi-k2.6"
OLD, OLD_THINKER = "openai/hunyuan-2.0-instruct-20251111", "openai/hunyuan-a13b"
OLD_BASE = "https://api.hunyuan.cloud.tencent.com/v1"
VECTORS, LARGE_VECTORS = "litellm_proxy/kinfra-text-embedding-0.6b", "litellm_proxy/kinfra-text-embedding-4b"
OLD_VECTORS = "openai/hunyuan-embedding"
NUMBERS = "one two three four five six seven eight nine ten eleven twelve thirteen"
warnings: list[str] = []
logger.remove()
logger.add(lambda message: warnings.append(str(message)), format="{message}", level="WARNING")


class City(BaseModel):
    """What a structured answer is."""

    city: str
    degrees: int


@contextmanager
def settings(**changed: Any) -> Iterator[None]:
    """RD-Agent has two objects of settings, and reads now one, now the other. Names in capitals are variables."""
    variables = {name: value for name, value in changed.items() if name.isupper()}
    fields = {name: value for name, value in changed.items() if name not in variables}
    before = {name: getattr(LLM_SETTINGS, name) for name in fields}
    saved = {name: os.environ.get(name) for name in variables}
    try:
        os.environ.update(variables)
        for name, value in fields.items():
            setattr(LLM_SETTINGS, name, value)
            setattr(backend.LITELLM_SETTINGS, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(LLM_SETTINGS, name, value)
            setattr(backend.LITELLM_SETTINGS, name, value)
        for name, old in saved.items():
            if old is None:
                del os.environ[name]
            else:
                os.environ[name] = old


def asked(name: str, says: str, **more: Any) -> Any:
    """A question, and RD-Agent's answer or its error."""
    given = {
        key: more.pop(key)
        for key in ("json_mode", "json_target_type", "response_format", "former_messages")
        if key in more
    }
    with settings(**more):
        warnings.clear()
        return outcome(lambda: APIBackend().build_messages_and_create_chat_completion(f"<{name}> {says}", **given))


def outcome(run: Callable[[], Any]) -> Any:
    """What it returns, or the class of the error that it ends with."""
    try:
        return run()
    except Exception as error:
        return {"raised": type(error).__name__}


def classes() -> list[str]:
    """The classes of LiteLLM's errors in RD-Agent's log, in order."""
    return [line.partition(":")[0].removeprefix("litellm.") for line in warnings if line.startswith("litellm.")]


def chats() -> dict[str, Any]:
    two = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "b"},
        {"role": "assistant", "content": "c"},
    ]
    return {
        "streamed": asked("streamed", "[[sim:say one two three]]", chat_model=HY3),
        "whole": asked("whole", "[[sim:say one two three]]", chat_model=HY3, chat_stream=False),
        "history": asked("history", "[[sim:say on]]", chat_model=HY3, former_messages=two),
        "by-url": asked("by-url", "[[sim:say hello]]", chat_model=OLD, OPENAI_API_BASE=os.environ["BY_URL"]),
        "kimi": asked("kimi", "[[sim:say from Kimi]]", chat_model=KIMI),
        "think": asked(
            "think", "[[sim:reasoning because]][[sim:say so]][[sim:leak think]]", chat_model=OLD_THINKER, **OLD_PLATFORM
        ),
    }


OLD_PLATFORM = {"OPENAI_API_BASE": OLD_BASE}


def json_answers() -> dict[str, Any]:
    wrong, prose = '[[sim:say {"a": 1,}]]', '[[sim:say Here it is:\n```\n{"a": 1,}\n```]]'
    city = '[[sim:say {"city": "Shenzhen", "degrees": 30,}]]'
    return {
        "json": asked("json", wrong, chat_model=HY4, json_mode=True),
        "kimi-json": asked("kimi-json", wrong, chat_model=KIMI, json_mode=True),
        "typed": asked("typed", wrong, chat_model=HY4, json_mode=True, json_target_type=dict[str, int]),
        "schema": asked("schema", city, chat_model=HY4, response_format=City),
        "unlisted": asked("unlisted", prose, chat_model=HY3, json_mode=True),
        "unlisted-ours": asked("unlisted-ours", prose, chat_model=HY3, json_mode=True, backend=OURS),
    }


def long_answers() -> dict[str, Any]:
    says = f"[[sim:say {NUMBERS}]][[sim:limit 12]]"
    return {
        "long": asked("long", says, chat_model=HY3, max_retry=2),
        "long-kimi": asked("long-kimi", says, chat_model=KIMI, max_retry=2),
        "two-parts": asked("two-parts", "[[sim:say one two three]][[sim:limit 8]]", chat_model=KIMI, max_retry=2),
    }


def failures() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in ("limited", "busy", "quota"):
        answer = asked(name, "[[sim:say through]]", chat_model=OLD, **OLD_PLATFORM)
        found[name] = [answer, classes()]
    answer = asked("key", "[[sim:say x]]", chat_model=HY3, max_retry=10, OPENAI_API_KEY="sk-wrong")
    found["key"] = [answer, classes(), any("console" in line for line in warnings)]
    found["refused"] = [asked("refused", "[[sim:sensitive]]", chat_model=HY3), classes()]
    found["refused-ours"] = [asked("refused-ours", "[[sim:sensitive]]", chat_model=HY3, backend=OURS), classes()]
    return found


def vectors_of(texts: Any, **more: Any) -> Any:
    """The length of each vector, and how it begins."""
    with settings(**more):
        found = outcome(lambda: APIBackend().create_embedding(texts))
    if not isinstance(found, list):
        return found
    return [[len(vector), [round(float(part), 6) for part in vector[:3]]] for vector in found]


def embeddings() -> dict[str, Any]:
    many = [f"<many> text {number}" for number in range(120)]
    long = "<too-long> " + "words and more words " * 400
    return {
        "first": vectors_of(["<first> text"], embedding_model=VECTORS),
        "again": vectors_of(["<first> text", "<second> text", "<first> text"], embedding_model=VECTORS),
        "many": vectors_of(many, embedding_model=OLD_VECTORS, **OLD_PLATFORM),
        "too-long": vectors_of([long, "<too-long> short"], embedding_model=OLD_VECTORS, **OLD_PLATFORM),
        "refused-text": vectors_of(["<refused-text> " + "x y " * 100], embedding_model=VECTORS),
        "distances": calculate_embedding_distance_between_str_list(["<distance> a"], ["<distance> a", "<distance> b"]),
    }


def vectors_of_two_models() -> Any:
    """RD-Agent's own cache goes by the text alone."""
    flags = {"use_embedding_cache": True, "dump_embedding_cache": True}
    models = (VECTORS, LARGE_VECTORS)
    its_own = [vectors_of(["<models> text"], embedding_model=name, **flags)[0][0] for name in models]
    without = [vectors_of(["<models> text"], embedding_model=name)[0][0] for name in models]
    return {"its own": its_own, "without": without}


def kept_by_itself() -> Any:
    """RD-Agent's own cache of answers, and a chat session, go through as if nothing were between."""
    flags = {"use_chat_cache": True, "dump_chat_cache": True}
    says = "[[sim:say kept]][[sim:numbered]]"
    twice = [asked("kept", says, chat_model=HY3, **flags) for _ in range(2)]
    with settings(chat_model=HY3):
        session = APIBackend().build_chat_session(session_system_prompt="Be kind.")
        said = [session.build_chat_completion(user_prompt=f"<session> [[sim:say {word}]]") for word in ("a", "b")]
    return {"same": twice[0] == twice[1], "session": said}


def by_stage() -> Any:
    """RD-Agent's own map of models by the step of the workflow, and the proxy's table, which gets the step as a tag."""
    its_own = {"coding": {"model": "openai/hy3-preview", "temperature": "0.1"}}
    with rdagent_logger.tag("Loop_0.coding"):
        return {
            "its own": asked("its-map", "[[sim:say x]]", chat_model=HY3, chat_model_map=its_own),
            "ours": asked("our-map", "[[sim:say x]]", chat_model=HY3, backend=OURS),
        }


def costs() -> Any:
    """What RD-Agent counts, in dollars by LiteLLM's list, and from the text of an answer alone."""
    found: dict[str, float] = {}
    for name, model in (("thinks", KIMI), ("unlisted", HY3)):
        before = backend.ACC_COST
        asked(name, "[[sim:reasoning " + "thought " * 200 + "]][[sim:say short]]", chat_model=model)
        found[name] = backend.ACC_COST - before
    return found


def agent() -> Any:
    """RD-Agent's agents (pydantic-ai), which bypass its backend: a tool of theirs."""

    def run() -> str:
        with settings(chat_model=HY3):
            made: Any = Agent(get_agent_model(), system_prompt="Be kind.", instructions="Be brief.")

        @made.tool_plain  # type: ignore[untyped-decorator]
        def weather(city: str) -> str:
            """Tell it."""
            return f"{city}: sun"

        answer: str = made.run_sync('<agent> [[sim:tool weather {"city": "Shenzhen"}]]').output
        return answer

    return outcome(run)


SCENARIOS: dict[str, Callable[[], Any]] = {
    "chats": chats,
    "json": json_answers,
    "long": long_answers,
    "failures": failures,
    "embeddings": embeddings,
    "two models": vectors_of_two_models,
    "kept": kept_by_itself,
    "stages": by_stage,
    "costs": costs,
    "agent": agent,
    "litellm": litellm_alone,
    "pydantic-ai": pydantic_ai,
}

for chosen in sys.argv[1:] or SCENARIOS:
    try:
        result: Any = SCENARIOS[chosen]()
    except Exception as error:
        result = {"raised": f"{type(error).__name__}: {error}"[:500]}
    sys.stdout.write(json.dumps([chosen, result]) + "\n")
