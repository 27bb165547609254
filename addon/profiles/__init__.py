"""Profiles: what one family of endpoints demands. Data (TOML beside this file), read once and frozen.

To add a provider, put a TOML file into this folder. The file's name is the profile's name.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache, lru_cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any, Literal

FOLDERS: tuple[Traversable, ...] = (resources.files(__name__),)
"""Folders with data files. If two have a profile of the same name, the last one counts."""

ParameterType = Literal["boolean", "integer", "number", "string", "string_list", "object", "list"]
ErrorKind = Literal[
    "rate_limit",
    "overloaded",
    "quota",
    "not_in_plan",
    "model_not_found",
    "content_filter",
    "key_refused",
    "client_refused",
    "too_long",
    "too_large",
]
Replay = Literal["required", "wanted", "ignored", "harmful"]


@dataclass(frozen=True, slots=True)
class Thinking:
    """How a model's thinking is switched."""

    default: bool
    """It thinks where a request says nothing of it."""
    can_be_off: bool = True
    can_be_asked: bool = True
    """It takes what switches thinking on; `False`: that is an error, since it always thinks."""
    control: Literal["thinking", "enable_thinking", "effort", "none"] = "thinking"
    """The parameter that switches it: `thinking.type`, `enable_thinking`, the effort alone, or nothing."""
    fields: frozenset[str] = frozenset({"type"})
    """Fields that the object `thinking` may have."""
    efforts: tuple[str, ...] = ()
    """Values of `reasoning_effort` that make a difference, the weakest first; empty: it takes none."""
    tool_choices: frozenset[str] | None = None
    """The strings that `tool_choice` may be while it thinks, and no object then; `None`: as without thinking."""


@dataclass(frozen=True, slots=True)
class Price:
    """What tokens cost, in `currency` for a million of each kind, on the day `as_of`. `None`: not known."""

    currency: str
    as_of: str
    source: str
    input: float | None = None
    output: float | None = None
    cached: float | None = None
    up_to: int | None = None
    """For requests with at most this many tokens of input; `None`: for longer ones, too."""


@dataclass(frozen=True, slots=True)
class Model:
    """What one model can do. Token counts; `None` where nothing is known."""

    id: str
    context: int | None = None
    input: int | None = None
    output: int | None = None
    images: bool = False
    thinking: Thinking | None = None
    """`None`: it doesn't think, or nothing is known of it."""
    replay: Replay = "wanted"
    """What becomes of a request whose assistant messages lack their reasoning, or have it: without it an error
    (`required`), a worse answer (`wanted`), nothing (`ignored`); with it an error (`harmful`)."""
    replay_turns: Literal["calls", "all"] = "calls"
    """The assistant messages that this is about: those with tool calls, or all."""
    refused: frozenset[str] = frozenset()
    """Parameters that it doesn't take, whatever its profile says: sampling that is fixed."""
    values: Mapping[str, Any] = field(default_factory=dict)
    """Parameter -> the only value that it takes of it."""
    schema: Literal["", "mfjs-lite", "mfjs-strict"] = ""
    """The flavour of JSON Schema that it demands of tools; `""`: any."""
    prefill: Literal["", "partial"] = ""
    """How an assistant message at the end is completed: by `partial: true` in it; `""`: as it is."""
    embedding: bool = False
    successor: str | None = None
    """The model that replaces this one where it is retired: used when a request is re-routed, and named in errors."""
    prices: tuple[Price, ...] = ()
    """By length of the input, the shortest first."""
    source: str = ""
    """Where this is from, and of what day it is."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One accepted top-level parameter and the values it takes."""

    type: ParameterType
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    max_items: int | None = None
    max_length: int | None = None
    """Characters of one item."""


@dataclass(frozen=True, slots=True)
class Grammar:
    """How messages must look and follow each other."""

    alternate: bool
    """Neighbours of one role (user, assistant) are refused."""
    bridge: bool
    """A user message directly after a tool message is refused."""
    end_with_user: bool
    """The last message must be a user or a tool message."""
    max_messages: int | None
    reasoning: Literal["remove", "keep"]
    reasoning_field: str
    """The field of a message that holds its reasoning, until an answer shows another."""
    content_with_tool_calls: bool
    """An assistant message with tool calls needs content too."""
    flatten_text: bool
    """Lists of nothing but text parts become strings outside user messages."""
    part_types: frozenset[str]
    image_fields: frozenset[str]
    """Fields accepted inside `image_url`."""
    fields: Mapping[str, frozenset[str]]
    """Message fields accepted, by role."""


@dataclass(frozen=True, slots=True)
class Embeddings:
    """What `/embeddings` accepts."""

    parameters: frozenset[str]
    max_inputs: int
    dimensions: Mapping[str, int] = field(default_factory=dict)
    """Model id -> the only vector length it answers with."""


@dataclass(frozen=True, slots=True)
class Native:
    """What an endpoint takes of a format that it speaks itself, but not all of it (`Profile.speaks`)."""

    models: tuple[str, ...] = ("*",)
    """The models that speak it: patterns, where `*` stands for any characters. For others requests are translated."""
    refused: tuple[str, ...] = ()
    """Fields that it refuses: paths with slashes, where `*` stands for each item of a list."""
    refused_blocks: frozenset[str] = frozenset()
    """Types of content blocks that it refuses: patterns, where `*` stands for any characters."""
    refused_block_fields: frozenset[str] = frozenset()
    """Fields of content blocks that it refuses."""
    cache_control: frozenset[str] | None = None
    """The fields of `cache_control` that it takes; `None`: all."""
    server_tools: tuple[str, ...] | None = None
    """What the types of those tools begin with that it runs itself; `None`: it takes any."""
    tools: frozenset[str] | None = None
    """The types of tools that it takes; `None`: all."""
    items: frozenset[str] | None = None
    """The types of items of the input that it takes; `None`: all."""
    stores: bool = True
    """It keeps answers, for requests that go on from them."""
    sources: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Type of a content block -> the types of its `source` that it takes. Of other blocks it takes all."""
    adaptive_thinking: bool = True
    """It takes `thinking: {"type": "adaptive"}`."""
    roles: frozenset[str] = frozenset()
    """The roles of messages that it takes."""
    betas: frozenset[str] = frozenset()
    """The values of `anthropic-beta` that it knows."""

    def spoken_by(self, model: str) -> bool:
        """Whether the model speaks the format."""
        return _fits(model, self.models)

    def refuses_block(self, kind: str) -> bool:
        """Whether it refuses content blocks of the type `kind`."""
        return _fits(kind, self.refused_blocks)


@lru_cache(1024)
def _fits(name: str, patterns: Collection[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


@dataclass(frozen=True, slots=True)
class ErrorRule:
    """An error whose status is misleading, and what it means.

    Matches an error answer if every condition that is set holds. `message`: a part of the error's message.
    """

    kind: ErrorKind
    status: int | None = None
    type: str | None = None
    code: str | None = None
    message: str | None = None
    says: str = ""
    """A sentence behind the endpoint's own words, where they don't explain themselves."""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Profile:
    """One family of endpoints, as its data file describes it."""

    name: str
    hosts: tuple[str, ...]
    """Its endpoints' hosts, each perhaps with a path: `example.com`, `example.com/plan`. See `at`."""
    text_model: str
    vision_model: str
    concurrency: int
    stop_included: bool
    """The endpoint's output includes the stop text (legacy); OpenAI's does not."""
    tool_choices: frozenset[str]
    """Accepted strings for `tool_choice`."""
    tool_choice_object: bool
    """`tool_choice` may name a function or an `allowed_tools` set as an object."""
    strict_tools: bool
    """`strict` is accepted inside a tool's function."""
    response_format: bool
    """`response_format` is accepted; otherwise it becomes an instruction."""
    grammar: Grammar
    parameters: Mapping[str, Parameter]
    embeddings: Embeddings
    errors: tuple[ErrorRule, ...]
    models: Mapping[str, Model]
    shut_down: str | None = None
    """The day since which its hosts answer no request."""
    dialect: str = "openai"
    """What the upstream speaks: a name in `dialects.UPSTREAM_DIALECTS`."""
    speaks: frozenset[str] = frozenset()
    """The clients' formats, beside the house languages, that its endpoints answer in: names in `dialects.DIALECTS`."""
    native: Mapping[str, Native] = field(default_factory=dict)
    """What it takes of each format that it `speaks`. A format that isn't in here passes unchanged."""
    signer: str = "bearer"
    """What puts the credentials on a request: a name in `upstream.signing.SIGNERS`."""
    base: str | None = None
    """Path of its API's base URL, for clients whose own format has another base path. `None`: the client's."""
    moved_to: str | None = None
    """The base URL of the successor of these hosts."""
    vendor: str = "tencent"
    """Whose hosts these are: a key is for one vendor's hosts alone."""
    plan: bool = False
    """A plan for interactive use: its terms forbid calls that nobody waits for (docs/facts/tokenhub.md#plans)."""
    session_key: str = ""
    """The parameter with a name of the session, by which its prompt cache is found again; `""`: none."""

    def model(self, model_id: object) -> Model:
        """What is known of `model_id`: its own row over that of its family (`families`).

        Of an unknown model its name is judged: one with `vision` in it sees images.
        """
        if not isinstance(model_id, str):
            return Model("")
        known = self.models.get(model_id)
        return known or _of_family(model_id) or _unknown(model_id)


def _unknown(model_id: str) -> Model:
    return Model(model_id, images="vision" in model_id, embedding="embedding" in model_id)


@dataclass(frozen=True, slots=True)
class Family:
    """A maker's model wherever it is served: what is the same at each endpoint."""

    ids: tuple[str, ...]
    """Patterns of its ids in lower case, without what an endpoint puts before them (`moonshotai/`)."""
    rows: Mapping[str, Any]
    """The keys of a model's row."""


@cache
def families() -> tuple[Family, ...]:
    """All families, in the order of their files; the first whose pattern fits an id counts."""
    found: list[Family] = []
    for folder in FOLDERS:
        files = folder.joinpath("families")
        for file in sorted(files.iterdir(), key=lambda file: file.name) if files.is_dir() else ():
            for table in tomllib.loads(file.read_text(encoding="utf-8")).values():
                found.append(Family(tuple(table["ids"]), {key: table[key] for key in table if key != "ids"}))
    return tuple(found)


@lru_cache(1024)
def _family(model_id: str) -> Mapping[str, Any]:
    """The rows of the family of `model_id`; empty for none."""
    plain = model_id.rpartition("/")[2].lower()
    return next((family.rows for family in families() if _fits(plain, family.ids)), {})


@lru_cache(1024)
def _of_family(model_id: str) -> Model | None:
    rows = _family(model_id)
    return _model(model_id, rows) if rows else None


def _over(family: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """A model's `own` keys over those of its family; of `thinking` each key for itself."""
    thinking = {**family.get("thinking", {}), **own.get("thinking", {})}
    return {**family, **own, **({"thinking": thinking} if thinking else {})}


def _model(model_id: str, rows: Mapping[str, Any]) -> Model:
    """The model of `rows`, keys of a model's table."""
    read = dict(rows)
    if "thinking" in read:
        read["thinking"] = _thinking(read["thinking"])
    if "prices" in read:
        read["prices"] = tuple(Price(**price) for price in read["prices"])
    if "refused" in read:
        read["refused"] = frozenset(read["refused"])
    return Model(id=model_id, **read)


def _thinking(spec: Mapping[str, Any]) -> Thinking:
    read = dict(spec)
    read["efforts"] = tuple(read.get("efforts", ()))
    read["fields"] = frozenset(read.get("fields", ("type",)))
    if "tool_choices" in read:
        read["tool_choices"] = frozenset(read["tool_choices"])
    return Thinking(**read)


@cache
def names() -> tuple[str, ...]:
    """The names of all profiles, in alphabetical order."""
    files = [file.name for folder in FOLDERS for file in folder.iterdir()]
    return tuple(sorted({name.removesuffix(".toml") for name in files if name.endswith(".toml")}))


@cache
def load(name: str) -> Profile:
    """Read the profile `name`. Raises `KeyError` for a name that is not in `names()`."""
    if name not in names():
        raise KeyError(name)
    files = [file for folder in FOLDERS if (file := folder.joinpath(f"{name}.toml")).is_file()]
    return _profile(name, tomllib.loads(files[-1].read_text(encoding="utf-8")))


@cache
def by_host() -> Mapping[str, tuple[tuple[str, str], ...]]:
    """Host -> pairs of a path and the profile for what is below it; the longest path first, `""` for the whole host.

    Raises `ValueError` if two profiles have the same address.
    """
    found: dict[str, dict[str, str]] = {}
    for name in names():
        for address in load(name).hosts:
            host, _, path = address.partition("/")
            prefix = f"/{path.strip('/')}".rstrip("/")
            other = found.setdefault(host, {}).setdefault(prefix, name)
            if other != name:
                raise ValueError(f"{address} is in two profiles, {other} and {name}")
    return {host: tuple(sorted(paths.items(), key=lambda item: -len(item[0]))) for host, paths in found.items()}


def at(host: str, path: str = "") -> str | None:
    """The name of the profile of the requests to `path` at `host`; `None` where there is none.

    A profile's path covers itself and what is below it, and the longest that does wins. `host` is canonical
    (`wire.host_names`), `path` normal (`wire.paths.normal`).
    """
    return next((name for prefix, name in by_host().get(host, ()) if f"{path}/".startswith(f"{prefix}/")), None)


def shut_down(host: str) -> Profile | None:
    """The profile of `host` if the host has been shut down, with all its profiles; else `None`."""
    found = [load(name) for _, name in by_host().get(host.lower(), ())]
    return found[0] if found and all(profile.shut_down for profile in found) else None


def forget() -> None:
    """Let the files be read anew."""
    for read in (names, load, by_host, families, _family, _of_family):
        read.cache_clear()


def _profile(name: str, data: dict[str, Any]) -> Profile:
    messages = dict(data["messages"])
    fields = {role: frozenset(names) for role, names in messages.pop("fields").items()}
    grammar = Grammar(
        fields=fields,
        part_types=frozenset(messages.pop("part_types")),
        image_fields=frozenset(messages.pop("image_fields")),
        max_messages=messages.pop("max", None),
        **messages,
    )
    embeddings = data["embeddings"]
    return Profile(
        name=name,
        grammar=grammar,
        hosts=tuple(data["hosts"]),
        tool_choices=frozenset(data["tool_choices"]),
        parameters={key: _parameter(spec) for key, spec in data["parameters"].items()},
        embeddings=Embeddings(
            frozenset(embeddings["parameters"]), embeddings["max_inputs"], embeddings.get("dimensions", {})
        ),
        errors=tuple(ErrorRule(**rule) for rule in data["errors"]),
        models={key: _model(key, _over(_family(key), spec)) for key, spec in data["models"].items()},
        shut_down=data.get("shut_down"),
        moved_to=data.get("moved_to"),
        dialect=data.get("dialect", "openai"),
        speaks=frozenset(data.get("speaks", ())),
        native={dialect: _native(spec) for dialect, spec in data.get("native", {}).items()},
        signer=data.get("signer", "bearer"),
        base=data.get("base"),
        vendor=data.get("vendor", "tencent"),
        plan=data.get("plan", False),
        session_key=data.get("session_key", ""),
        **{key: data[key] for key in _PLAIN},
    )


_PLAIN = (
    "text_model",
    "vision_model",
    "concurrency",
    "stop_included",
    "tool_choice_object",
    "strict_tools",
    "response_format",
)


def _native(spec: dict[str, Any]) -> Native:
    read: dict[str, Any] = {
        "models": tuple,
        "refused": tuple,
        "refused_blocks": frozenset,
        "refused_block_fields": frozenset,
        "cache_control": frozenset,
        "server_tools": tuple,
        "tools": frozenset,
        "items": frozenset,
        "stores": bool,
        "sources": lambda given: {kind: frozenset(taken) for kind, taken in given.items()},
        "adaptive_thinking": bool,
        "roles": frozenset,
        "betas": frozenset,
    }
    return Native(**{key: read[key](given) for key, given in spec.items()})


def _parameter(spec: dict[str, Any]) -> Parameter:
    return Parameter(**{**spec, "choices": tuple(spec.get("choices", ()))})
