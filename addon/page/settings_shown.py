"""All options for the page, read-only: values, where they come from, what they mean. Secrets are never among them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypedDict

from .. import profiles
from ..config import config_file, shown
from ..config.option import Option
from ..config.sources import Kind
from ..config.subjects import subjects
from ..config.values import accepted_by
from ..exchange import JsonObject, Response
from ..observe.admin.route import json_answer
from ..observe.admin.status import versions
from ..options import OPTIONS
from ..texts import sentences
from ..wire import proxy_errors
from ..wire.openai_error import ProxyError
from . import mode
from .mode import ModeNow
from .sources import Running, Sources

_AT_START = frozenset({"hunyuan_plugins"})
"""Options that count at the start alone: Python can't unload a module."""
_READ_AGAIN = (
    *("api_key_file", "keys_file", "client_tokens_file", "tencent_secrets_file", "seal_key_file"),
    *("admin_token_file", "alert_webhook_file", "profiles"),
)
"""Fields of `Settings` that name a file, or a folder, which is read again when it changes."""


class OptionShown(TypedDict):
    """An option. Values are texts, as a file would have them."""

    name: str
    value: str
    default: str
    is_default: bool
    is_table: bool
    """The value is JSON with rows."""
    source: Kind
    where: str
    """The place of the source: a variable, a file with its line."""
    given: str
    """What the sources give, where it was changed while the proxy runs (`source` is `running`)."""
    at_start: bool
    """It counts at a start only."""
    help: str
    accepted: str


class SubjectShown(TypedDict):
    """The options of one subject."""

    name: str
    title: str
    options: list[OptionShown]


class FileShown(TypedDict):
    """A file that is read again when it changes."""

    option: str
    path: str
    usable: bool
    """Else what it said before is in force."""


class Unused(TypedDict):
    """An option that a file sets without effect."""

    name: str
    where: str
    winner: str


class ProfilesShown(TypedDict):
    """The profiles that are in use."""

    names: list[str]
    folder: str
    """The user's own; `""`: there is none."""


class SettingsBody(TypedDict):
    """The answer of `GET /api/settings`."""

    mode: ModeNow
    subjects: list[SubjectShown]
    unused: list[Unused]
    files: list[FileShown]
    keys: list[JsonObject]
    profiles: ProfilesShown
    plugins: list[JsonObject]
    versions: JsonObject


def answer(sources: Sources, values: Mapping[str, Any], language: str) -> Response | ProxyError:
    """All that is set, in `language`."""
    running = sources.running
    if running is None:
        return proxy_errors.ADMIN_NO_SUCH_PATH()
    by_field = {option.field: option for option in OPTIONS}
    settings = running.settings()
    return json_answer(
        SettingsBody(
            mode=mode.now(running.config),
            subjects=[
                {
                    "name": name,
                    "title": subject.title[language],
                    "options": [_option(by_field[field], running, language) for field in subject.fields],
                }
                for name, subject in subjects().items()
            ],
            unused=[
                {"name": name, "where": given.where, "winner": winner.where}
                for name, (given, winner) in running.config.without_effect().items()
            ],
            files=_files(running),
            keys=_keys(running),
            profiles={"names": sorted(profiles.names()), "folder": str(settings.profiles or "")},
            plugins=settings.plugins.status(),
            versions=versions(),
        )
    )


def _option(option: Option, running: Running, language: str) -> OptionShown:
    now = running.config.in_force(option.name)
    given = running.config.given(option.name)
    return {
        "name": option.name,
        "value": shown.value(option, now.value),
        "default": shown.value(option, option.default),
        "is_default": now.value == option.default,
        "is_table": option.is_table,
        "source": now.kind,
        "where": now.where,
        "given": shown.value(option, given.value) if now.kind == "running" else "",
        "at_start": option.name in _AT_START,
        "help": sentences.said(language, option.help),
        "accepted": sentences.translated(language, accepted_by(option.read)),
    }


def _files(running: Running) -> list[FileShown]:
    """The files that are followed. One that can't be used comes first."""
    settings = running.settings()
    by_field = {option.field: option.name for option in OPTIONS}
    paths: list[tuple[str, Path]] = [(config_file.NAME, path) for path in running.config.files]
    paths += [(by_field[field], path) for field in _READ_AGAIN if isinstance(path := getattr(settings, field), Path)]
    key_file = running.secrets.key.file
    unusable = {*running.unusable(), *([key_file.path] if key_file is not None and key_file.is_unusable else [])}
    files: list[FileShown] = [
        {"option": option, "path": str(path), "usable": path not in unusable} for option, path in paths
    ]
    return sorted(files, key=lambda file: file["usable"])


def _keys(running: Running) -> list[JsonObject]:
    """The keys that the proxy has: names, and whether each is set. Never a key itself."""
    secrets = running.secrets
    named = [{"name": name, "set": is_set} for name, is_set in secrets.providers.providers.items()]
    return [
        {"name": "HUNYUAN_API_KEY", "set": bool(secrets.key.value)},
        {"name": "TENCENTCLOUD_SECRET_ID", "set": bool(secrets.cloud.value)},
        *named,
    ]
