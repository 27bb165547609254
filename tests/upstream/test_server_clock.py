"""How far an endpoint's clock is off: learnt where it refuses a signature, forgotten where a clock is set."""

from __future__ import annotations

from email.utils import formatdate

import pytest

from hunyuan_fix.upstream.server_clock import ServerClocks, is_expired

URL = "https://hunyuan.tencentcloudapi.com/"


class Machine:
    """This machine's two clocks."""

    def __init__(self) -> None:
        self.wall, self.steady = 1_700_000_000.0, 50.0
        self.clocks = ServerClocks(lambda: self.wall, lambda: self.steady)

    def wait(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds


def date(seconds: float) -> str:
    return formatdate(seconds, usegmt=True)


@pytest.fixture
def machine() -> Machine:
    return Machine()


def test_nothing_is_known_at_first(machine: Machine):
    assert not machine.clocks.agrees(URL)
    assert machine.clocks.now(URL) == machine.wall


@pytest.mark.parametrize("said", [None, "", "yesterday", "5", date(1_700_000_000)])
def test_a_signature_that_was_taken_is_enough(machine: Machine, said: str | None):
    machine.clocks.accepted(URL, said)
    assert machine.clocks.agrees(URL)
    assert not machine.clocks.agrees("https://hunyuan.intl.tencentcloudapi.com/")
    assert machine.clocks.now(URL) == machine.wall


@pytest.mark.parametrize("skew", [4000.0, -86_400.0])
def test_a_refusal_tells_the_time_there(machine: Machine, skew: float):
    machine.clocks.accepted(URL, date(machine.wall))
    assert machine.clocks.refused(URL, date(machine.wall + skew))
    assert not machine.clocks.agrees(URL)
    machine.wait(30)
    assert machine.clocks.now(URL) == machine.wall + skew
    machine.clocks.accepted(URL, date(machine.wall + skew))
    assert machine.clocks.agrees(URL)


@pytest.mark.parametrize("said", [None, "", "yesterday", "5"])
def test_a_refusal_without_a_date_tells_nothing(machine: Machine, said: str | None):
    assert not machine.clocks.refused(URL, said)
    assert machine.clocks.now(URL) == machine.wall


@pytest.mark.parametrize("jump", [3600.0, -3600.0])
def test_where_this_machines_clock_is_set_nothing_is_known(machine: Machine, jump: float):
    machine.clocks.accepted(URL, date(machine.wall))
    machine.wait(7200)
    assert machine.clocks.agrees(URL)
    machine.wall += jump
    assert not machine.clocks.agrees(URL)


def test_where_the_other_clock_is_set_nothing_is_known(machine: Machine):
    machine.clocks.accepted(URL, date(machine.wall))
    machine.wait(10)
    machine.clocks.accepted(URL, date(machine.wall + 30))
    assert machine.clocks.agrees(URL)
    machine.clocks.accepted(URL, date(machine.wall + 200))
    assert not machine.clocks.agrees(URL)


def test_hosts_are_bounded(machine: Machine):
    machine.clocks.refused(URL, date(machine.wall + 4000))
    for number in range(300):
        machine.clocks.now(f"https://host{number}.example/")
    assert machine.clocks.now(URL) == machine.wall
    assert len(machine.clocks._hosts) <= 256


def test_what_says_that_a_signature_is_too_old():
    assert is_expired(b'{"Response":{"Error":{"Code":"AuthFailure.SignatureExpire"}}}')
    assert is_expired(b'{"error":{"native_code":"AuthFailure.SignatureExpire"}}')
    assert not is_expired(b'{"Response":{"Error":{"Code":"AuthFailure.SignatureFailure"}}}')
