"""A bot's folder: made in one step from what is written down of the bot, and archived in one step."""

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from aviary.actors.core.refusal import Invalid, NotFound
from aviary.actors.strategies.files import write_yaml
from aviary.config.files import replace_file

SECRETS = (Path("conf/connectors"), Path("conf/.password_verification"))
"""What a bot needs and an archive must not have."""

CODE = ("scripts", "controllers")
"""Copied from the library: a bot runs what it was deployed with, whatever becomes of the library."""

NEXT = Path("conf/next")
"""Configurations of controllers that take effect when somebody starts the bot."""


class BotFolders:
    """The folders of bots under one `bots` folder. Every method blocks."""

    def __init__(self, bots: Path) -> None:
        self._bots = bots

    def of(self, name: str) -> Path:
        """A bot's folder."""
        return self._bots / "instances" / name

    def archive_of(self, name: str) -> Path:
        """Where a bot's data are kept after its end."""
        return self._bots / "archived" / name

    def account(self, name: str) -> Path:
        """An account's credentials; `NotFound`."""
        folder = self._bots / "credentials" / name
        if not folder.is_dir():
            raise NotFound(f"Account '{name}' not found")
        return folder

    def make(self, name: str, spec: dict[str, Any]) -> None:
        """Make the folder from what is written down; what a crash left half made is made anew."""
        folder = self.of(name)
        if folder.exists():
            return
        account = self.account(spec["account"])
        draft = folder.with_name(f".{name}.new")
        if draft.exists():
            shutil.rmtree(draft)
        for part in ("conf/connectors", "conf/scripts", "conf/controllers", "data", "logs"):
            (draft / part).mkdir(parents=True)
        for credential in needed_credentials(account, spec):
            replace_file(draft / "conf" / "connectors" / credential.name, credential.read_bytes(), durable=False)
        shutil.copyfile(account / ".password_verification", draft / "conf" / ".password_verification")
        for file in ("conf_client.yml", "conf_fee_overrides.yml", "hummingbot_logs.yml"):
            if (account / file).exists():
                shutil.copyfile(account / file, draft / "conf" / file)
        for config, values in spec["controllers"].items():
            write_yaml(draft / "conf" / "controllers" / config, values)
        write_yaml(draft / "conf" / "scripts" / spec["script_config"], spec["script"])
        for code in CODE:
            self._copy_code(code, draft)
        draft.rename(folder)

    def own_code(self, name: str) -> None:
        """Give a bot that was deployed with links to the library a copy of what they lead to."""
        folder = self.of(name)
        for code in CODE:
            if (folder / code).is_symlink():
                draft = folder / f".{code}.new"
                if draft.exists():
                    shutil.rmtree(draft)
                self._copy_code(code, folder, draft.name)
                (folder / code).unlink()
                draft.rename(folder / code)

    def _copy_code(self, code: str, folder: Path, called: str = "") -> None:
        shutil.copytree(
            self._bots / code, folder / (called or code), ignore=shutil.ignore_patterns("__pycache__", ".*")
        )

    def add_credentials(self, name: str, account: str, connectors: Iterable[str]) -> None:
        """Give a bot the account's keys for connectors that it has none for yet."""
        for connector in connectors:
            source = self.account(account) / "connectors" / f"{connector}.yml"
            target = self.of(name) / "conf" / "connectors" / source.name
            if source.exists() and not target.exists():
                replace_file(target, source.read_bytes())

    def config(self, name: str, stem: str) -> Path:
        """The configuration that a controller of the bot runs by."""
        return self.of(name) / "conf" / "controllers" / f"{stem}.yml"

    def next_config(self, name: str, stem: str) -> Path:
        """The one that takes effect when somebody starts the bot; it need not exist."""
        return self.of(name) / NEXT / f"{stem}.yml"

    def remove(self, name: str) -> None:
        """Remove the folder, and what a crash left of one."""
        for folder in (self.of(name), self.of(f".{name}.new")):
            with contextlib.suppress(FileNotFoundError):
                shutil.rmtree(folder)

    def archive(self, name: str) -> None:
        """Copy the folder to the archive, compare, and only then let the copy count. Keys are left out."""
        source, target = self.of(name), self.archive_of(name)
        if target.exists() or not source.exists():
            return
        draft = target.with_name(f".{name}.new")
        if draft.exists():
            shutil.rmtree(draft)
        files = [path for path in _files(source) if not _is_secret(path.relative_to(source))]
        for path in files:
            copy = draft / path.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, copy)
        for path in files:
            if _digest(path) != _digest(draft / path.relative_to(source)):
                raise OSError(f"the copy of {path.name} differs")
        draft.mkdir(parents=True, exist_ok=True)
        draft.rename(target)


def needed_credentials(account: Path, spec: dict[str, Any]) -> list[Path]:
    """The key files whose connectors the controllers name: each costs 0.4 s a secret at every start.

    All of them if none is named, as with a script that says in its code what it trades.
    """
    if not (account / ".password_verification").exists():
        raise Invalid(f"Account '{account.name}' has no credentials", "credentials_profile")
    available = sorted((account / "connectors").glob("*.yml"))
    named = {*_texts(spec["controllers"]), *spec.get("connectors", ())}
    used = [path for path in available if path.stem in named]
    missing = {
        values["connector_name"]
        for values in spec["controllers"].values()
        if isinstance(values.get("connector_name"), str)
    } - {path.stem for path in available}
    missing = {
        name for name in missing if not name.endswith("_paper_trade") and "/" not in name and "-" not in name
    }
    if missing:
        raise Invalid(
            f"Account '{account.name}' has no credentials for {', '.join(sorted(missing))}", "credentials_profile"
        )
    return used or available


def take_next_configs(folder: Path) -> None:
    """Somebody starts the bot of this folder: changes that had to wait for that take effect."""
    for path in sorted((folder / NEXT).glob("*.yml")):
        path.replace(folder / "conf" / "controllers" / path.name)


def _texts(value: Any) -> list[str]:
    match value:
        case str():
            return [value]
        case dict():
            return [text for item in value.values() for text in _texts(item)]
        case list() | tuple():
            return [text for item in value for text in _texts(item)]
        case _:
            return []


def _files(folder: Path) -> list[Path]:
    found = []
    for root, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name != "__pycache__" and not (Path(root) / name).is_symlink()]
        found += [Path(root) / name for name in files if not (Path(root) / name).is_symlink()]
    return found


def _is_secret(path: Path) -> bool:
    return any(path == secret or secret in path.parents for secret in SECRETS)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
