"""The user's own folder of profiles and families, whose keys are laid over the shipped ones (docs/profiles.md)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from . import dialects, profiles
from .config import values as read
from .config.option import OptionError, option
from .did_you_mean import suggestion
from .texts.terminal import say
from .upstream import signing

logger = logging.getLogger("hunyuan_fix")

OPTION = "hunyuan_profiles"


def default_folder() -> Path:
    """The folder that is read if it exists and the option names no other."""
    return Path(platformdirs.user_config_dir("hunyuan-fix", appauthor=False)) / "profiles"


@read.accepting("a folder that exists")
def _folder(text: str) -> Path | None:
    if not text:
        usual = default_folder()
        return usual if usual.is_dir() else None
    folder = read.path(text)
    if not folder.is_dir():
        raise ValueError(say("accepted is a folder that exists, with TOML files of profiles"))
    return folder


@dataclass(frozen=True)
class ProfileSettings:
    """Where the user's profiles are."""

    profiles: Path | None = option(
        "",
        "Folder with your own TOML files of providers and models, laid over the built-in ones key by key; read "
        "again when one changes. Default: the folder profiles in hunyuan-fix's config folder, if it exists.",
        _folder,
    )


def use(settings: ProfileSettings, below: Sequence[Path] = ()) -> None:
    """Use the folder from now on, laid over the folders `below`. If their files are in use, nothing happens.

    Raises `OptionError` for a file that can't be used; then nothing changes.
    """
    try:
        profiles.use(settings.profiles, check=_check, below=below)
    except profiles.ProfileError as error:
        named = ", ".join(str(folder) for folder in (*below, settings.profiles) if folder)
        raise OptionError(f"{OPTION}={named}: {error}") from None


class ProfileFolder:
    """Watches the folder, and lets its files be read anew when one has changed.

    `apply` applies the option as it is. It raises `OptionError` if a file can't be used; then nothing has changed.
    A change counts when two looks in a row find the same: a file may be half written at the first.
    """

    def __init__(self, apply: Callable[[], None]) -> None:
        self._apply = apply
        self._folder: Path | None = None
        self._refused = False
        self._seen = self._dealt_with = profiles.version(None)

    def follow(self, folder: Path | None) -> None:
        """Watch `folder` from now on; `None`: the usual one, which may be made later."""
        self._folder = folder
        self._refused = False
        self._seen = self._dealt_with = profiles.version(folder or default_folder())

    @property
    def unusable(self) -> Path | None:
        """The folder, if its files can't be used as they are now; those before them are in use."""
        return (self._folder or default_folder()) if self._refused else None

    async def look(self) -> None:
        """Look at the folder once, and apply what has changed in it."""
        before, self._seen = self._seen, profiles.version(self._folder or default_folder())
        if self._seen != before or self._seen == self._dealt_with:
            return
        self._dealt_with = self._seen
        self._refused = False
        if profiles.is_in_use(self._seen):
            return
        try:
            self._apply()
        except OptionError as error:
            self._refused = True
            logger.error("%s", say("{problem}. The profiles are unchanged.", problem=str(error).rstrip(".?")))
        else:
            logger.info("%s", say("{folder}: changed files are in use.", folder=self._folder or default_folder()))


def _check(profile: profiles.Profile) -> None:
    """Raise `ProfileError` if the profile names what no code has."""
    formats = dialects.foreign()
    for key, given, known in (
        ("dialect", [profile.dialect], dialects.UPSTREAM_DIALECTS),
        ("signer", [profile.signer], signing.SIGNERS),
        ("speaks", profile.speaks, formats),
        ("native", profile.native, formats),
    ):
        _among(f"{profile.name}.toml: {key}", given, known)


def _among(place: str, given: Iterable[str], known: Iterable[str]) -> None:
    for word in given:
        if word not in known:
            near = suggestion(word, known) or f"; accepted are {', '.join(known)}"
            raise profiles.ProfileError(f"{place}: there is no {word!r}{near}")
