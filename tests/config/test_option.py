from __future__ import annotations

from dataclasses import dataclass

import pytest

from hunyuan_fix.config import option as options
from hunyuan_fix.config import values as read
from hunyuan_fix.config.option import Option, OptionError, option


@dataclass(frozen=True)
class Lamp:
    on: bool = option(True, "Whether it is on.")
    bright: float = option("1.5", "How bright.", read.seconds)


@dataclass(frozen=True)
class Room(Lamp):
    seats: int | None = option("", "How many seats.", read.optional(read.count(1)))


@dataclass(frozen=True)
class Door:
    open_to: frozenset[str] = option("a,b", "Who may come in.", read.names)


@dataclass(frozen=True)
class House(Room, Door, Lamp):
    pass


def test_a_default_stands_once_as_text():
    assert Lamp() == Lamp(bright=1.5, on=True)
    assert House().open_to == {"a", "b"}
    assert options.parse(House, {}) == House()


def test_options_stand_in_the_order_of_the_bases_and_each_once():
    assert [option.field for option in options.options_of(House)] == ["seats", "open_to", "on", "bright"]
    assert [option.field for option in options.options_of(Room)] == ["seats", "on", "bright"]


def test_an_option_that_is_declared_again_is_the_nearest_one():
    @dataclass(frozen=True)
    class DimLamp(Lamp):
        bright: float = option("0.5", "How dim.", read.seconds)

    assert [(option.field, option.default) for option in options.options_of(DimLamp)] == [
        ("bright", "0.5"),
        ("on", True),
    ]


def test_a_field_is_an_option():
    assert options.options_of(Lamp) == (
        Option("hunyuan_on", True, "Whether it is on."),
        Option("hunyuan_bright", "1.5", "How bright.", read.seconds),
    )
    assert [option.type for option in options.options_of(Lamp)] == [bool, str]


def test_values_are_parsed_and_the_first_invalid_one_is_refused():
    assert options.parse(House, {"hunyuan_seats": " 3 ", "hunyuan_on": False, "other": "x"}) == House(seats=3, on=False)
    with pytest.raises(OptionError, match=r"^hunyuan_seats=0: accepted"):
        options.parse(House, {"hunyuan_bright": "dim", "hunyuan_seats": "0"})
    with pytest.raises(OptionError, match=r"^hunyuan_on=true: accepted are true and false"):
        options.parse(House, {"hunyuan_on": "true"})


def test_a_feature_gets_its_own_part():
    house = options.parse(House, {"hunyuan_seats": "3", "hunyuan_bright": "2", "hunyuan_open_to": ""})
    assert options.part(house, Lamp) == Lamp(bright=2.0)
    assert options.part(house, Room) == Room(seats=3, bright=2.0)
    assert type(options.part(house, Lamp)) is Lamp
