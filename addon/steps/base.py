"""What a step is: one thing done to every exchange: to its request, to its answer, at its end.

To add a behaviour, write a `Step` in a file beside this one and add it to `pipeline.STEPS`. What it must remember until
the answer is plain data in `exchange.notes[name]`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from ..access.call_keys import CallKeys
from ..answer_cache.kept import CachedAnswers
from ..answer_cache.recordings import Recordings
from ..answers.heard import Listener
from ..budgets.spending import Spending
from ..cascade import Cascade
from ..embeddings.vectors import KeptVectors
from ..exchange import Exchange, JsonObject, Outcome, Response
from ..kept.answers import KeptAnswers
from ..kept.reasoning import KeptReasoning
from ..masking.masked import CleanTexts
from ..masking.placeholders import Placeholders
from ..observe.metrics import Metrics
from ..observe.prompt_cache import PromptCacheLedger
from ..options import Settings
from ..plugins.failures import Failures
from ..runaway.memory import RunawayMemory
from ..stores import Chain
from ..upstream.chat_calls import ChatCalls
from ..upstream.embedding_batches import EmbeddingBatches
from ..workers import Workers

__all__ = ["PATIENCE", "Outcome", "Step", "StepRuntime"]


class StepRuntime(Protocol):
    """The part of the runtime that steps may use. It outlives a change of options."""

    @property
    def workers(self) -> Workers:
        """Threads for work that would keep other clients waiting."""

    @property
    def cascade(self) -> Cascade:
        """Images to text."""

    @property
    def metrics(self) -> Metrics:
        """The counters and gauges: `self.runtime.metrics.add(COUNTER, 1, …)` (`observe.metrics`)."""

    @property
    def batches(self) -> EmbeddingBatches:
        """Sends an embeddings request as several calls."""

    @property
    def chat_calls(self) -> ChatCalls:
        """Sends chat requests, for a step that answers by itself."""

    @property
    def call_keys(self) -> CallKeys:
        """The keys of calls to endpoints that the client didn't name."""

    @property
    def chain(self) -> Chain:
        """The stores, for values that outlive an exchange: `Kept(self.runtime.chain, codec)` (`stores.kept`)."""

    @property
    def kept(self) -> KeptAnswers:
        """The answers that a later request may refer to by id."""

    @property
    def prompt_cache(self) -> PromptCacheLedger:
        """The last turns of sessions, to tell what broke their cache."""

    @property
    def runaway(self) -> RunawayMemory:
        """What agents did that their requests no longer show."""

    @property
    def answers(self) -> CachedAnswers:
        """Answers that were given before."""

    @property
    def recordings(self) -> Recordings:
        """The run of an agent that is recorded, or answered from its recording."""

    @property
    def vectors(self) -> KeptVectors:
        """The vectors of texts that were asked for before."""

    @property
    def placeholders(self) -> Placeholders:
        """Makes what stands for masked values."""

    @property
    def clean_texts(self) -> CleanTexts:
        """Texts that have nothing to mask."""

    @property
    def spending(self) -> Spending:
        """What calls may use of budgets, and have used."""

    @property
    def reasoning(self) -> KeptReasoning:
        """What models thought, by the turns of conversations."""

    @property
    def plugin_failures(self) -> Failures:
        """What plug-ins raise."""


PATIENCE = 110.0
"""Seconds after a request came in by which it must be sent on: clients drop a silent upstream after 120
(docs/facts/clients.md#timeouts)."""


class Step:
    """One thing done to every exchange. A step overrides the methods that it needs.

    A step is made anew for each set of options. If `request` raises, the request leaves unchanged, or is refused where
    `exchange.fails_closed`. If `answer` or `chunk` raises, that is logged and the answer passes.
    """

    name = ""
    again = False
    """It looks at the model's data: where a refusal has taught of that, it runs over what it has made before."""
    once = False
    """It counts or reserves something for the exchange: it isn't run again where that goes to another endpoint."""
    names_model = False
    """It says which model answers. Where that is a fallback's, it is put in after this step."""
    offer = ""
    """The tool of a vendor's that this step gives to models that have none (`dialects.searching`); `""`: none."""

    def __init__(self, settings: Settings, runtime: StepRuntime) -> None:
        self.settings = settings
        self.runtime = runtime

    def does(self, method: str) -> bool:
        """Whether it overrides `method`, so that it is to be called."""
        return getattr(type(self), method) is not getattr(Step, method)

    async def received(self, exchange: Exchange, body: JsonObject) -> JsonObject | Response:
        """The body to translate for `body`, a request in another format than the house language.

        A response ends the request. Raises `BadRequest`.
        """
        return body

    async def request(self, exchange: Exchange) -> Response | None:
        """Change `exchange.chat`. A response ends the request: the steps before this one see it as the answer."""
        return None

    def makes_calls(self, exchange: Exchange) -> bool:
        """Whether `request` would answer the request itself, with calls to its endpoint."""
        return False

    def answer(self, exchange: Exchange, answer: JsonObject) -> bool:
        """Change a whole answer in place. Returns whether it was changed."""
        return False

    def chunk(self, exchange: Exchange, chunk: JsonObject) -> Iterable[JsonObject]:
        """The chunks to send for one chunk of a stream: itself, changed or not, several, or none."""
        return (chunk,)

    def watches(self, exchange: Exchange) -> bool:
        """Whether `chunk` may do anything to the streamed answer of `exchange`: otherwise it isn't read for it."""
        return True

    def last_chunks(self, exchange: Exchange) -> Iterable[JsonObject]:
        """What `chunk` has held back of a stream that ends here, or has an error next."""
        return ()

    def waits(self, exchange: Exchange) -> bool:
        """Whether a stream that `chunk` has seen has to wait, before it may end, for `ask_again`."""
        return False

    async def ask_again(self, exchange: Exchange) -> None:
        """Called where a stream `waits`, or a whole answer isn't what was asked for: to ask the model once more."""

    def listener(self, exchange: Exchange) -> Listener | None:
        """What is told each chunk of a streamed answer, as its client gets it; `None`: this step needs none of them.

        Of an answer that stays in the endpoint's own format (`native`) it is told the events. It changes nothing. A
        stream without listeners isn't read as far as it needs no repair.
        """
        return None

    def complete(self, exchange: Exchange) -> None:
        """Called when the whole answer is in the client's format and before the client has its end, perhaps again."""

    def done(self, exchange: Exchange, outcome: Outcome) -> None:
        """Called when the exchange is over, however it ended: to count it, keep it, or release what was held."""
