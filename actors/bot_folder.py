"""A bot's folder: made in one step from what is written down of the bot, and archived in one step."""

import contextlib
import hashlib
import os
import shutil
from pathlib import Path
from typing import Any

from aviary.actors.core.refusal import Invalid, NotFound
from aviary.actors.strategy_files import write_yaml

SECRETS = (Path("conf/connectors"), Path("conf/.password_verification"))
"""What a bot needs and an archive must not have."""

SHARED = ("scripts", "controllers")
"""Linked to the shared folders: a bot runs what is there when it starts."""


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
        """An account's credentials; `NotFound` if there are none."""
        folder = self._bots / "credentials" / name
        if not (folder / ".password_verification").exists():
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
            shutil.copyfile(credential, draft / "conf" / "connectors" / credential.name)
            (draft / "conf" / "connectors" / credential.name).chmod(0o600)
        shutil.copyfile(account / ".password_verification", draft / "conf" / ".password_verification")
        for file in ("conf_client.yml", "conf_fee_overrides.yml", "hummingbot_logs.yml"):
            if (account / file).exists():
                shutil.copyfile(account / file, draft / "conf" / file)
        for config, values in spec["controllers"].items():
            write_yaml(draft / "conf" / "controllers" / config, values)
        write_yaml(draft / "conf" / "scripts" / spec["script_config"], spec["script"])
        for shared in SHARED:
            (draft / shared).symlink_to(os.path.relpath(self._bots / shared, folder))
        draft.rename(folder)

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
    available = sorted((account / "connectors").glob("*.yml"))
    named = set(_texts(spec["controllers"])) if spec["controllers"] else set()
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
        folders[:] = [name for name in folders if not (Path(root) / name).is_symlink()]
        found += [Path(root) / name for name in files if not (Path(root) / name).is_symlink()]
    return found


def _is_secret(path: Path) -> bool:
    return any(path == secret or secret in path.parents for secret in SECRETS)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
