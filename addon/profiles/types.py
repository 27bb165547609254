"""What a profile consists of: frozen dataclasses, whose fields are the keys of its data file (docs/profiles.md)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any, Literal

KEY = "key"
"""In a field's metadata: its key in the data file, where it isn't the field's name; `""`: it has none."""

ParameterType = Literal["boolean", "integer", "number", "string", "string_list", "object", "list"]
ErrorKind = Literal[
    "rate_limit",
    "overload",
    "quota",
    "not_in_plan",
    "model_not_found",
    "content_filter",
    "key_refused",
    "client_refused",
    "overflow",
    "too_large",
    "retired",
]
Replay = Literal["required", "wanted", "ignored", "harmful"]


@dataclass(frozen=True, slots=True)
class Thinking:
    """How a model's thinking is switched."""

    default: bool = True
    """It thinks where a request says nothing of it."""
    can_be_off: bool = True
    """What switches thinking off works; `False`: that is an error, or ignored."""
    can_be_asked: bool = True
    """It takes what switches thinking on; `False`: that is an error, since it always thinks."""
    control: Literal["thinking", "enable_thinking", "reasoning", "effort", "none"] = "thinking"
    """What switches it: `thinking.type`, `enable_thinking`, OpenRouter's `reasoning`, the effort alone, or nothing."""
    fields: frozenset[str] = frozenset({"type"})
    """Fields that the object `thinking` or `reasoning` may have."""
    adaptive: bool = False
    """`thinking.type` may be `adaptive`, too."""
    efforts: tuple[str, ...] = ()
    """Values of `reasoning_effort` that make a difference, the weakest first; empty: it takes none."""
    tool_choices: frozenset[str] | None = None
    """The strings that `tool_choice` may be while it thinks, and no object then; `None`: as without thinking."""
    builtin_functions: bool = True
    """It can be offered functions that the endpoint runs (`Profile.builtin_functions`) while it thinks."""


@dataclass(frozen=True, slots=True)
class Price:
    """What tokens cost, in `currency` for a million of each kind, on the day `as_of`. `None`: not known."""

    currency: str
    """Its code (ISO 4217), such as `USD`."""
    as_of: str
    """The day on which it was looked up: `2026-11-28`."""
    source: str
    """Where."""
    input: float | None = None
    """Of tokens that the cache doesn't have."""
    output: float | None = None
    """Of tokens of the answer, thoughts included."""
    cached: float | None = None
    """Of tokens that the cache has."""
    written: float | None = None
    """Of tokens that are written to the cache, where that has a price of its own; `None`: they cost what others do."""
    up_to: int | None = None
    """For requests with at most this many tokens of input; `None`: for longer ones, too."""


@dataclass(frozen=True, slots=True)
class Model:
    """What one model can do. Token counts; `None` where nothing is known."""

    id: str = field(metadata={KEY: ""})
    context: int | None = None
    """Tokens of input and output together."""
    input: int | None = None
    """Tokens of input; without it the context's less those of the answer."""
    output: int | None = None
    """Tokens of an answer, its thoughts among them."""
    images: bool = False
    """It sees images."""
    tools: bool = True
    """It takes tools. `False`: a vision model of the kind that sees images and does nothing else."""
    thinking: Thinking | None = None
    """`None`: it doesn't think, or nothing is known of it."""
    replay: Replay = "wanted"
    """What becomes of a request whose assistant messages lack their reasoning, or have it: without it an error
    (`required`), a worse answer (`wanted`), nothing (`ignored`); with it an error (`harmful`)."""
    replay_turns: Literal["calls", "all"] = "calls"
    """The assistant messages that this is about: those with tool calls, or all."""
    replay_in: Literal["field", "content"] = "field"
    """Where a message has its reasoning: in a field of its own, or as `<think>…</think>` at the head of its content."""
    empty_reasoning: bool = True
    """`""` counts as reasoning; `False`: it counts as missing."""
    refused: frozenset[str] = frozenset()
    """Parameters that it doesn't take, whatever its profile says: sampling that is fixed."""
    values: Mapping[str, Any] = field(default_factory=dict)
    """Parameter -> the only value that it takes of it."""
    schema: Literal["", "mfjs-lite", "mfjs-strict"] = ""
    """The flavour of JSON Schema that it demands of tools; `""`: any."""
    json_schema: bool = True
    """It takes a `response_format` of the type `json_schema`; `False`: `json_object` alone."""
    prefill: Literal["", "partial"] = ""
    """How an assistant message at the end is completed: by `partial: true` in it; `""`: as it is."""
    prefill_thinks: bool = True
    """It completes a message while it thinks, too; `False`: only where thinking is off."""
    embedding: bool = False
    """It makes vectors, no answers."""
    successor: str | None = None
    """The model that replaces this one where it is retired: used when a request is re-routed, and named in errors."""
    retired: str = ""
    """The day since which no endpoint of its maker has it; `""`: it is there, or the day isn't known."""
    prices: tuple[Price, ...] = ()
    """By length of the input, the shortest first; those in another currency behind them (`Profile.currencies`)."""
    source: str = ""
    """Where this is from, and of what day it is."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One accepted top-level parameter and the values it takes."""

    type: ParameterType
    """What its value is; others are converted where nothing is lost."""
    minimum: float | None = None
    """The least number; lower ones are raised, or the parameter is removed."""
    maximum: float | None = None
    """The greatest number. An integer with both bounds is wrapped (`seed`)."""
    choices: tuple[str, ...] = ()
    """The words that it may be; empty: any."""
    max_items: int | None = None
    """Items of a list; the first are kept."""
    max_length: int | None = None
    """Characters of one item."""
    max_bytes: int | None = None
    """Bytes of one item in UTF-8."""


@dataclass(frozen=True, slots=True)
class Grammar:
    """How messages must look and follow each other."""

    alternate: bool
    """Neighbours of one role (user, assistant) are refused."""
    bridge: bool
    """A user message directly after a tool message is refused."""
    start_with_user: bool
    """The first message after a system message must be a user message."""
    end_with_user: bool
    """The last message must be a user or a tool message."""
    max_messages: int | None = field(default=None, metadata={KEY: "max"}, kw_only=True)
    """Messages in one request; the oldest turns of longer ones are folded into one."""
    reasoning: Literal["remove", "keep"]
    """What becomes of reasoning in messages: `remove` where it is an error."""
    reasoning_field: str
    """The field of a message that holds its reasoning, until an answer shows another."""
    content_with_tool_calls: bool
    """An assistant message with tool calls needs content too."""
    flatten_text: bool
    """Lists of nothing but text parts become strings outside user messages."""
    part_types: frozenset[str]
    """Types of parts that the content of a user message may have."""
    image_fields: frozenset[str]
    """Fields accepted inside `image_url`."""
    fields: Mapping[str, frozenset[str]]
    """Message fields accepted, by role."""
    media_roles: frozenset[str] = frozenset({"user"})
    """The roles whose messages may hold images and files."""


@dataclass(frozen=True, slots=True)
class Embeddings:
    """What `/embeddings` accepts."""

    parameters: frozenset[str]
    """Parameters of the request; others are removed."""
    max_inputs: int
    """Texts in one request; more are sent in several."""
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
    tool_choices: frozenset[str] | None = None
    """The types of `tool_choice` that it takes while the model thinks; `None`: all."""
    signed: tuple[str, ...] = ()
    """The models that take their thinking back with their vendor's signature only: patterns, as in `models`."""
    made_up_thinking: bool = False
    """Where nothing is known of the thinking in a turn with calls, and the model refuses such a turn (`Model.replay`),
    the endpoint takes a block that was made up. `False`: nothing is made up, whatever its answer."""
    marked: tuple[str, ...] = ()
    """The models whose prompt cache needs breakpoints (`cache_control`): patterns. Others cache by themselves."""

    def spoken_by(self, model: str) -> bool:
        """Whether the model speaks the format."""
        return fits(model, self.models)

    def is_signed(self, model: str) -> bool:
        """Whether the model takes thinking back with its vendor's signature only."""
        return fits(model, self.signed)

    def is_marked(self, model: str) -> bool:
        """Whether the model's prompt cache needs breakpoints."""
        return fits(model, self.marked)

    def refuses_block(self, kind: str) -> bool:
        """Whether it refuses content blocks of the type `kind`."""
        return fits(kind, self.refused_blocks)


@lru_cache(1024)
def fits(name: str, patterns: Collection[str]) -> bool:
    """Whether `name` fits one of `patterns`, where `*` stands for any characters."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


@dataclass(frozen=True, slots=True)
class ErrorRule:
    """An error whose status is misleading, and what it means.

    Matches an error answer if every condition that is set holds.
    """

    kind: ErrorKind
    """What it means."""
    status: int | None = None
    """The status of the answer."""
    type: str | None = None
    """The error's `type`."""
    code: str | None = None
    """The error's `code`, as text."""
    message: str | None = None
    """A part of the error's message."""
    says: str = ""
    """A sentence behind the endpoint's own words, where they don't explain themselves."""
    source: str = ""
    """Where this is from."""


@dataclass(frozen=True, slots=True)
class Family:
    """A maker's model wherever it is served: what is the same at each endpoint."""

    ids: tuple[str, ...]
    """Patterns of its ids in lower case, without what endpoints put before and behind them (`moonshotai/`, `:free`)."""
    rows: Mapping[str, Any]
    """The keys of a model's row."""


def judged(model_id: str) -> dict[str, Any]:
    """What the name of a model says that no data knows, as keys of its row."""
    sees = "vision" in model_id
    return {"images": sees, "tools": not sees, "embedding": "embedding" in model_id}


def _unknown(model_id: str) -> Model:
    return Model(model_id, **judged(model_id))


@dataclass(frozen=True, slots=True)
class Profile:
    """One family of endpoints, as its data file describes it."""

    name: str = field(metadata={KEY: ""})
    hosts: tuple[str, ...]
    """Its hosts, each perhaps with a path: `example.com`, `example.com/plan`. The longest that fits counts."""
    text_model: str
    """The model that answers where a request asks for another vendor's, or a vision model is offered tools; `""`: the
    model that is asked for answers."""
    vision_model: str
    """The model that describes images to models that see none; `""`: images are for the model that is asked."""
    concurrency: int
    """Requests of one account that may be under way (`hunyuan_concurrency`)."""
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
    grammar: Grammar = field(metadata={KEY: "messages"})
    """How messages must look."""
    parameters: Mapping[str, Parameter]
    """Name -> what the parameter may be. Parameters that aren't listed are removed."""
    embeddings: Embeddings
    """What its `/embeddings` accepts."""
    errors: tuple[ErrorRule, ...]
    """Errors whose status misleads: the first rule that matches counts."""
    models: Mapping[str, Model]
    """Its models by their ids. A key with `*` is a pattern, whose keys count for every model whose id, in lower case,
    fits it."""
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
    bases: Mapping[str, str] = field(default_factory=dict)
    """Format that it `speaks` -> the path of its base URL, where that isn't `base`: `/anthropic/v1`."""
    key_pages: Mapping[str, str] = field(default_factory=dict)
    """Host -> the page where its API keys are made. The first is named where the host isn't among them."""
    vendor: str = ""
    """Whose hosts these are: a key is for one vendor's hosts alone. Without it the profile is a vendor of its own."""
    currencies: Mapping[str, str] = field(default_factory=dict)
    """Host -> the currency in which it is paid: of a model's prices those in this currency count there. At a host that
    isn't in here they count if they are all in one."""
    plan: bool = False
    """A plan for interactive use: its terms forbid calls that nobody waits for (docs/facts/tokenhub.md#plans)."""
    json_word: bool = False
    """A `response_format` of the type `json_object` is refused where no message has the word JSON."""
    thinking: Mapping[str, Any] = field(default_factory=dict)
    """Keys of `Thinking`: how thinking is switched at these endpoints, whatever the maker. They are laid over those of
    every family that thinks and has a `control`."""
    reports_cache: bool = True
    """Its answers may tell how many tokens of the input were cached; `false`: they don't, as far as is known."""
    lists_for_key: bool = False
    """Its list of models is answered for a valid key alone, as far as is known: so it proves one."""
    mends: bool = True
    """Requests of its thinking models go by the relay, so that a refused one can be mended and sent once more."""
    session_key: str = ""
    """The parameter with a name of the session, by which its prompt cache is found again; `""`: none."""
    max_bytes: int = 0
    """Bytes of a request's body that the endpoint takes: a larger one is refused here. 0: not known."""
    tool_name_length: int = 64
    """Characters of a tool's name."""
    tool_name_digit: bool = True
    """A tool's name may begin with a digit or a hyphen."""
    builtin_functions: bool = False
    """It runs tools of the type `builtin_function` itself; their names begin with `$`."""
    extends: str = ""
    """The profile whose keys count where this one has none, but for `hosts`, `currencies`, `vendor`,
    `shut_down`, `moved_to`."""
    find: Callable[[str], Model] = field(default=_unknown, metadata={KEY: ""}, repr=False, compare=False)
    """What is known of a model that isn't in `models`: patterns of the profile, families, its name."""

    def is_gone(self, host: str) -> bool:
        """Whether `host` is one of its own, which answer no more, and has a successor."""
        return bool(self.shut_down and self.moved_to) and any(host == own.partition("/")[0] for own in self.hosts)

    def model(self, model_id: object) -> Model:
        """What is known of `model_id`: its own row in `models`, which is over those of patterns and of its family.

        Of an unknown model its name is judged: one with `vision` in it sees images.
        """
        if not isinstance(model_id, str):
            return Model("")
        known = self.models.get(model_id)
        return known or self.find(model_id)
