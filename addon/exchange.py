"""An exchange: one LLM call on its way through the proxy, and what the addon did to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from operator import attrgetter, itemgetter
from time import perf_counter
from typing import Any, Final, Literal, Self, overload

type JsonObject = dict[str, Any]
"""A parsed JSON object: a request body, a message, an answer."""


@dataclass(frozen=True, slots=True)
class Change:
    """One thing a rule did to a body.

    `rule` is the rule's name (a key of `docs/rules.md`), `pointer` the JSON Pointer of the place in the body
    as the rule found it, `why` one English line for a person, without any message content.
    """

    rule: str
    pointer: str
    why: str


@dataclass(frozen=True, slots=True)
class Response:
    """An answer made here: an error, a repaired answer, the joined parts of a batch.

    Header names are in lower case, as HTTP/2 wants them.
    """

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an exchange ended. `status` is the answer's, `None` without one; `text` is what the log says."""

    how: Literal["answered", "refused", "failed"]
    status: int | None
    text: str


type _Noted = tuple[str, str, str] | tuple[str, int, str, str]
"""A change: its rule, pointer and reason; or its rule, number of the message, reason and the rest of its pointer."""


class Changes(Sequence[Change]):
    """Changes in their order. A `Change` is made when it is looked at: most are only counted, and named by their rule.

    Past `MAX_LISTED` changes `note`, `note_each` and `note_at` list no more: a record shows fewer, and a small body can
    hold a million messages. Equal to any sequence of the same changes.
    """

    MAX_LISTED = 1000

    __slots__ = ("_noted", "_plain")

    def __init__(self, changes: Iterable[Change] = ()) -> None:
        self._noted: list[_Noted] = []
        self._plain: list[list[str]] = []
        """What `to_plain` gave last."""
        if changes:
            self.extend(changes)

    def note(self, rule: str, message: int, why: str, field: str = "") -> None:
        """Add a change in message number `message`; `field` is the rest of its pointer, with a slash before it."""
        if len(self._noted) < self.MAX_LISTED:
            self._noted.append((rule, message, why, field))

    def note_each(self, rule: str, messages: Iterable[tuple[int, str]], field: str = "") -> None:
        """As `note`, once for each number of a message and its reason."""
        room = max(0, self.MAX_LISTED - len(self._noted))
        self._noted += [(rule, message, why, field) for message, why in islice(messages, room)]

    def note_at(self, rule: str, pointer: str, why: str) -> None:
        """Add a change at a place anywhere in the body."""
        if len(self._noted) < self.MAX_LISTED:
            self._noted.append((rule, pointer, why))

    def append(self, change: Change) -> None:
        """Add one change."""
        self._noted.append((change.rule, change.pointer, change.why))

    def extend(self, changes: Iterable[Change]) -> None:
        """Add the changes that another rule made."""
        # Not isinstance: a Sequence answers that through Python's abc, as slowly as all the rest here takes.
        if type(changes) is Changes:
            self._noted += changes._noted
        else:
            self._noted += [(change.rule, change.pointer, change.why) for change in changes]

    def rules(self) -> list[str]:
        """The names of the rules, each once, in order."""
        return list(dict.fromkeys(map(itemgetter(0), self._noted)))

    def counted(self) -> Counter[tuple[str, str]]:
        """How many there are of each rule and reason."""
        return Counter((noted[0], noted[2]) for noted in self._noted)

    def to_plain(self) -> list[list[str]]:
        """Rule, pointer and reason of each, printable."""
        if len(self._plain) == len(self._noted):
            return self._plain
        plain = self._plain[: len(self._noted)]
        for noted in self._noted[len(plain) :]:
            rule, pointer, why = _spelt_out(noted)
            if not (pointer.isascii() and why.isascii()):
                pointer, why = printable(pointer), printable(why)
            plain.append([rule, pointer, why])
        self._plain = plain
        return plain

    def __len__(self) -> int:
        """How many there are."""
        return len(self._noted)

    def __iter__(self) -> Iterator[Change]:
        """Each of them."""
        return (Change(*_spelt_out(noted)) for noted in self._noted)

    @overload
    def __getitem__(self, index: int) -> Change: ...
    @overload
    def __getitem__(self, index: slice) -> Changes: ...
    def __getitem__(self, index: int | slice) -> Change | Changes:
        """One change, or some of them."""
        if isinstance(index, int):
            return Change(*_spelt_out(self._noted[index]))
        some = Changes()
        some._noted = self._noted[index]
        return some

    def __iadd__(self, changes: Iterable[Change]) -> Self:
        """As `extend`."""
        self.extend(changes)
        return self

    def __eq__(self, other: object) -> bool:
        """Whether `other` has the same changes."""
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        """For tests that fail."""
        return f"Changes({list(self)!r})"


def _spelt_out(noted: _Noted) -> tuple[str, str, str]:
    """Rule, pointer and reason."""
    if len(noted) == 3:
        return noted
    rule, message, why, field = noted
    return rule, f"/messages/{message}{field}", why


@dataclass(slots=True)
class AnswerPlan:
    """What must be undone in the answer, because a rule changed the question. Filled by the rules.

    Plain data only: it travels in `flow.metadata`, and a saved flow file takes nothing else.
    """

    tool_names: dict[str, str] = field(default_factory=dict)
    """Tool name as sent upstream -> as the client called it."""
    tools: list[str] = field(default_factory=list)
    """The names of all tools as sent upstream: a name that comes in pieces is whole when it is one of them."""
    call_ids: list[str] = field(default_factory=list)
    """The ids of the calls in the request: no call of the answer may have one of them, too."""
    function_call: bool = False
    """The client speaks the deprecated `functions`: answer with `function_call`, not `tool_calls`."""
    json_fence: bool = False
    """A JSON answer was asked for by instruction: take a ```json fence around it off."""
    stop: list[str] = field(default_factory=list)
    """Stop texts that this endpoint includes in its output (docs/facts/hunyuan.md#stop): cut them off."""
    base64_embeddings: bool = False
    """The client asked for `encoding_format: base64`: pack the floats (little-endian float32)."""
    leaks: list[str] = field(default_factory=list)
    """The forms in which the model may write tool calls into its text (`answers.leak_forms`)."""
    text_arguments: dict[str, list[str]] = field(default_factory=dict)
    """Tool name as sent upstream -> its parameters that are texts, where a form doesn't tell texts from numbers."""
    splits_thinking: bool = False
    """Text in `<think>` at the beginning of an answer is reasoning."""
    usage_chunk: bool = False
    """The client asked for a stream with a chunk that has its usage (`stream_options.include_usage`)."""
    usage_hidden: bool = False
    """Its client didn't, and the stream has one all the same, since it was asked for here: it is taken out again."""


KEY = "hunyuan_fix"
"""The key in mitmproxy's `flow.metadata` under which a saved flow keeps its exchange."""

DESCRIBED, QUEUED = "described", "queued"
"""What an exchange may wait for before it is sent: descriptions of its images, and a slot of its account."""

_SHORTEST_SECRET = 8
"""Bytes: a shorter key may stand anywhere, and tells nothing."""
MAX_CHANGES = 500
"""Changes that one exchange lists."""


@dataclass(frozen=True, slots=True)
class Wasted:
    """What a try used whose answer could not be used, and where: the request may be for another endpoint by now."""

    used: dict[str, int]
    is_estimated: bool
    profile: str
    model: str
    upstream: str


@dataclass(slots=True)
class Exchange:
    """One LLM call on its way: what came, what was changed, what left, how it was answered.

    Plain data when saved: mitmproxy loses a flow whose metadata holds an object (docs/facts/mitmproxy.md#metadata).
    """

    request_id: str = ""
    """The client's own id of its request, else the flow's (`wire.request_id`)."""
    upstream_id: str = ""
    """The endpoint's own id of it, for which its vendor's support asks; `""`: it gave none."""
    session: str = ""
    """A digest that is the same in all requests of one conversation of the client's (`session`); `""`: not known."""
    session_named: bool = False
    """The client named it."""
    profile: str = ""
    """`""`: the request is not to a known host and is only watched."""
    dialect: str = ""
    """The name of the client's dialect. `""`: the bodies are not touched."""
    spoken: str = ""
    """The name of the client's dialect, also where the bodies are not touched; `""`: unknown. Errors are in it."""
    base_url: str = ""
    successors: bool = False
    """Retired model ids are replaced."""
    method: str = ""
    path: str = ""
    model: str = ""
    """As the client sent it."""
    sent_model: str = ""
    """The model that the request left with, where that is another; `""`: the client's."""
    rules: list[str] = field(default_factory=list)
    """The names of the rules applied, each once, in order."""
    changes: Changes = field(default_factory=Changes)
    """The first `MAX_CHANGES` changes."""
    vision_calls: int = 0
    cached: int = 0
    """Images described without a call."""
    milliseconds: float = 0.0
    """Spent by the addon, waiting for vision calls and other calls of its own included."""
    queued: float = 0.0
    """Milliseconds spent waiting for a slot of the account."""
    first_byte: float = 0.0
    """Milliseconds from when the request left until its answer began; 0: no endpoint answered."""
    first_token: float = 0.0
    """Milliseconds from when the request left until a stream brought its first text, thought or call; 0: none did."""
    elapsed: float = 0.0
    """Milliseconds from the request's first byte until its answer's last; 0: it is under way."""
    tries: int = 1
    """Of the call, by the relay; 1 without it."""
    streamed: bool = False
    """The client asked for a stream."""
    client: str = ""
    """The name of the client whose token the request brought."""
    program: str = ""
    """The client's program, as its User-Agent says (`wire.user_agents`); `""`: unknown."""
    tag: str = ""
    """What its client, or a plug-in, calls it for `hunyuan_model_map` (`x-hunyuan-tag`), in lower case."""
    kind: str = ""
    """Which kind of call it is (`model_map.kinds`): `main`, `subagent`, `helper`, `embeddings`; `""`: nobody knows."""
    comment: str = ""
    """What the addon wrote into the flow's comment last. Another comment is the user's own."""
    limits: dict[str, str] = field(default_factory=dict)
    """Headers that tell this client how much of its limits is left."""
    tokens: int = 0
    """Used by the exchange, as its answer says; 0 where it doesn't."""
    usage: dict[str, int] = field(default_factory=dict)
    """What the answer says that it used: `input` tokens, the `cached` ones of them, `output` tokens, the `reasoning`
    ones of them. What it doesn't say is absent (`wire.usage`)."""
    mode: str = "repair"
    """`repair`, `observe` or `off`."""
    language: str = ""
    """Of the texts that were put into the request."""
    rewritten: bool = False
    """The request left with another body than it came with."""
    original: bytes | None = None
    """The body that a rewritten request came with, without content coding; `None` if it is too large to keep."""
    stream_cut: bool = False
    """Only the beginning of the streamed answer was kept."""
    warning: str = ""
    failure: str = ""
    """Why the client got an error, for the log: its code and a short reason, of at most 80 characters, without any word
    of a conversation. `""`: it got none."""
    error: str = ""
    """The code by which that error is counted, of a closed list (`wire.noted_errors.CODES`). `""`: it got none."""
    error_status: int = 0
    """The status that its error means, where the client's format hides it (Tencent Cloud's SDKs want 200); 0: the
    answer's own."""
    left: bool = False
    """The client left before the end of its answer."""
    json_said: str = ""
    """What came of an answer that was to be JSON, as the response header `x-hunyuan-json` says it; `""`: it was not."""
    fallback: str = ""
    """What has answered in the place of its own model, `MODEL@PROVIDER`, or that none has; `""`: its own has."""
    answered: bool = False
    """The answer was made here."""
    kept: bool = False
    """The answer is kept under its id (`hunyuan_keep`)."""
    written: bool = False
    """The exchange is over and its line is in the log."""
    notes: dict[str, JsonObject] = field(default_factory=dict)
    """What a step or a dialect must remember until the answer, by its name. Plain data."""

    # While the exchange is under way; never saved.
    id: str = ""
    """Its flow's."""
    listener: Callable[[Exchange, str, JsonObject], None] | None = None
    """What hears the events (`observe.events`); `None`: nothing does."""
    chat: JsonObject = field(default_factory=dict)
    """The request in the house language, Chat Completions or an embeddings request; empty once it has been repaired."""
    size: int = 0
    """Bytes of the JSON that came."""
    cost: int = 0
    """What working on `chat` costs, as `Workers` counts it."""
    may_hold_images: bool = True
    """`False` where a search has found no image in `chat`."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """The request's headers."""
    lent: bool = False
    """It goes with the proxy's own key."""
    claim: Any = None
    """What its client's signature claims, until its body is there (`hooks.signed_clients.Pending`)."""
    borrows: bool = False
    """Its client may be lent keys: the addon's own calls to endpoints that it didn't name go with those."""
    secrets: list[bytes] = field(default_factory=list, repr=False)
    """The proxy's own keys that went with calls for it: what its client gets has stars in their place (`masked`)."""
    elsewhere: bool = False
    """It goes to an endpoint of the user's for calls of its kind, in the place of the one that its client named."""
    caller: bytes = b""
    """A digest of what the caller authenticates with: what is kept for it is for no other."""
    query: str = ""
    """The query of the request's target."""
    came: int = 0
    """Python's hash of the JSON that came: the same for the same bytes, in this process; 0: not known."""
    mapped: Any = None
    """The row of `hunyuan_model_map` that was chosen for it (`model_map.choosing`); `None`: no table."""
    json_wish: str = ""
    """What its client asks for in the header `x-hunyuan-json`; `""`: nothing."""
    cache_wish: str = ""
    """What its client asks for in the header `x-hunyuan-cache` (`kept.cache_wish`); `""`: nothing."""
    run_wish: str = ""
    """The run that its client says it belongs to, in the header `x-hunyuan-run`; `""`: none."""
    fetching: Any = None
    """What is known of a request whose answer is to be kept (`steps.answer_cache.Fetching`), until it is."""
    given_again: bool = False
    """Its answer was given before, and costs nothing."""
    lookup: Any = None
    """The texts of an embeddings request, and the vectors that are known (`embeddings.known.Lookup`)."""
    answer_headers: dict[str, str] = field(default_factory=dict)
    """Headers of its answer that steps have put there."""
    continue_wish: str = ""
    """What its client asks for in the header `x-hunyuan-continue`; `""`: nothing."""
    rounds: Any = None
    """How far its answer is continued where that is cut (`answers.rounds.wanted`); `None`: it isn't."""
    json: Any = None
    """What is asked of its answer (`answers.json_repair.asked`), and what came of it; `None`: nothing is."""
    put_back: Any = None
    """Which placeholders stand for which values of its request (`masking.put_back.PutBack`); `None`: nothing was
    looked for."""
    is_over_budget: bool = False
    """A budget refuses it, even where its client asked for `observe`."""
    lasting: str = ""
    """What of `warning` is true whichever model answers: what steps have said that run `once`."""
    stays: bool = False
    """Its client wants its own model or an error (`x-hunyuan-fallback: off`)."""
    may_run_on: bool = False
    """Its client said that it may go on as long as it likes (`x-hunyuan-runaway: off`)."""
    to_keep: Any = None
    """The request whose answer is to be kept, until it is (`steps.keep_answers`)."""
    prompt: Any = None
    """What is known of its prompt until the answer is there (`steps.prompt_cache`)."""
    to_hear: Any = None
    """The conversation whose answer is heard, until it is over (`steps.reasoning_memory`)."""
    plan: AnswerPlan = field(default_factory=AnswerPlan)
    """What must be undone in the answer."""
    demands: Any = None
    """What the rules hold the body against (`rules.base.RuleContext`), once a step has asked for it."""
    taught: Any = None
    """What the endpoint has taught beside its profile (`mending.learnt.Taught`)."""
    change_count: int = 0
    """All changes, also those past `MAX_CHANGES`."""
    trace: Any = None
    """Its trace (`wire.trace_context.Trace`); `None`: traces are off."""
    answer_facts: JsonObject = field(default_factory=dict)
    """What its answer says of itself (`wire.answer_facts`), where its trace is exported."""
    doing: str = ""
    """What it waits for: `DESCRIBED`, `QUEUED`; `""`: neither."""
    since: float = 0.0
    """Since when, in Unix time."""
    called: float = 0.0
    """Milliseconds of `milliseconds` in which steps waited for calls of the addon's own (`calling`)."""
    lists_models: bool = False
    """The answer is a list of models, to be given in the form of `spoken`."""
    listed_model: str = ""
    """The id of the one model of it that the client asks for; `""` for all."""
    names_models: bool = False
    """The answer is a list of models, which passes unchanged."""
    offered: tuple[str, ...] = ()
    """The ids of models that the client's key has, where it was refused and a list has passed."""
    error_language: str = "en"
    """In which the proxy's errors are said to the client."""
    fails_closed: bool = False
    """The body that came must not leave: its model can't see its images, or the upstream doesn't speak its format."""
    sent_to: str = ""
    """The host that its request was sent to last; `""`: it has not left."""
    began: int = 0
    """The status with which its endpoint's answer began; 0: none did."""
    summed: dict[str, int] = field(default_factory=dict)
    """What of `usage` belongs to calls that were told of apart (`events.PAID`)."""
    wasted: Wasted | None = None
    """What the last try used whose answer could not be used; `None`: there is none, or it was told of."""
    estimated: int = 0
    """Tokens of its input, estimated; 0: nobody has."""
    page: Any = None
    """What is noted of it for the page until it is over (`hooks.keep_content.Begun`); `None`: nothing is."""
    wants_usage: bool = False
    """What its stream uses has to be known, such as for a budget: it is asked for where the endpoint tells it then."""

    @property
    def has_placeholders(self) -> bool:
        """Whether its answer may have placeholders, which must not reach the client.

        Also where its request left without one: the model may remember one.
        """
        return self.put_back is not None

    def tell(self, kind: str, /, **data: Any) -> None:
        """Tell an event (`observe.events`): what happens to the exchange now, in names and numbers. Raises nothing."""
        if self.listener is not None:
            self.listener(self, kind, data)

    def use_key(self, key: str) -> None:
        """Take note that a call for it goes with `key`, one of the proxy's own: with all of it, and with each part."""
        for part in (key, *(key.split("|") if "|" in key else ())):
            secret = part.encode()
            if len(secret) >= _SHORTEST_SECRET and secret not in self.secrets:
                self.secrets.append(secret)

    def warn(self, text: str) -> None:
        """Say something to the client in a header of its answer, beside what was said before."""
        self.warning = f"{self.warning}; {text}" if self.warning else text

    def masked(self, data: bytes) -> bytes:
        """`data` with stars in the place of `secrets`, of the same length: some endpoints quote a key they refuse."""
        for secret in self.secrets:
            if data.find(secret) >= 0:  # not `in`, which takes ten times as long for bytes
                data = data.replace(secret, b"*" * len(secret))
        return data

    @contextmanager
    def calling(self) -> Iterator[None]:
        """Count the time within as waited for calls of the addon's own, also where that ends early."""
        began = perf_counter()
        try:
            yield
        finally:
            self.called += 1000 * (perf_counter() - began)

    def note(self, changes: Iterable[Change]) -> None:
        """Add `changes` and the names of their rules."""
        if not changes:
            return  # as of most steps
        noted = changes if type(changes) is Changes else Changes(changes)
        self.change_count += len(noted)
        for rule in noted.rules():
            self.note_name(rule)
        if len(self.changes) < MAX_CHANGES:
            self.changes += noted[: MAX_CHANGES - len(self.changes)]

    def noted(self) -> tuple[int, int, int]:
        """How much is noted by now, for `forget`."""
        return len(self.rules), len(self.changes), self.change_count

    def forget(self, noted: tuple[int, int, int]) -> None:
        """Take back what was noted since `noted()`: the request leaves, or is answered, without those changes."""
        rules, changes, self.change_count = noted
        del self.rules[rules:]
        self.changes = self.changes[:changes]

    def note_name(self, rule: str) -> None:
        """Add the name of one rule."""
        if rule not in self.rules:
            self.rules.append(rule)

    def note_of(self, name: str) -> JsonObject:
        """The note of the step or the dialect `name`, empty at first."""
        return self.notes.setdefault(name, {})

    def to_plain(self) -> JsonObject:
        """The exchange as plain data, without what is needed only while it is under way."""
        plain = dict(zip(_SAVED, _saved_of(self), strict=True))
        plain["changes"] = self.changes.to_plain()
        plain["notes"] = _printable(self.notes)
        return plain

    @classmethod
    def from_plain(cls, plain: object) -> Exchange | None:
        """The exchange that `to_plain` wrote, in this version or another; `None` if `plain` is none.

        A field that is missing, or of another type than this version writes, has its default.
        """
        if not isinstance(plain, Mapping):
            return None
        exchange = cls()
        given = {_RENAMED.get(key, key): value for key, value in plain.items()}
        for name in _SAVED:
            if name == "changes":
                continue
            wanted = bytes if name == "original" else type(getattr(exchange, name))
            if type(given.get(name)) is wanted:
                setattr(exchange, name, given[name])
        exchange.rules = [rule for rule in exchange.rules if isinstance(rule, str)]
        exchange.usage = {name: count for name, count in exchange.usage.items() if type(count) is int and count >= 0}
        changes = given.get("changes")
        exchange.changes = Changes(
            Change(*change) for change in (changes if isinstance(changes, list) else ()) if _is_change(change)
        )
        return exchange


_UNDER_WAY = (
    "id",
    "listener",
    "chat",
    "size",
    "cost",
    "may_hold_images",
    "headers",
    "lent",
    "claim",
    "borrows",
    "secrets",
    "elsewhere",
    "caller",
    "query",
    "came",
    "mapped",
    "json_wish",
    "cache_wish",
    "run_wish",
    "fetching",
    "given_again",
    "lookup",
    "answer_headers",
    "continue_wish",
    "rounds",
    "json",
    "put_back",
    "is_over_budget",
    "lasting",
    "stays",
    "may_run_on",
    "to_keep",
    "prompt",
    "to_hear",
    "plan",
    "demands",
    "taught",
    "change_count",
    "trace",
    "answer_facts",
    "doing",
    "since",
    "lists_models",
    "listed_model",
    "names_models",
    "offered",
    "error_language",
    "fails_closed",
    "sent_to",
    "began",
    "summed",
    "wasted",
    "estimated",
    "page",
    "wants_usage",
)
_SAVED = tuple(name for name in Exchange.__slots__ if name not in _UNDER_WAY)
_saved_of = attrgetter(*_SAVED)
_RENAMED = {"endpoint": "dialect"}
"""Fields of flows that older versions saved."""


def _is_change(value: object) -> bool:
    return isinstance(value, list) and len(value) == 3 and all(isinstance(text, str) for text in value)


MOST_TOKENS: Final = 2**53
"""Larger numbers are no counts."""


def tokens_used(usage: object) -> int:
    """The sum that an answer's `usage` gives; 0 where it gives none."""
    if not isinstance(usage, dict):
        return 0
    counts = [usage.get(key) for key in ("total_tokens", "prompt_tokens", "completion_tokens")]
    total, prompt, completion = (count if type(count) is int and 0 < count < MOST_TOKENS else 0 for count in counts)
    return total or prompt + completion


def _printable(value: Any) -> Any:
    """Plain data whose texts are all `printable`."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict):
        return {printable(key): _printable(item) for key, item in value.items()}
    return [_printable(item) for item in value] if isinstance(value, list) else value


def printable(text: str) -> str:
    """`text` without lone surrogates, which no flow file can hold: they are written as escapes."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()
