"""Messages are followed from rule to rule: what stays, what is new, what is gone."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.exchange import MAX_CHANGES, Change
from hunyuan_fix.rules.places import INSERTED, MOST_RUNS, Moved, Track, matched, message_of


def said(*roles: str) -> list[dict[str, str]]:
    return [{"role": role} for role in roles]


def test_where_nothing_moves_nothing_is_noted() -> None:
    messages = said("user", "assistant")
    track = Track()
    track.follow(messages, list(messages), [Change("a", "/messages/1", "")])
    assert track.note(0) is None


def test_what_is_the_same_object_is_the_same_message_wherever_it_stands() -> None:
    a, b, c = said("user", "assistant", "user")
    assert matched([a, b, c], [c, a, b]) == ([1, 2, 0], [2, 0, 1])


def test_what_is_gone_is_where_the_message_before_it_is() -> None:
    a, b, c, d = said("user", "user", "user", "assistant")
    assert matched([a, b, c, d], [a, d]) == ([0, 0, 0, 1], [0, 3])


def speaking(*texts: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": text} for text in texts]


@pytest.mark.parametrize(
    ("before", "after", "sources", "forward"),
    [
        (["a"], ["[a]"], [0], [0]),  # in other words
        (["result", "go on"], ["result, reminder", "a bridge", "go on"], [0, INSERTED, 1], [0, 2]),
        (["a", "b", "c", "d"], ["a\n\nb", "c\n\nd"], [0, 2], [0, 0, 1, 1]),  # joined, twice
        (["x", "b", "c"], ["[b]", "[c]"], [1, 2], [0, 0, 1]),  # the first is gone
        (["a", "b", "c"], ["folded: a; b; c"], [0], [0, 0, 0]),
        (["a" * 900 + "rest"], ["else"], [INSERTED], [0]),
        (["<r>" * 300 + "r" * 300], ["r" * 300], [0], [0]),  # its beginning went elsewhere
        ([], ["new"], [INSERTED], []),
        (["a"], ["new"], [INSERTED], [0]),
    ],
)
def test_new_objects_are_the_messages_whose_texts_they_have(
    before: list[str], after: list[str], sources: list[int], forward: list[int]
) -> None:
    kept = {"role": "tool"}
    there, back = matched([*speaking(*before), kept], [*speaking(*after), kept])
    assert back == [*sources, len(before)]
    assert there == [*forward, len(after)]


def test_what_says_nothing_is_known_by_its_role_and_order() -> None:
    kept = {"role": "tool"}
    assert matched([*said("user", "user"), kept], [*said("user", "user"), kept])[1] == [0, 1, 2]
    assert matched([*said("user"), kept], [*said("assistant"), kept])[1] == [INSERTED, 1]


def test_what_is_joined_is_looked_for_where_it_can_be() -> None:
    """In the time of the texts' length: thousands of messages that become one."""
    texts = [f"{number:05} " + "x" * 300 for number in range(4000)]
    before, after = speaking(*texts), speaking("\n\n".join(texts))
    assert matched(before, after) == ([0] * 4000, [0])


def test_several_rules_one_after_the_other() -> None:
    """The second rule's place is where its message stood before the first, and where it stands after the third."""
    a, b, c, new = {"role": "user"}, {"role": "user"}, {"role": "assistant"}, {"role": "system"}
    track = Track()
    track.follow([a, b, c], [a, c], [Change("joins", "/messages/1", "")])
    track.follow([a, c], [a, c], [Change("fills", "/messages/1/content", ""), Change("other", "/user", "")])
    track.follow([a, c], [new, a, c], [Change("adds", "/messages/0", "")])
    track.follow([new, a, c], [new, a, c], [Change("fills", "/messages/0/content", "")])
    note = track.note(7)
    assert note is not None
    assert Moved.from_note(note) == Moved(
        7, [(1, 1), (2, 2), (-1, -1), (0, 1), (-1, 0)], origins=[-1, 0, 2], places=[1, 1, 2]
    )


def test_a_second_way_goes_on_from_the_note_of_the_first() -> None:
    a, b, c = said("user", "user", "assistant")
    first = Track()
    first.follow([a, b, c], [a, c], [Change("joins", "/messages/1", "")])
    again = Track(first.note(0))
    again.follow([a, c], [c], [Change("drops", "/messages/0", "")])
    moved = Moved.from_note(again.note(1) or {})
    assert moved == Moved(1, [(0, 0)], origins=[2], places=[0, 0, 0])


def test_no_more_changes_are_followed_than_an_exchange_lists() -> None:
    messages = said("user", "user")
    track = Track()
    track.follow(messages, messages[:1], [Change("x", "/messages/1", "")] * (MAX_CHANGES + 9))
    assert len((track.note(0) or {})["changes"]) == 2 * MAX_CHANGES


def test_a_note_is_small_for_any_history() -> None:
    """Runs, and a bound for what has none: here every second message is joined to the one before it."""
    long = said(*["user"] * 20_000)
    track = Track()
    track.follow(long, long[::2], [Change("joins", "/messages/1", "")])
    assert len((track.note(0) or {})["origins"]) == 3 * MOST_RUNS
    folded = Track()
    folded.follow(long, long[:1], [Change("folds", "/messages/0", "")])
    assert (folded.note(0) or {})["places"] == [0, 20_000, 0]


def test_values_that_are_no_messages_are_followed_by_their_order() -> None:
    kept = {"role": "user"}
    before: list[Any] = ["a", None, "a", kept]
    assert matched(before, [*speaking("a\n\na"), kept]) == ([0, 0, 0, 1], [0, 3])


@given(st.lists(st.integers(-1, 30), max_size=60))
def test_a_note_keeps_its_numbers(numbers: list[int]) -> None:
    track = Track()
    track._origins, track._places = numbers, [number for number in numbers if number >= 0]
    moved = Moved.from_note(track.note(0) or {})
    assert moved is not None
    assert (moved.origins, moved.places) == (numbers, track._places)


@pytest.mark.parametrize(
    "note",
    [{}, {"first": 0}, {"first": "0", "changes": [], "origins": [], "places": []}, {"first": 0, "changes": [1.5]}],
)
def test_a_note_that_is_not_sound_is_none(note: dict[str, Any]) -> None:
    assert Moved.from_note(note) is None


def test_a_note_that_names_very_many_messages_is_not_believed() -> None:
    note: dict[str, Any] = {"first": 0, "changes": [], "origins": [0, 10**12, 1], "places": [0, 10**12, 0]}
    moved = Moved.from_note(note)
    assert moved == Moved(0, [], [], [])


@pytest.mark.parametrize(
    ("pointer", "number"), [("/messages/12/content", 12), ("/messages/3", 3), ("/messages", None), ("/tools/1", None)]
)
def test_the_number_in_a_pointer(pointer: str, number: int | None) -> None:
    assert message_of(pointer) == number
