"""All options. Each base of `Settings` is the settings class of a feature; their order is the order of the options.

A feature declares its options beside its code (`config.option`) and is given its own settings class. This file is above
every feature that it lists, and below `runtime`, `pipeline` and the hooks, which read it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from . import profile_folder, route
from .access.cors import OriginSettings
from .access.listeners import ListenerSettings
from .access.secrets import SecretSettings
from .admission.accounts import AdmissionSettings
from .answer_cache.settings import AnswerCacheSettings
from .answers.json_repair.settings import JsonSettings
from .answers.rounds.settings import ContinueSettings
from .budgets.settings import BudgetSettings
from .cascade import CascadeSettings
from .config import option
from .config.config_file import ConfigFileSettings
from .config.hook_options import (
    BodySettings,
    DispatchSettings,
    DrainingSettings,
    FlowSettings,
    HeartbeatSettings,
    InterceptionSettings,
)
from .config.option import OptionError
from .config.page_options import PageSettings
from .embeddings.settings import EmbeddingSettings
from .fallbacks import FallbackSettings
from .kept import KeepSettings
from .masking.settings import MaskSettings
from .mending import MendSettings
from .model_map import ModelMapSettings
from .observe.admin.settings import AdminSettings
from .observe.alerts import alert
from .observe.alerts.settings import AlertSettings
from .observe.ledger.settings import UsageSettings
from .observe.log_file import LogSettings
from .observe.traces.settings import TraceSettings
from .plugins.settings import PluginSettings
from .profile_folder import ProfileSettings
from .recording.settings import RecordingSettings
from .route import RouteSettings
from .rules.settings import FoldSettings, RuleSettings
from .runaway import RunawaySettings
from .search.program import SearchSettings
from .stores import StoreSettings
from .upstream.circuit_breaker import BreakerSettings
from .upstream.retry import RetrySettings
from .upstream.transport import TransportSettings


@dataclass(frozen=True)
class Settings(
    PluginSettings,  # the first: plug-ins have profiles and alerts
    ProfileSettings,  # before those that name profiles
    RouteSettings,
    CascadeSettings,
    BodySettings,
    FoldSettings,
    TransportSettings,
    RuleSettings,
    ModelMapSettings,
    InterceptionSettings,
    ListenerSettings,
    FlowSettings,
    StoreSettings,
    KeepSettings,
    AnswerCacheSettings,
    EmbeddingSettings,
    RecordingSettings,
    MaskSettings,
    AdmissionSettings,
    SearchSettings,
    RetrySettings,
    MendSettings,
    FallbackSettings,
    RunawaySettings,
    BudgetSettings,
    JsonSettings,
    ContinueSettings,
    BreakerSettings,
    SecretSettings,
    OriginSettings,
    AdminSettings,
    PageSettings,
    DrainingSettings,
    DispatchSettings,
    LogSettings,
    UsageSettings,
    HeartbeatSettings,
    TraceSettings,
    AlertSettings,
    ConfigFileSettings,
):
    """All options, parsed. Sizes in bytes, times in seconds; `None`: the profile decides."""


OPTIONS = option.options_of(Settings)
"""The table. Keys must never be options: mitmweb shows all options to its users."""


def parse(values: Mapping[str, object]) -> Settings:
    """Parse the options `values` (name -> text or switch; missing ones have their default).

    The profiles in the folder and the plug-ins that they name are in use from then on. Raises `OptionError` for the
    first invalid value.
    """
    _use_plugins_and_profiles(values)
    return option.parse(Settings, values)


def _use_plugins_and_profiles(values: Mapping[str, object]) -> None:
    """Let other options name the profiles and the alerts that there are under `values`. Raises `OptionError`."""
    made = option.parse(PluginSettings, values).plugins
    profile_folder.use(option.parse(ProfileSettings, values), made.folders)
    alert.use(made.alerts)


def faults(values: Mapping[str, object]) -> list[str]:
    """A line for each option of `values` that `parse` would refuse, and for those that don't go together.

    The profiles in the folder that they name are in use from then on, as after `parse`.
    """
    checks: list[Callable[[], object]] = [lambda: _use_plugins_and_profiles(values)]
    checks += [partial(known.parse, values.get(known.name, known.default)) for known in OPTIONS]
    checks.append(lambda: route.check(option.parse(Settings, values)))
    found = []
    for check in checks:
        try:
            check()
        except OptionError as error:
            found.append(str(error))
    return list(dict.fromkeys(found))
