"""For the whole suite: a data folder of its own, a Redis server, what the recorded requests say in the summary."""

from __future__ import annotations

import signal
import sys
from collections.abc import Generator, Iterator
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from hunyuan_fix.config.environment import variable
from hunyuan_fix.options import OPTIONS
from hunyuan_fix.texts import terminal
from tests.end_to_end import processes

pytest_plugins = (
    "tests.proxying",
    "tests.redis_server",
    "tests.haproxy",
    "tests.cascading",
    "tests.providers",
    "tests.spread",
)

# A property that fails must fail for what it says, not because eight workers share two processors.
_UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
# The same examples each time: a change isn't held up by a flaw that it didn't bring. The night looks for new ones.
_SETTLED = settings(_UNHURRIED, derandomize=True)
settings.register_profile("day", parent=_SETTLED)
settings.register_profile("fast", parent=_SETTLED, max_examples=20)
settings.register_profile("night", parent=_UNHURRIED, max_examples=2000)

_TESTS = Path(__file__).parent
_PROCESS_PLACES = {"clients", "deploy", "end_to_end", "scripts", "test_traps.py"}
_PROCESS_FIXTURES = {"redis_server", "redis_servers", "haproxy", "promtool", "browser", "watch", "watched"}
_SLOW_PLACES = {"test_linear.py", "test_scaling.py"}
_SLOW_FIXTURES = {"trust"}
"""Folders and files of tests, and fixtures, by which tests are marked. `trust` is what mitmproxy and endpoints with TLS
are made with: a test that asks for it starts a mitmproxy in its own process."""

WITHOUT, WITH = "capture_accepted_without_addon", "capture_accepted_with_addon"
"""Properties that a test of a recorded request records, True or False (tests/end_to_end/test_captures.py)."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let pytest take `--fast` and `--nightly`."""
    fast = "only tests that are neither `process` nor `slow`, with 20 examples for a property"
    parser.addoption("--fast", action="store_true", help=fast)
    nightly = "the `nightly` tests too, which are the other combinations of a matrix, and 2,000 examples for a property"
    parser.addoption("--nightly", action="store_true", help=nightly)


def pytest_configure(config: pytest.Config) -> None:
    """Choose how many examples a property gets, where it doesn't say so itself, and how processes start."""
    night, fast = config.getoption("--nightly"), config.getoption("--fast")
    processes.always_cold = bool(night)
    settings.load_profile("night" if night else "fast" if fast else "day")


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark each test by its folder and its fixtures; leave out what `--fast` or the day does without."""
    places_of = cache(lambda path: set(path.relative_to(_TESTS).parts))
    for item in items:
        places = places_of(item.path)
        fixtures = set(getattr(item, "fixturenames", ()))
        if places & _PROCESS_PLACES or fixtures & _PROCESS_FIXTURES:
            item.add_marker(pytest.mark.process)
        if places & _SLOW_PLACES or fixtures & _SLOW_FIXTURES:
            item.add_marker(pytest.mark.slow)
    unwanted = set() if config.getoption("--nightly") else {"nightly"}
    if config.getoption("--fast"):
        unwanted |= {"process", "slow"}
    left_out = [item for item in items if unwanted.intersection(mark.name for mark in item.iter_markers())]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        without = set(left_out)
        items[:] = [item for item in items if item not in without]


def pytest_runtest_setup() -> None:
    """A test that fails shows its own processes, and those that run for several."""
    processes.forget_ended()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, None, None]:
    """Fail a test that leaves SIGPIPE to end this process: a later one that writes to a closed socket would."""
    yield
    if sys.platform != "win32" and signal.getsignal(signal.SIGPIPE) is not signal.SIG_IGN:
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        pytest.fail(f"{item.nodeid} changed what SIGPIPE does", pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show with a failure how its processes were started, what they said, and where its files are."""
    report = yield
    if report.failed:
        report.sections += processes.accounts()
        if folder := getattr(item, "funcargs", {}).get("tmp_path"):
            report.sections.append(("files of the test", f"{folder}\n(kept for three runs)"))
    return report


@pytest.fixture(scope="session", autouse=True)
def own_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The suite keeps out of the user's own data, options and language; processes inherit that."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))
        patch.setenv("LANG", "C.UTF-8")
        for name in ("LC_ALL", "LC_MESSAGES", "HUNYUAN_ALERT_WEBHOOK", *(variable(option.name) for option in OPTIONS)):
            patch.delenv(name, raising=False)
        patch.setenv("HUNYUAN_ADMIN", "off")  # one port for all workers of the suite: only its own tests listen
        yield


@pytest.fixture(autouse=True)
def terminal_language() -> Iterator[None]:
    """A test that runs the addon in Chinese leaves the process English."""
    yield
    terminal.use("en")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How many recorded requests of real clients the strict simulator took, without and with the addon."""
    reports = [
        report
        for outcome in ("passed", "failed")
        for report in terminalreporter.stats.get(outcome, [])
        if isinstance(report, pytest.TestReport) and report.when == "call"
    ]
    counted = [property_ for report in reports for property_ in report.user_properties]
    for platform in dict.fromkeys(key.partition(":")[2] for key, _ in counted if key.startswith(f"{WITHOUT}:")):
        counts = []
        for name in (WITHOUT, WITH):
            values = [value for key, value in counted if key == f"{name}:{platform}"]
            counts.append(f"{sum(map(bool, values))} of {len(values)}")
        terminalreporter.write_line(
            f"recorded requests that the strict endpoint {platform} accepts: {counts[0]} as they came, "
            f"{counts[1]} through the addon"
        )
