"""What models thought, kept by the turns that they thought it for: for clients that don't send it back.

A thought is kept once, under its own digest, and found by the digests of its turn (`turns.Keys`), all of them by
caller. The digests of a turn don't tell it from every other. They are asked in this order, and one that met two
different thoughts says nothing, unless no other is left:

1. `exact`: the same turn after the same conversation. The last thought counts.
2. `place`: the same but for system texts and ids, which clients write anew.
3. `calls`: the same calls by the same ids, wherever they stand. Endpoints that count (`functions.Bash:0`) give the same
   id again and again: short calls by such an id need the same first words of the conversation, too.
4. `alone`: the same turn after the same words. Neither of these two counts for turns of one history that share it.
5. `place` once more, and the last thought counts: the turn is as good as the same.

What was found by a later digest is kept under `exact`, too. So a turn keeps its thought when another conversation
comes upon the same digests, and a longer history begins with the same bytes.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from cachetools import LRUCache, TTLCache

from ..exchange import JsonObject
from ..stores import Chain
from ..stores.kept import Kept
from ..wire import json_body
from . import KeepSettings, turns
from .answers import LARGEST_SHARE
from .turns import SIZE, Keys, Part, Turn

_WRITING: Final = 0.15
"""Seconds in which a worker has written what it keeps into the store, nearly always."""
_TOGETHER: Final = 250
"""Keys that a store is asked for at a time: more would keep others waiting there."""
_MOST_TURNS: Final = 1000
"""Turns of one history that are looked for, the last ones: each may be asked of a store."""
_MOST_UNKNOWN: Final = 20_000
_UNKNOWN_SECONDS: Final = 60.0
_MOST_OF_AN_ID: Final = 16
"""Answers that have the same id: some endpoints have one for all."""
_MOST_FIELDS: Final = 1000
"""Endpoints' models of which the field of reasoning is known."""


@dataclass(frozen=True, slots=True)
class Thought:
    """What a model thought for one turn."""

    text: str
    host: str = ""
    """Whose answer it was in, as is `model`."""
    model: str = ""
    blocks: Sequence[JsonObject] = ()
    """What it was in, where a format has more than a text: signatures, sealed texts (`heard.HeardTurn.blocks`)."""


class _ThoughtCodec:
    prefix = "thought:"

    def dump(self, value: Thought) -> bytes:
        blocks = {"blocks": list(value.blocks)} if value.blocks else {}
        return json_body.serialise({"text": value.text, "host": value.host, "model": value.model, **blocks})

    def load(self, data: bytes) -> Thought | None:
        match json_body.parse_object(data):
            case {"text": str(text), "host": str(host), "model": str(model), **rest}:
                blocks = rest.get("blocks")
                listed = blocks if isinstance(blocks, list) else []
                return Thought(text, host, model, tuple(block for block in listed if isinstance(block, dict)))
        return None


class _DigestsCodec:
    """Digests of thoughts: the last one, and the one before it where that was another."""

    prefix = "thought-of:"

    def dump(self, value: tuple[bytes, ...]) -> bytes:
        return b"".join(value)

    def load(self, data: bytes) -> tuple[bytes, ...] | None:
        if len(data) not in (SIZE, 2 * SIZE):
            return None
        return tuple(data[start : start + SIZE] for start in range(0, len(data), SIZE))


class _OwnersCodec:
    """Keys of thoughts, with their callers."""

    prefix = "thought-by:"

    def dump(self, value: tuple[bytes, ...]) -> bytes:
        return b"".join(value)

    def load(self, data: bytes) -> tuple[bytes, ...] | None:
        size = 2 * SIZE
        return None if len(data) % size else tuple(data[start : start + size] for start in range(0, len(data), size))


class KeptReasoning:
    """The thoughts of all callers. `chain`: where they are kept, which is `KeptAnswers`' with its bounds.

    `caller` is a digest of what a caller authenticates with (`access.keys.identity`).
    """

    def __init__(self, settings: KeepSettings, chain: Chain) -> None:
        self._settings = settings
        self._chain = chain
        self._thoughts: Kept[Thought] = Kept(chain, _ThoughtCodec())
        self._digests: Kept[tuple[bytes, ...]] = Kept(chain, _DigestsCodec())
        self._owners: Kept[tuple[bytes, ...]] = Kept(chain, _OwnersCodec())
        """The thoughts of the answers of an id, whoever has them, for `forget_id`."""
        self._fields: LRUCache[tuple[str, str], str] = LRUCache(_MOST_FIELDS)
        self._unknown: TTLCache[bytes, bool] = TTLCache(_MOST_UNKNOWN, _UNKNOWN_SECONDS)
        """Turns, by `exact`, that no store knew: each request of a conversation brings all of them again."""

    def configure(self, settings: KeepSettings) -> None:
        """Use `settings` from now on."""
        self._settings = settings

    @property
    def is_on(self) -> bool:
        """Whether thoughts are kept."""
        return self._settings.keep != "off"

    @property
    def largest(self) -> int:
        """Characters that an answer may have to be kept."""
        return self._settings.keep_bytes // LARGEST_SHARE

    # The field that an endpoint's model has its reasoning in

    def field(self, host: str, model: str) -> str:
        """The field that the last answers of `model` at `host` had reasoning in; `""`: none is known."""
        known: str = self._fields.get((host, model), "")
        return known

    def learn_field(self, host: str, model: str, field: str) -> None:
        """Remember that an answer had its reasoning in `field`."""
        self._fields[host, model] = field

    # Thoughts

    def keep(self, caller: bytes, keys: Keys, thought: Thought, ids: Iterable[str] = ()) -> bool:
        """Keep the thought of a turn. `ids`: those of its answer. Returns whether it isn't too large."""
        if not self.is_on:
            return False
        written = _ThoughtCodec().dump(thought)
        if len(written) > self.largest:
            return False
        digest = turns.digest(written)
        self._thoughts.put(caller + digest, thought, self._settings.keep_ttl)
        self._unknown.pop(caller + keys.exact, None)
        for key in (keys.exact, keys.place, keys.alone, *keys.calls):
            self._note(caller + key, digest)
        for id in ids:
            owners = dict.fromkeys((*(self._owners.at_hand(_id_key(id)) or ()), caller + digest))
            self._owners.put(_id_key(id), tuple(owners)[-_MOST_OF_AN_ID:], self._settings.keep_ttl)
        return True

    def _note(self, key: bytes, digest: bytes) -> None:
        """Note that the turn of `key` has a thought. Another one that it had is remembered."""
        known = self._digests.at_hand(key) or ()
        others = tuple(other for other in known if other != digest)
        self._digests.put(key, (digest, *others)[:2], self._settings.keep_ttl)

    async def found(self, caller: bytes, history: Sequence[Turn], *, newest: bool) -> dict[int, Thought]:
        """The thoughts of the messages that lack theirs, by the number of the message.

        `newest`: the last message of the assistant's is one of them. Another worker may have kept it just now.
        """
        if not self.is_on or not history:
            return {}
        looked = history[-_MOST_TURNS:]
        last = looked[-1] if newest else None
        wanted = [turn for turn in looked if turn is last or _exact(caller, turn) not in self._unknown]
        if last is not None and self._settings.keep == "store" and not await self._is_known(caller, last):
            await asyncio.sleep(_WRITING)
        found = await self._looked_up(caller, wanted)
        for turn in wanted:
            if not _is_found(turn, found):
                self._unknown[_exact(caller, turn)] = True
        return found

    async def _is_known(self, caller: bytes, turn: Turn) -> bool:
        """Whether a turn is known in its place: a digest of less may be that of an earlier turn."""
        keys = turn.keys
        return keys is None or bool(await self._digests.get_many((caller + keys.exact, caller + keys.place)))

    async def _looked_up(self, caller: bytes, history: Sequence[Turn]) -> dict[int, Thought]:
        # 1. The first digest of all turns; the others of those that it doesn't know; the thoughts that they name.
        asked = [keys for turn in history for keys in _all_keys(turn)]
        known = await _in_batches(self._digests, (caller + keys.exact for keys in asked))
        others = [keys for keys in asked if caller + keys.exact not in known]
        wanted = (caller + key for keys in others for key in (keys.place, keys.alone, *keys.calls))
        known |= await _in_batches(self._digests, wanted)
        for key in _repeated(history):
            known.pop(caller + key, None)
        chosen = {id(keys): _chosen(caller, keys, known) for keys in asked}
        named = dict.fromkeys(caller + digest for digests in chosen.values() for digest in digests)
        thoughts = await _in_batches(self._thoughts, named)

        # 2. Each message gets that of its turn. Where neighbours are several turns, each gets its own.
        found: dict[int, Thought] = {}
        for turn in history:
            whole = self._of(caller, turn.keys, chosen, thoughts)
            is_one = turn.keys is not None and len(chosen[id(turn.keys)]) == 1
            for part in turn.parts:
                if not part.lacks or not (part.has_calls or part is _last_of(turn)):
                    continue
                own = None if whole and is_one else self._of(caller, part.keys, chosen, thoughts)
                thought = own or whole
                if thought is not None:
                    found[part.number] = thought
        return found

    def _of(
        self,
        caller: bytes,
        keys: Keys | None,
        chosen: Mapping[int, tuple[bytes, ...]],
        thoughts: Mapping[bytes, Thought],
    ) -> Thought | None:
        """The thought of the turn of `keys`, which is noted under `exact`, too."""
        digests = chosen[id(keys)] if keys is not None else ()
        given = [thought for digest in digests if (thought := thoughts.get(caller + digest)) is not None]
        if keys is None or not given:
            return None
        if len(given) > 1:
            # Several turns in one message. What was signed was signed for each of them.
            return Thought("\n\n".join(thought.text for thought in given))
        exact = caller + keys.exact
        if (self._digests.at_hand(exact) or (b"",))[0] != digests[0]:
            self._digests.put(exact, digests[:1], self._settings.keep_ttl)
        return given[0]

    # For the command `hunyuan.forget`

    def forget_all(self) -> int:
        """Forget everything, in all stores. Returns how many thoughts were in memory."""
        self._digests.clear()
        self._owners.clear()
        return self._thoughts.clear()

    def forget_caller(self, caller: bytes) -> int:
        """Forget everything of one caller, in all stores. Returns how many thoughts were in memory."""
        self._digests.clear(caller)
        return self._thoughts.clear(caller)

    async def forget_id(self, id: str) -> bool:
        """Forget what was thought for the answer of this id, whoever has it. Returns whether anything was."""
        owners = await self._owners.get(_id_key(id))
        for key in owners or ():
            self._thoughts.delete(key)
        self._owners.delete(_id_key(id))
        return bool(owners)


def _id_key(id: str) -> bytes:
    return turns.digest(id.encode("utf-8", "surrogatepass"))


async def _in_batches[T](kind: Kept[T], keys: Iterable[bytes]) -> dict[bytes, T]:
    wanted = list(dict.fromkeys(keys))
    found: dict[bytes, T] = {}
    for start in range(0, len(wanted), _TOGETHER):
        found |= await kind.get_many(wanted[start : start + _TOGETHER])
    return found


def _all_keys(turn: Turn) -> list[Keys]:
    """The keys of a turn as a whole, and those of its messages, each once."""
    listed = [turn.keys, *(part.keys for part in turn.parts)]
    return list({id(keys): keys for keys in listed if keys is not None}.values())


def _repeated(history: Iterable[Turn]) -> Iterable[bytes]:
    """The digests of less than a conversation that several turns of one history have: they tell none of them."""
    seen = Counter(
        key for turn in history for key in {key for keys in _all_keys(turn) for key in (*keys.calls, keys.alone)}
    )
    return (key for key, times in seen.items() if times > 1)


def _exact(caller: bytes, turn: Turn) -> bytes:
    return caller + (turn.keys.exact if turn.keys is not None else b"")


def _is_found(turn: Turn, found: Mapping[int, Thought]) -> bool:
    return any(part.number in found for part in turn.parts)


def _last_of(turn: Turn) -> Part | None:
    """The message that gets the thought of a turn without calls."""
    if any(part.has_calls for part in turn.parts):
        return None
    return next((part for part in reversed(turn.parts) if part.keys is not None), None)


def _chosen(caller: bytes, keys: Keys, known: Mapping[bytes, tuple[bytes, ...]]) -> tuple[bytes, ...]:
    """The digests of the thoughts of a turn: several where its calls are those of several turns; empty for none."""

    def only(key: bytes) -> tuple[bytes, ...]:
        digests = known.get(caller + key, ())
        return digests if len(digests) == 1 else ()

    exact, place = known.get(caller + keys.exact, ()), known.get(caller + keys.place, ())
    if exact:
        return exact[:1]
    if len(place) == 1:
        return place
    of_calls = dict.fromkeys(digest for key in keys.calls for digest in only(key))
    return tuple(of_calls) or only(keys.alone) or place[:1]
