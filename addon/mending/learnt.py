"""What refusals have taught of the models at each endpoint: kept where the mended try succeeded, forgotten in an hour.

In this process alone, also where stores are shared: a worker learns by one refused call, and what is learnt is never
older than the endpoint's own data. For the event loop only.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final, NamedTuple

from ..profiles import Model, Native, over
from ..profiles.overlay import Overlay, merged, native_over
from ..wire import safe_text
from .reading import Reading

KEPT_FOR: Final = 3600.0
"""Seconds from the first lesson of a model on: then the endpoint may say it once more."""
AVOIDED_FOR: Final = 600.0
"""Seconds in which a mending that didn't help isn't tried again."""
MOST: Final = 500
"""Models of which something is kept; the one that was asked for longest ago goes first."""
_LONGEST_ID: Final = 200


class Place(NamedTuple):
    """What a lesson is about: a model at an endpoint, in the format of its requests."""

    profile: str
    host: str
    model: str
    format: str


@dataclass(slots=True)
class _Lesson:
    model: Overlay
    native: Overlay
    said: tuple[str, ...]
    until: float


class Learnt:
    """All that was learnt. `clock`: seconds, never going back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lessons: OrderedDict[Place, _Lesson] = OrderedDict()
        self._vain: OrderedDict[tuple[Place, str], float] = OrderedDict()
        """Mendings that didn't help, by what was said of them -> until when they aren't tried."""

    def keep(self, place: Place, helped: Reading) -> None:
        """Keep what helped, beside what is known of the place."""
        if len(place.model) > _LONGEST_ID:
            return
        known = self._at(place) or _Lesson({}, {}, (), self._clock() + KEPT_FOR)
        said = tuple(dict.fromkeys([*known.said, helped.said]))
        model, native = merged(known.model, helped.overlay), merged(known.native, helped.native)
        self._lessons[place] = _Lesson(model, native, said, known.until)
        while len(self._lessons) > MOST:
            self._lessons.popitem(last=False)

    def avoid(self, place: Place, said: str) -> None:
        """Don't try for a while what didn't help."""
        if len(place.model) > _LONGEST_ID:
            return
        self._vain[place, said] = self._clock() + AVOIDED_FOR
        self._vain.move_to_end((place, said))
        while len(self._vain) > MOST:
            self._vain.popitem(last=False)

    def avoided(self, place: Place) -> Collection[str]:
        """What didn't help at a place lately."""
        now = self._clock()
        return [said for (at, said), until in self._vain.items() if at == place and until > now]

    def _at(self, place: Place) -> _Lesson | None:
        lesson = self._lessons.get(place)
        if lesson is None:
            return None
        if lesson.until <= self._clock():
            del self._lessons[place]
            return None
        self._lessons.move_to_end(place)
        return lesson

    def model(self, place: Place, known: Model) -> Model:
        """`known` with what was learnt."""
        lesson = self._at(place) if self._lessons else None
        return over(known, lesson.model) if lesson else known

    def native(self, place: Place, known: Native) -> Native:
        """`known` with what was learnt."""
        lesson = self._at(place) if self._lessons else None
        return native_over(known, lesson.native) if lesson else known

    @property
    def is_empty(self) -> bool:
        """Whether nothing is known of any place."""
        return not self._lessons

    def listing(self) -> list[str]:
        """A line for each place, the latest asked for first: host, model, format, and what was learnt."""
        now, lines = self._clock(), []
        for place, lesson in reversed(self._lessons.items()):
            if lesson.until > now:
                model = safe_text.plain(place.model)
                lines.append(f"  {place.host} {model} ({place.format}): {', '.join(lesson.said)}")
        return lines

    def __len__(self) -> int:
        """How many models something is known of."""
        now = self._clock()
        return sum(lesson.until > now for lesson in self._lessons.values())


def is_again(taught: object) -> bool:
    """Whether a request that was refused is repaired again, with what an exchange is `taught`."""
    return isinstance(taught, Taught) and taught.trial is not None


class Taught:
    """For one exchange: what its endpoint has taught, and what is being tried."""

    __slots__ = ("_host", "_learnt", "_profile", "trial")

    def __init__(self, learnt: Learnt, profile: str, host: str) -> None:
        self._learnt = learnt
        self._profile = profile
        self._host = host
        self.trial: Reading | None = None
        """What is held against the request that is sent once more."""

    def place(self, model: str, format_: str) -> Place:
        """The place of the exchange's requests to `model` in the format `format_`."""
        return Place(self._profile, self._host, model, format_)

    def model(self, known: Model, format_: str) -> Model:
        """`known`, a model of the profile's, as it is at this endpoint."""
        if self.trial is None and self._learnt.is_empty:
            return known  # as for most requests
        model = self._learnt.model(self.place(known.id, format_), known)
        return over(model, self.trial.overlay) if self.trial else model

    def native(self, known: Native, model: str, format_: str) -> Native:
        """`known`, what the profile says of the format `format_`, as it is at this endpoint."""
        native = self._learnt.native(self.place(model, format_), known)
        return native_over(native, self.trial.native) if self.trial else native
