"""The file with the keys of providers: what is accepted, whose key a destination gets, and that no text quotes one."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix import options, profiles, vendors
from hunyuan_fix.access.provider_keys import ProviderKeys
from hunyuan_fix.config.option import OptionError
from hunyuan_fix.options import Settings
from tests.test_vendors import GATEWAY, HOSTS, KNOWN, LOCAL, MOONSHOT, OPENAI, PATHS, TOKENHUB

SECRET = "sk-QZKEYQZ-secret"


class File:
    """A keys file, and the files that it names."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = folder, folder / "keys.toml"

    def write(self, text: str, mode: int = 0o600) -> Settings:
        self.put(self.path, text, mode)
        return settings(self.path)

    def put(self, path: Path, text: str, mode: int = 0o600) -> None:
        """As editors do: another file in its place."""
        new = path.with_name("new")
        new.write_text(text)
        new.chmod(mode)
        new.replace(path)

    def key(self, name: str, text: str = SECRET, mode: int = 0o600) -> Path:
        self.put(self.folder / name, text, mode)
        return self.folder / name


@pytest.fixture
def file(tmp_path: Path) -> File:
    return File(tmp_path)


def settings(path: Path | None) -> Settings:
    return replace(options.parse({}), keys_file=path)


def keys_of(file: File, text: str, **environment: str) -> ProviderKeys:
    return ProviderKeys(environment).configured(file.write(text))


def found(keys: ProviderKeys, host: str, path: str = "/v1", port: int = 443) -> str | None:
    key = keys.key_for(host, port, path)
    return None if key is None else key.key


# What is accepted


def test_without_a_file_there_is_none():
    keys = ProviderKeys()
    assert keys.configured(settings(None)) is keys
    assert not keys and found(keys, MOONSHOT) is None


def test_a_key_stands_in_a_variable_or_in_a_file(file: File):
    path = file.key("deepseek.key", f"  {SECRET}\n")
    keys = keys_of(
        file,
        f'[providers.moonshot]\nenv = "KIMI"\n[providers.deepseek]\nfile = "{path}"\n'
        '[providers.siliconflow]\nfile = "./deepseek.key"\n',
        KIMI=" sk-kimi ",
    )
    assert keys
    assert (found(keys, MOONSHOT), found(keys, "api.deepseek.com")) == ("sk-kimi", SECRET)
    assert found(keys, "api.siliconflow.cn") == SECRET, "relative to the file that names it"
    assert keys.providers == {"moonshot": True, "deepseek": True, "siliconflow": True}
    assert sorted(keys.secrets) == sorted(["sk-kimi", SECRET, SECRET])


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660])
def test_the_file_and_those_that_it_names_are_their_owners_alone(file: File, mode: int):
    with pytest.raises(OptionError, match=rf"^hunyuan_keys_file: .*mode is {mode:04o}\): chmod 600"):
        ProviderKeys({}).configured(file.write("", mode))
    path = file.key("key", SECRET, mode)
    with pytest.raises(OptionError, match=rf"^hunyuan_keys_file: {file.path}: moonshot: .*chmod 600 {path}$"):
        keys_of(file, f'[providers.moonshot]\nfile = "{path}"')


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f'[providers.moonshot]\nkey = "{SECRET}"', r"moonshot: there is no field key; accepted is env = "),
        (f'[providers.moonshot]\nenv = "{SECRET}"', r"moonshot: env: needed is the name of an environment variable"),
        ('[providers.moonshot]\nenv = "abcdef0123456789"', r"moonshot: env: needed is the name"),
        (f'[providers.moonshot]\nfile = "{SECRET}"', r"moonshot: file: needed is the path of a file"),
        (f'[providers]\nmoonshot = "{SECRET}"', r"moonshot: accepted is env = "),
        (f'moonshot = "{SECRET}"', r"moonshot: accepted are tables such as"),
        (f'"{SECRET}" = 1', r": …: accepted are tables such as"),
        (f'[providers."{SECRET}"]\nenv = "A"', r": …: there is no such provider"),
        (f'[hosts."{SECRET}"]\nfile = "{SECRET}"', r": …: file: needed is the path"),
        (f"[providers.moonshot]\nenv = {SECRET}", r"not valid TOML \(at line 2"),
        (f"{SECRET}", r"not valid TOML"),
        ("[providers.moonshot]\nenv = 1e400", r"moonshot: env: needed"),
        ("[providers.moonshot]", r"moonshot: accepted is env = "),
        ('[providers.moonshot]\nenv = "A"\nfile = "/a"', r"moonshot: accepted is env = "),
        ('[providers.moonshoot]\nenv = "A"', r"moonshoot: there is no such provider.*moonshot\?"),
        ('[providers."moonshot.cn"]\nenv = "A"', r"moonshot.cn: is the domain of moonshot: use that name"),
        ('[providers."example.com"]\nenv = "A"', r"example.com: there is no such provider.*hosts"),
        ('[hosts.llm.example.com]\nenv = "A"', r"llm: a host stands in quotes"),
        ('[hosts."https://llm.example.com"]\nenv = "A"', r"accepted is a host in quotes"),
        ('[hosts."llm.example.com:99999"]\nenv = "A"', r"accepted is a host in quotes"),
        ('[hosts."llm.example.com:0"]\nenv = "A"', r"accepted is a host in quotes"),
        ('[hosts."127.0.0.1"]\nenv = "A"', r"a host of this machine is named with its port"),
        ('[hosts."localhost/v1"]\nenv = "A"', r"a host of this machine is named with its port"),
        ('[hosts."a.example"]\nenv = "A"\n[hosts."A.EXAMPLE."]\nenv = "B"', r"A.EXAMPLE.: stands there twice"),
        ("providers = 1", r"accepted are tables"),
        ("[hosts]\nx = " + "[" * 3000, r"not a file of keys|not valid TOML"),
    ],
)
def test_what_is_wrong_is_said_without_a_key(file: File, text: str, says: str):
    with pytest.raises(OptionError, match=rf"^hunyuan_keys_file: {file.path}.*{says}") as raised:
        keys_of(file, text)
    shown = str(raised.value)
    assert SECRET not in shown and "abcdef0123456789" not in shown
    cause: BaseException | None = raised.value
    while cause is not None:  # what a traceback would show
        assert SECRET not in str(cause).replace(text, "")
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)


def test_a_variable_that_holds_no_key_is_an_error_and_one_that_is_not_set_is_said(
    file: File, caplog: pytest.LogCaptureFixture
):
    text = '[providers.moonshot]\nenv = "KIMI"'
    with pytest.raises(OptionError, match="moonshot: env: needed is one key") as raised:
        keys_of(file, text, KIMI=f"{SECRET} {SECRET}")
    assert SECRET not in str(raised.value)
    with caplog.at_level(logging.WARNING):
        keys = keys_of(file, text)
    assert "moonshot has no key: the environment variable" in caplog.text
    assert keys.providers == {"moonshot": False}
    assert found(keys, MOONSHOT) == "", "it is known that there should be one"
    assert not list(keys.secrets)


def test_no_text_of_the_objects_has_a_key(file: File):
    path = file.key("key")
    keys = keys_of(file, f'[providers.moonshot]\nenv = "KIMI"\n[providers.deepseek]\nfile = "{path}"', KIMI=SECRET)
    shown = [repr(keys), repr(keys._named), repr(keys.key_for(MOONSHOT, 443)), repr(keys.providers)]
    assert not [text for text in shown if SECRET in text]


# Whose key


def test_the_most_exact_table_counts(file: File):
    keys = keys_of(
        file,
        """
[providers.tencent]
env = "VENDOR"
[providers.tokenhub-plan]
env = "PLAN"
[hosts."tokenhub.tencentmaas.com"]
env = "HOST"
[hosts."tokenhub.tencentmaas.com/plan/v9"]
env = "PATH_OF_PLAN"
[hosts."tokenhub.tencentmaas.com:8443"]
env = "PORT"
""",
        **{name: name for name in ("VENDOR", "PLAN", "HOST", "PATH_OF_PLAN", "PORT")},
    )
    assert found(keys, TOKENHUB) == "HOST"
    assert found(keys, TOKENHUB, port=8443) == "PORT"
    assert found(keys, TOKENHUB, "/plan/v3/chat/completions") == "PLAN"
    assert found(keys, TOKENHUB, "/planet") == "HOST"
    assert found(keys, TOKENHUB, "/Plan//v9/x") == "PATH_OF_PLAN"
    assert found(keys, TOKENHUB, "/%70lan/v3") == "PLAN"
    assert found(keys, "api.lkeap.cloud.tencent.com", "/plan/v3") == "PLAN"
    assert found(keys, "api.lkeap.cloud.tencent.com", "/v1") == "VENDOR"
    assert found(keys, "TOKENHUB.tencentmaas.com.") == "HOST"
    assert found(keys, MOONSHOT) is None


def test_a_path_that_the_endpoint_may_read_as_another_gets_none(file: File):
    keys = keys_of(file, '[providers.tencent]\nenv = "A"\n[providers.tokenhub-plan]\nenv = "B"', A="a", B="b")
    for path in ("/plan/../v1", "/plan/%2e%2E/v1", "/.."):
        assert found(keys, TOKENHUB, path) is None


@pytest.mark.parametrize(
    ("provider", "hosts"),
    [
        ("anthropic", ["api.anthropic.com"]),
        ("anthropic.com", ["api.anthropic.com", "anthropic.com"]),
        ("openai", [OPENAI]),
        ("groq.com", ["api.groq.com"]),
        ("kimi-coding", ["api.kimi.com"]),
    ],
)
def test_vendors_without_profiles_are_named_by_their_domain(file: File, provider: str, hosts: list[str]):
    keys = keys_of(file, f'[providers."{provider}"]\nenv = "A"', A="key")
    path = "/coding/v1" if provider == "kimi-coding" else "/v1"
    assert [found(keys, host, path) for host in hosts] == ["key"] * len(hosts)
    assert [host for host in (*KNOWN, GATEWAY, LOCAL, "notanthropic.com") if found(keys, host, "/v1")] == []


def test_a_host_that_no_profile_knows_gets_a_key_by_its_name_alone(file: File):
    every = "".join(f'[providers."{name}"]\nenv = "A"\n' for name in vendors.providers())
    keys = keys_of(
        file, f'{every}[hosts."llm.example.com:8443/v1"]\nenv = "B"\n[hosts."[::1]:9"]\nenv = "C"', A="a", B="b", C="c"
    )
    assert found(keys, GATEWAY, "/v1/chat", 8443) == "b"
    assert found(keys, "::1", "", 9) == "c"
    for host, path, port in [
        (GATEWAY, "/v1", 443),
        (GATEWAY, "/v10", 8443),
        (f"x.{GATEWAY}", "/v1", 8443),
        ("::1", "", 10),
        ("localhost", "", 9),
        (LOCAL, "", 9),
        ("10.0.0.1", "", 443),
        ("evil-api.moonshot.cn.example", "/v1", 443),
    ]:
        assert found(keys, host, path, port) is None, (host, path, port)


# A change while it runs


async def looks(keys: ProviderKeys) -> None:
    for _ in range(2):
        await keys.refresh()


async def test_a_changed_file_is_taken_over_all_or_nothing(file: File, caplog: pytest.LogCaptureFixture):
    keys = keys_of(file, '[providers.moonshot]\nenv = "A"', A="a", B="b")
    file.write('[providers.moonshot]\nenv = "B"\n[providers.deepseek]\nenv = "A"')
    await looks(keys)
    assert keys.providers == {"moonshot": True, "deepseek": True} and found(keys, MOONSHOT) == "b"

    with caplog.at_level(logging.ERROR):
        file.write(f'[providers.moonshot]\nenv = "A"\n[providers.deepseek]\nkey = "{SECRET}"')
        await looks(keys)
    assert found(keys, MOONSHOT) == "b" and keys.unusable == [file.path]
    assert "The previous content stays in force" in caplog.text and SECRET not in caplog.text

    file.write('[providers.moonshot]\nenv = "A"')
    await looks(keys)
    assert found(keys, MOONSHOT) == "a" and found(keys, "api.deepseek.com") is None and keys.unusable == []


async def test_a_change_is_announced_once_it_counts(file: File, caplog: pytest.LogCaptureFixture):
    keys = keys_of(file, '[providers.moonshot]\nenv = "A"', A="a", B="b")
    seen: list[str | None] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(found(keys, MOONSHOT) if "read again" in record.getMessage() else None)

    logger, listener = logging.getLogger("hunyuan_fix"), Listener()
    logger.addHandler(listener)
    try:
        with caplog.at_level(logging.INFO, "hunyuan_fix"):
            file.write('[providers.moonshot]\nenv = "B"')
            await looks(keys)
    finally:
        logger.removeHandler(listener)
    assert seen == ["b"]


async def test_a_key_that_cannot_be_read_keeps_all_as_it_was_until_it_can(file: File, caplog: pytest.LogCaptureFixture):
    keys = keys_of(file, '[providers.moonshot]\nenv = "A"', A="a")
    path = file.key("key", SECRET, 0o644)
    file.write(f'[providers.moonshot]\nfile = "{path}"')
    with caplog.at_level(logging.ERROR):
        for _ in range(5):
            await keys.refresh()
    assert caplog.text.count("chmod 600") == 1, "said once"
    assert found(keys, MOONSHOT) == "a" and keys.unusable == [file.path]
    path.chmod(0o600)
    await looks(keys)
    assert found(keys, MOONSHOT) == SECRET and keys.unusable == []


async def test_a_changed_key_counts_and_a_bad_one_does_not(file: File, caplog: pytest.LogCaptureFixture):
    path = file.key("key", "sk-one")
    keys = keys_of(file, f'[providers.moonshot]\nfile = "{path}"')
    file.key("key", "sk-two")
    await looks(keys)
    assert found(keys, MOONSHOT) == "sk-two"
    with caplog.at_level(logging.ERROR):
        file.key("key", f"{SECRET} and more")
        await looks(keys)
    assert found(keys, MOONSHOT) == "sk-two" and keys.unusable == [path]
    assert SECRET not in caplog.text


def test_another_option_value_is_another_file(file: File, tmp_path: Path):
    keys = keys_of(file, '[providers.moonshot]\nenv = "A"', A="a")
    assert keys.configured(settings(file.path)) is keys
    other = tmp_path / "other.toml"
    file.put(other, '[providers.deepseek]\nenv = "A"')
    assert keys.configured(settings(other)).providers == {"deepseek": True}
    assert not keys.configured(settings(None))


# The property


NAMES = st.sampled_from(vendors.providers())
ADDRESSES = st.tuples(
    HOSTS | st.just("api.moonshot.ai"), st.sampled_from(["", ":443", ":8443"]), st.sampled_from(["", "/v1", "/plan"])
)
OWNERS: Mapping[str, str] = {host: profiles.load(name).vendor for host, [(_, name), *_] in profiles.by_host().items()}
"""The vendor of each host that profiles name, read from the profiles' own tables."""


def _hosts(name: str) -> tuple[str, ...]:
    return tuple(profiles.load(name).hosts) if name in profiles.names() else ()


@given(
    providers=st.sets(NAMES, max_size=6),
    addresses=st.sets(ADDRESSES, max_size=4),
    host=HOSTS | st.sampled_from(["api.moonshot.ai", "evil.example", "api.anthropic.com", "x.openai.com.evil.example"]),
    path=PATHS,
    port=st.sampled_from([443, 8443, 80]),
)
def test_a_key_reaches_hosts_of_its_provider_alone(
    tmp_path_factory: pytest.TempPathFactory,
    providers: set[str],
    addresses: set[tuple[str, str, str]],
    host: str,
    path: str,
    port: int,
):
    """Each key is its table's name: what a host gets says whose it is. Judged without the code's own tables."""
    named = {f"{one}{number}{below}" for one, number, below in addresses if one != LOCAL or number}
    entries = {f"P{number}": name for number, name in enumerate(sorted(providers))}
    entries |= {f"H{number}": name for number, name in enumerate(sorted(named))}
    text = "".join(
        f'[{"providers" if variable[0] == "P" else "hosts"}."{name}"]\nenv = "{variable}"\n'
        for variable, name in entries.items()
    )
    file = File(tmp_path_factory.mktemp("keys"))
    got = found(keys_of(file, text, **{variable: variable for variable in entries}), host, path, port)
    if got is None:
        return
    name = entries[got]
    if got[0] == "H":
        address, _, below = name.partition("/")
        one, _, number = address.partition(":")
        assert one == host and number in ("", str(port))
        assert not below or f"{path}/".startswith(f"/{below}/")
        return
    domain = {"anthropic": "anthropic.com", "openai": "openai.com"}.get(name, name)
    if host in OWNERS:
        owner = OWNERS[host]
        own = [address.partition("/")[2] for address in _hosts(name) if address.partition("/")[0] == host]
        assert name == owner or any(not one or f"{path}/".startswith(f"/{one}/") for one in own), "its own paths"
    else:
        assert host == domain or host.endswith(f".{domain}"), "an unknown host gets none"
