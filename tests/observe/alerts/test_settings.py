"""The option hunyuan_alerts."""

from __future__ import annotations

import pytest

from hunyuan_fix.config.option import OptionError
from hunyuan_fix.observe.alerts import alert as alerts
from hunyuan_fix.observe.alerts.alert import Limits
from hunyuan_fix.observe.alerts.settings import AlertSettings, limits
from hunyuan_fix.options import parse

EVERY = {name: alert.limits for name, alert in alerts.shipped().items() if alert.in_process}


def test_all_are_watched_by_default() -> None:
    assert AlertSettings().alerts == EVERY
    assert "down" not in EVERY


@pytest.mark.parametrize("text", ["", "on", "off,on", "queue", "queue=off,queue=on", " queue = on , error_rate "])
def test_all_are_watched(text: str) -> None:
    assert limits(text) == EVERY


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("off", {}),
        ("on,off", {}),
        ("off,quota", {"quota": EVERY["quota"]}),
        ("off,quota,error_rate=0.2", {"quota": EVERY["quota"], "error_rate": Limits(0.2, 0.1)}),
        ("queue=off", {name: limits for name, limits in EVERY.items() if name != "queue"}),
        ("error_rate=20%", EVERY | {"error_rate": Limits(0.2, 0.1)}),
        ("queue=60", EVERY | {"queue": Limits(60, 30)}),
        ("queue=60s,loop_lag=0.5", EVERY | {"queue": Limits(60, 30), "loop_lag": Limits(0.5, 0.2)}),
        ("cache_hit_rate=0.9", EVERY | {"cache_hit_rate": Limits(0.9, 1.0)}),  # a share is no more than 1
        ("breaker_open=2", EVERY | {"breaker_open": Limits(2, 2)}),
        ("quota=off,quota=3", EVERY | {"quota": Limits(3, 3)}),
    ],
)
def test_what_is_watched_is_read_from_the_left(text: str, expected: dict[str, Limits]) -> None:
    assert limits(text) == expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("error_rte=0.2", "there is no alert error_rte; did you mean error_rate?"),
        ("of", "there is no alert of; did you mean off?"),
        ("xyz", "there is no alert xyz; there are error_rate, response_time"),
        ("down=off", "there is no alert down; "),
        ("error_rate=2", "error_rate takes a share between 0 and 1"),
        ("error_rate=0", "error_rate takes a share between 0 and 1"),
        ("error_rate=nan", "error_rate takes a share between 0 and 1"),
        ("error_rate=high", "error_rate takes a share between 0 and 1"),
        ("queue=-1", "queue takes a number from 0 up"),
        ("queue=5%", "queue takes a number from 0 up"),
        ("queue=inf", "queue takes a number from 0 up"),
        ("queue=", "queue takes a number from 0 up"),
        ("off=1", "there is no alert off"),
    ],
)
def test_what_makes_no_sense_is_refused(text: str, says: str) -> None:
    with pytest.raises(OptionError, match=says.replace("?", r"\?")):
        parse({"hunyuan_alerts": text})


def test_an_end_is_never_beyond_its_threshold() -> None:
    for alert in EVERY:
        shipped = alerts.shipped()[alert]
        for threshold in (0.01, 0.5, 0.99):
            moved = shipped.with_threshold(threshold)
            assert moved.ends >= threshold if shipped.below else moved.ends <= threshold
