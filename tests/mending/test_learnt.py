"""What refusals have taught: kept by place, bounded, forgotten in time."""

from __future__ import annotations

from dataclasses import dataclass

from hunyuan_fix import profiles
from hunyuan_fix.mending.learnt import AVOIDED_FOR, KEPT_FOR, MOST, Learnt, Place, Taught
from hunyuan_fix.mending.reading import Reading
from hunyuan_fix.profiles import Model
from hunyuan_fix.profiles.overlay import Overlay

NATIVE = profiles.load("tokenhub").native["anthropic"]


@dataclass(slots=True)
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def place(model: str = "m", format_: str = "chat", host: str = "h", profile: str = "tokenhub") -> Place:
    return Place(profile, host, model, format_)


def lesson(model: Overlay, native: Overlay | None = None) -> Reading:
    return Reading("field", "a field isn't known", model, native or {})


def test_lessons_add_up_and_are_of_one_place():
    learnt = Learnt()
    learnt.keep(place(), lesson({"refused": ["seed"], "values": {"a": 1}}))
    learnt.keep(place(), lesson({"refused": ["top_k"], "values": {"b": 2}, "output": 5}))
    model = learnt.model(place(), Model("m", refused=frozenset({"n"})))
    assert model.refused == {"n", "seed", "top_k"}
    assert model.values == {"a": 1, "b": 2}
    assert model.output == 5
    for other in (place("m2"), place(format_="anthropic"), place(host="h2"), place(profile="tokenhub-plan")):
        assert learnt.model(other, Model("x")) == Model("x")


def test_an_hour_after_the_first_lesson_all_is_forgotten():
    clock = Clock()
    learnt = Learnt(clock)
    learnt.keep(place(), lesson({"output": 5}))
    clock.now += KEPT_FOR - 1
    learnt.keep(place(), lesson({"refused": ["seed"]}))
    assert learnt.model(place(), Model("m")).output == 5
    assert (len(learnt), len(learnt.listing())) == (1, 1)
    clock.now += 1
    assert (len(learnt), learnt.listing()) == (0, [])
    assert learnt.model(place(), Model("m")) == Model("m")
    learnt.keep(place(), lesson({"refused": ["seed"]}))
    assert learnt.model(place(), Model("m")).output is None


def test_it_is_bounded_and_the_one_not_asked_for_goes_first():
    learnt = Learnt()
    for number in range(MOST):
        learnt.keep(place(f"m{number}"), lesson({"output": 1}))
    learnt.model(place("m0"), Model("m0"))
    learnt.keep(place("one more"), lesson({"output": 1}))
    assert len(learnt) == MOST
    assert learnt.model(place("m0"), Model("m0")).output == 1
    assert learnt.model(place("m1"), Model("m1")).output is None
    learnt.keep(place("x" * 1000), lesson({"output": 1}))
    assert learnt.model(place("x" * 1000), Model("x")).output is None
    for number in range(MOST + 10):
        learnt.avoid(place(f"m{number}"), "output=1")
    assert not learnt.avoided(place("m0"))
    assert learnt.avoided(place(f"m{MOST}"))


def test_what_did_not_help_is_avoided_for_a_while():
    clock = Clock()
    learnt = Learnt(clock)
    learnt.avoid(place(), "output=5")
    assert list(learnt.avoided(place())) == ["output=5"]
    assert not learnt.avoided(place("m2"))
    clock.now += AVOIDED_FOR
    assert not learnt.avoided(place())


def test_an_exchange_sees_its_endpoint_and_its_trial():
    learnt = Learnt()
    taught = Taught(learnt, "tokenhub", "h")
    learnt.keep(taught.place("m", "chat"), lesson({"output": 5}))
    learnt.keep(taught.place("m", "anthropic"), lesson({}, {"refused": ["x"]}))
    assert taught.model(Model("m"), "chat").output == 5
    assert "x" in taught.native(NATIVE, "m", "anthropic").refused
    assert taught.native(NATIVE, "m", "responses") == NATIVE
    taught.trial = Reading("field", "", {"refused": ["seed"]}, {"refused": ["y"], "adaptive_thinking": True})
    assert taught.model(Model("m"), "chat").refused == {"seed"}
    native = taught.native(NATIVE, "m", "anthropic")
    assert {"x", "y"} <= set(native.refused)
    assert native.adaptive_thinking


def test_the_listing_names_host_model_and_what():
    learnt = Learnt()
    taught = {"values": {"temperature": 0.6}, "thinking": {"can_be_off": False}}
    learnt.keep(place(host="api.moonshot.cn"), lesson(taught))
    learnt.keep(place("m2", "anthropic"), lesson({}, {"models": []}))
    assert learnt.listing() == [
        "  h m2 (anthropic): translated",
        "  api.moonshot.cn m (chat): values.temperature=0.6, thinking.can_be_off=false",
    ]
