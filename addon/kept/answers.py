"""Kept answers and conversations, in memory and, where asked for, in the stores below it.

Each answer is kept with its own input and the id of the answer before it, so that a conversation takes memory for each
turn once. All is kept by caller: under the key of another caller an id is unknown. Names in the stores are digests.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from ..stores import Chain, Memory
from ..stores.kept import Kept
from ..wire import json_body
from . import KeepSettings

ENTRIES = 50_000
"""Values in memory at most: answers, conversations, and a small one for each output item and each answer's caller."""
TURNS = 1000
"""Answers that one conversation has at most."""
LARGEST_SHARE = 8
"""An answer with its input may take one eighth of the memory: larger ones would leave no room for others."""

_WRITING = 0.15
"""Seconds in which a worker has written what it keeps into the store, nearly always."""
_TOGETHER = 16
"""Answers that are read from the stores at a time: each may be as large as the largest that is kept."""
_DIGEST = 16
"""Bytes of a digest; ids are random, or chosen by a client for itself alone."""


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """One turn: its own input, and the answer to it, both as JSON."""

    before: str
    """The id of the answer that it continues; `""` for a first one."""
    input: bytes
    """A list of input items."""
    answer: bytes
    """The response object, with its output items; `{}` for items that were added to a conversation by themselves."""

    @property
    def size(self) -> int:
        """Bytes of its JSON."""
        return len(self.input) + len(self.answer)


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation: its head moves from answer to answer."""

    created_at: int
    metadata: Mapping[str, str] = field(default_factory=dict)
    last: str = ""
    """The id of its last answer; `""` for none yet."""
    deletions: int = field(default=0, compare=False)
    """How many conversations this process had deleted when it was read. Not kept."""


class NotKept(Exception):
    """No answer of the id `id` is kept for this caller."""

    def __init__(self, id: str) -> None:
        super().__init__()
        self.id = id


class TooLong(Exception):
    """A conversation has more turns, or more bytes, than may be read. Its text says which."""


class _AnswerCodec:
    """Three lines: serialised JSON has no line breaks."""

    prefix = "answer:"

    def dump(self, value: KeptAnswer) -> bytes:
        return b"\n".join((json_body.serialise(value.before), value.input, value.answer))

    def load(self, data: bytes) -> KeptAnswer | None:
        lines = data.split(b"\n")
        if len(lines) != 3:
            return None
        try:
            before = json_body.parse(lines[0])
        except json_body.InvalidJson:
            return None
        return KeptAnswer(before, lines[1], lines[2]) if isinstance(before, str) else None


class _ConversationCodec:
    prefix = "conversation:"

    def dump(self, value: Conversation) -> bytes:
        return json_body.serialise({"created_at": value.created_at, "metadata": value.metadata, "last": value.last})

    def load(self, data: bytes) -> Conversation | None:
        match json_body.parse_object(data):
            case {"created_at": int(created_at), "metadata": dict(metadata), "last": str(last)}:
                return Conversation(created_at, metadata, last)
        return None


class _ItemCodec:
    prefix = "answer-item:"

    def dump(self, value: str) -> bytes:
        return value.encode("utf-8", "surrogatepass")

    def load(self, data: bytes) -> str | None:
        return data.decode("utf-8", "replace")


class _CallerCodec:
    prefix = "answer-caller:"

    def dump(self, value: bytes) -> bytes:
        return value

    def load(self, data: bytes) -> bytes | None:
        return data


class KeptAnswers:
    """What is kept for each caller. `chain`: where; its bounds and its stores follow the options.

    `caller` is a digest of what a caller authenticates with (`access.keys.identity`).
    """

    def __init__(self, settings: KeepSettings, chain: Chain | None = None) -> None:
        self._settings = settings
        self.chain = chain or Chain(Memory(ENTRIES, settings.keep_bytes))
        self._answers: Kept[KeptAnswer] = Kept(self.chain, _AnswerCodec())
        self._conversations: Kept[Conversation] = Kept(self.chain, _ConversationCodec())
        self._items: Kept[str] = Kept(self.chain, _ItemCodec())
        """The id of the answer that an output item belongs to, by the item's id."""
        self._callers: Kept[bytes] = Kept(self.chain, _CallerCodec())
        """The callers who have an answer or a conversation of an id, for `forget_id`."""
        self._deletions = 0
        """How many times conversations were deleted."""

    def configure(self, settings: KeepSettings) -> None:
        """Use `settings` from now on. What is in memory is forgotten where nothing is to be kept any more."""
        self._settings = settings
        self.chain.memory.resize(ENTRIES, settings.keep_bytes)
        if not self.is_on:
            self.chain.memory.forget("")

    @property
    def is_on(self) -> bool:
        """Whether answers are kept."""
        return self._settings.keep != "off"

    @property
    def largest(self) -> int:
        """Bytes that an answer with its input may have."""
        return self._settings.keep_bytes // LARGEST_SHARE

    # Answers

    def keep(self, caller: bytes, id: str, kept: KeptAnswer, *, items: Iterable[str] = ()) -> bool:
        """Keep an answer under `id`. `items`: the ids of its output items. Returns whether it isn't too large."""
        if not self.is_on or kept.size > self.largest:
            return False
        lasts = self._settings.keep_ttl
        self._answers.put(_key(caller, id), kept, lasts)
        self._callers.put(_key(b"", id), caller, lasts)
        for item in items:
            self._items.put(_key(caller, item), id, lasts)
        return True

    async def answer(self, caller: bytes, id: str) -> KeptAnswer | None:
        """The answer of this id; `None`: there is none for this caller."""
        return await self._found(self._answers, _key(caller, id))

    async def history(self, caller: bytes, last: str, limit: int) -> list[KeptAnswer]:
        """The answer `last` and all before it, the first one first.

        Raises `NotKept` if one of them is missing, and `TooLong` if they have more than `limit` bytes or `TURNS` turns.
        """
        turns: list[KeptAnswer] = []
        size, id = 0, last
        while id:
            turn = await self.answer(caller, id)
            if turn is None:
                raise NotKept(id)
            size += turn.size
            if len(turns) == TURNS:
                raise TooLong(f"more than {TURNS} answers")
            if size > limit:
                raise TooLong(f"more than {limit} bytes")
            turns.append(turn)
            id = turn.before
        return turns[::-1]

    async def answers_with(self, caller: bytes, items: Iterable[str], limit: int) -> list[KeptAnswer]:
        """The answers that the output items of these ids belong to, each once. Unknown ids are left out.

        Raises `TooLong` if the answers have more than `limit` bytes.
        """
        if not self.is_on:
            return []
        ids = list(dict.fromkeys((await self._items.get_many(_key(caller, item) for item in items)).values()))
        answers: list[KeptAnswer] = []
        size = 0
        for start in range(0, len(ids), _TOGETHER):
            found = await asyncio.gather(*(self.answer(caller, id) for id in ids[start : start + _TOGETHER]))
            answers += [answer for answer in found if answer is not None]
            size += sum(answer.size for answer in found if answer is not None)
            if size > limit:
                raise TooLong(f"more than {limit} bytes")
        return answers

    def delete(self, caller: bytes, id: str) -> None:
        """Forget an answer."""
        self._answers.delete(_key(caller, id))

    # Conversations

    async def conversation(self, caller: bytes, id: str) -> Conversation | None:
        """The conversation of this id; `None`: there is none for this caller."""
        found = await self._found(self._conversations, _key(caller, id))
        return None if found is None else replace(found, deletions=self._deletions)

    async def _found[T](self, kind: Kept[T], key: bytes) -> T | None:
        if not self.is_on:
            return None
        found = await kind.fresh(key)
        if found is None and self._settings.keep == "store":
            # Another worker may have kept it just now: stores are written after the answer has left.
            await asyncio.sleep(_WRITING)
            found = await kind.fresh(key)
        return found

    def keep_conversation(self, caller: bytes, id: str, conversation: Conversation) -> None:
        """Keep a conversation under `id`, in place of what was kept there."""
        if self.is_on:
            self._conversations.put(_key(caller, id), conversation, self._settings.keep_ttl)
            self._callers.put(_key(b"", id), caller, self._settings.keep_ttl)

    def continue_conversation(
        self, caller: bytes, id: str, kept: KeptAnswer, *, to: tuple[str, Conversation], items: Iterable[str] = ()
    ) -> bool:
        """Keep an answer under `id`, as the next one of a conversation. Returns whether it isn't too large.

        `to`: the conversation's id, and the conversation as it was when the request came. The answer's place is after
        the one that is the last by now: two answers of a conversation may be under way. A conversation that has been
        deleted meanwhile stays so; one that had to make room in memory is put back.
        """
        conversation_id, read = to
        now = self._conversations.at_hand(_key(caller, conversation_id))
        if now is None and read.deletions == self._deletions:
            now = read
        if not self.keep(caller, id, replace(kept, before=(now or read).last), items=items):
            return False
        if now is not None:
            self.keep_conversation(caller, conversation_id, replace(now, last=id))
        return True

    async def settled(self) -> None:
        """Wait until other workers find what is kept by now, for a moment at most."""
        await self.chain.written()

    def delete_conversation(self, caller: bytes, id: str) -> None:
        """Forget a conversation. Its answers stay."""
        self._deletions += 1
        self._conversations.delete(_key(caller, id))

    # For the command `hunyuan.forget`

    def forget_all(self) -> int:
        """Forget everything, in all stores. Returns how many answers were in memory."""
        self._deletions += 1
        kinds = (self._conversations, self._items, self._callers)
        count = self._answers.clear()
        for kind in kinds:
            kind.clear()
        return count

    def forget_caller(self, caller: bytes) -> int:
        """Forget everything of one caller, in all stores. Returns how many answers were in memory."""
        self._deletions += 1
        count = self._answers.clear(caller)
        self._conversations.clear(caller)
        self._items.clear(caller)
        return count

    async def forget_id(self, id: str) -> bool:
        """Forget the answer or the conversation of this id, whoever has it. Returns whether there was one."""
        caller = await self._callers.get(_key(b"", id))
        if caller is None:
            return False
        self.delete(caller, id)
        self.delete_conversation(caller, id)
        self._callers.delete(_key(b"", id))
        return True


def _key(caller: bytes, id: str) -> bytes:
    return caller + hashlib.sha256(id.encode("utf-8", "surrogatepass")).digest()[:_DIGEST]
