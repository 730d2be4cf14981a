"""The configurations of deployed bots: checked, written, and said of each change when it takes effect."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import orjson
from aviary.actors.core.refusal import ActorCrashed, Invalid, NotFound, Refusal, Unavailable
from aviary.actors.messages.bots import (
    BotStatus,
    ChangeRefused,
    GetBotStatus,
    RunBot,
    UpdateBotConfig,
    UpdateStrategy,
)
from aviary.actors.messages.strategies import CheckConfig, CheckedConfig, WrongConfig
from aviary.actors.strategies.files import read_yaml, write_yaml

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping
    from pathlib import Path

    from aviary.actors.bots.access import KnownBots
    from aviary.actors.bots.folder import BotFolders
    from aviary.actors.bots.store import Bot
    from aviary.actors.strategies.files import StrategyFiles

LIBRARY = "strategy-library"

CHECK_TIMEOUT = 70.0
"""Seconds for finding out whether a change is good, for all bots that it concerns."""

CONFIRMATION_TIMEOUT = 15.0
"""Seconds that a running bot has to take a change over: it looks every second."""

CONFIRMATION_POLL = 0.1

STATUS_TIMEOUT = 3.0

FIXED = ("id", "controller_name", "controller_type")
"""What makes a controller this one."""

MADE_AT_START = ("leverage", "position_mode", "connector", "connector_name", "trading_pair")
"""Ends of the names of fields that an exchange is set up by, or a market opened, when a bot starts: whatever a class says,
they do not take effect before."""

PENDING = "_applies_at_next_start"
"""Under this name a configuration lists the fields whose value is not in effect yet."""

NOTES = ("_config_name", PENDING)

APPLIED, LATER, UNCHANGED = "applied", "applies at next start", "unchanged"

REFUSED, UNTOUCHED = "refused", "not applied"


class BotConfigs:
    """Reads and changes the configurations of controllers in the folders of bots.

    A controller runs by `conf/controllers/X.yml`, after a crash too. What it does not take over while it runs waits
    beside it until somebody starts the bot.
    """

    def __init__(self, bots: KnownBots, folders: BotFolders, strategies: StrategyFiles) -> None:
        self._bots = bots
        self._folders = folders
        self._strategies = strategies

    async def of(self, name: str) -> list[dict[str, Any]]:
        """Configurations of a bot's controllers, as they were last changed."""
        await self._bots.must_exist(name)
        return await asyncio.to_thread(self._read_all, name)

    def _read_all(self, name: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for path in sorted(self._controllers_of(name).glob("*.yml")):
            try:
                present = read_yaml(path, path.stem)
                wanted = self._wanted(name, path.stem, present)
            except Invalid as torn:
                found.append({"id": path.stem, "error": torn.detail, "_config_name": path.stem})
                continue
            waiting = sorted(key for key in {*present, *wanted} if present.get(key) != wanted.get(key))
            found.append({**wanted, "_config_name": path.stem, **({PENDING: waiting} if waiting else {})})
        return found

    def _wanted(self, name: str, stem: str, present: dict[str, Any]) -> dict[str, Any]:
        path = self._folders.next_config(name, stem)
        return read_yaml(path, stem) if path.exists() else present

    async def update(self, message: UpdateBotConfig) -> dict[str, Any]:
        """Change one controller of one bot, all of what is sent or nothing.

        Says of each field whether it was applied. `NotFound`; `ChangeRefused`, naming the field, for what the
        controller's class or the world does not take.
        """
        name = message.bot_name
        async with self._bots.lock(name):
            bot = await self._bots.must_exist(name)
            stem = await asyncio.to_thread(self._stem, name, message.controller)
            change = await _in_time(self._checked(bot, stem, message.changes))
            told = await self._carry_out(bot, stem, change)
        return {"message": f"Controller configuration for bot '{name}' updated successfully", **told}

    async def update_everywhere(self, message: UpdateStrategy) -> dict[str, Any]:
        """Change a saved configuration and every deployed copy of it, or nothing."""
        stem = message.controller_id.removesuffix(".yml")
        missing = f"Configuration '{stem}' not found"
        if not _is_name(stem):
            raise NotFound(missing)
        saved = self._strategies.config_path("controller", stem)
        bots = await self._bots.records.read(lambda r: r.bots.list())
        users = [bot for bot in bots if await asyncio.to_thread(self._folders.config(bot.name, stem).exists)]
        if not users and not await asyncio.to_thread(saved.exists):
            raise NotFound(missing)
        changes, library = await _in_time(self._check_all(users, stem, saved, message.changes))
        if library is not None:
            await asyncio.to_thread(write_yaml, saved, library.config)

        async def carry_out(bot: Bot, change: _Change) -> dict[str, Any]:
            async with self._bots.lock(bot.name):
                return await self._carry_out(bot, stem, change)

        answers = await asyncio.gather(
            *(carry_out(bot, change) for bot, change in zip(users, changes, strict=True))
        )
        told = {bot.name: answer for bot, answer in zip(users, answers, strict=True)}
        return {
            "message": f"Configuration '{stem}' updated successfully",
            "bots": list(told),
            "fields": {bot: answer["fields"] for bot, answer in told.items()},
        }

    # Checking

    async def _check_all(
        self, users: list[Bot], stem: str, saved: Path, changes: dict[str, Any]
    ) -> tuple[list[_Change], CheckedConfig | None]:
        """What a change comes to for every bot, and for the saved configuration if there is one."""
        checked = [await self._checked(bot, stem, changes) for bot in users]
        if not await asyncio.to_thread(saved.exists):
            return checked, None
        values = await asyncio.to_thread(read_yaml, saved, stem)
        return checked, await self._ask(CheckConfig(kind="controller", config=_changed(values, changes)))

    def _stem(self, name: str, controller: str | None) -> str:
        """The configuration that is meant; it exists."""
        if controller is None:
            found = sorted(self._controllers_of(name).glob("*.yml"))
            if len(found) != 1:
                raise Invalid("name the controller: the bot has several, or none", "controller")
            return found[0].stem
        stem = controller.removesuffix(".yml")
        if not _is_name(stem) or not self._folders.config(name, stem).exists():
            raise NotFound(f"Controller configuration '{stem}' not found for bot '{name}'")
        return stem

    async def _checked(self, bot: Bot, stem: str, changes: dict[str, Any]) -> _Change:
        """What a change comes to: nothing has been written yet."""
        present = await asyncio.to_thread(_read_if_whole, self._folders.config(bot.name, stem))
        before = await asyncio.to_thread(self._wanted, bot.name, stem, present)
        for fixed in FIXED:
            if before and fixed in changes and changes[fixed] != before.get(fixed):
                raise _refused(f"{fixed} can't be changed in a deployed bot", (fixed,), changes)
        try:
            wanted = await self._check(bot, _changed(before, changes), before)
        except Invalid as invalid:
            wrong = invalid.fields if isinstance(invalid, WrongConfig) else ()
            raise _refused(f"{stem}: {invalid.detail}", wrong, changes) from None
        sent = {field for field in changes if field not in NOTES}
        # What means the same as before stays as it was written.
        config = {field: value for field, value in wanted.config.items() if field not in sent - wanted.changed}
        config |= {
            field: before[field] for field in sent - wanted.changed & wanted.config.keys() if field in before
        }
        takes_over = sent & wanted.updatable & wanted.changed & config.keys()
        at_once = {field: config[field] for field in takes_over if not field.endswith(MADE_AT_START)}
        running = {**present, **at_once}
        if running != config:
            try:
                running = (await self._check(bot, running, present)).config
            except Invalid:
                # Together they make sense, and without what has to wait they do not.
                running, at_once = present, {}
        fields = {field: LATER if field in wanted.changed else UNCHANGED for field in sent & wanted.fields}
        return _Change(wanted, present, config, running, frozenset(at_once), fields)

    async def _check(self, bot: Bot, config: dict[str, Any], before: dict[str, Any]) -> CheckedConfig:
        account = bot.spec["account"]
        return await self._ask(
            CheckConfig(kind="controller", config=config, before=before, account=account, bot=bot.name)
        )

    async def _ask(self, question: CheckConfig) -> CheckedConfig:
        return await self._bots.actor.ask(LIBRARY, question, timeout=CHECK_TIMEOUT)

    # Carrying out

    async def _carry_out(self, bot: Bot, stem: str, change: _Change) -> dict[str, Any]:
        name, fields = bot.name, dict(change.fields)
        await asyncio.to_thread(self._write, bot, stem, change)
        status = await self._status(name)
        if status is not None and status.state in {"running", "degraded"} and change.at_once:
            taken = await self._confirmed(name, stem)
            if taken is not None:
                fields |= dict.fromkeys(change.at_once & taken, APPLIED)
                await self._defer(bot, stem, change, change.at_once - taken)
        elif status is not None and status.state == "failed" and bot.desired == "running":
            # It had given up because of how it was configured.
            await self._bots.actor.ask(f"bots/{name}", RunBot(), timeout=STATUS_TIMEOUT)
        return {"fields": fields, "warnings": list(change.checked.warnings)}

    async def _defer(self, bot: Bot, stem: str, change: _Change, ignored: frozenset[str]) -> None:
        """Have fields wait for a start that the controller was offered and did not take over."""
        if not ignored:
            return
        before = {field: value for field, value in change.before.items() if field in ignored}
        kept = {field: value for field, value in change.running.items() if field not in ignored} | before
        try:
            running = (await self._check(bot, kept, change.before)).config
        except Refusal:
            # Without them the rest makes no sense: the next life gets all of it.
            return
        await asyncio.to_thread(self._write, bot, stem, replace(change, running=running))

    def _write(self, bot: Bot, stem: str, change: _Change) -> None:
        self._folders.add_credentials(bot.name, bot.spec["account"], change.checked.connectors)
        later = self._folders.next_config(bot.name, stem)
        if change.running == change.config:
            later.unlink(missing_ok=True)
        else:
            write_yaml(later, change.config)
        write_yaml(self._folders.config(bot.name, stem), change.running)

    async def _status(self, name: str) -> BotStatus | None:
        if not self._bots.lives(name):
            return None
        try:
            return await self._bots.actor.ask(f"bots/{name}", GetBotStatus(), timeout=STATUS_TIMEOUT)
        except (Refusal, ActorCrashed):
            return None

    async def _confirmed(self, name: str, stem: str) -> frozenset[str] | None:
        """The fields of the file that the bot says are in effect; `None` if it does not say in time.

        Then it takes over what it can as soon as it looks, a kill switch for one.
        """
        digest = await asyncio.to_thread(_digest, self._folders.config(name, stem))
        report = self._folders.of(name) / "data" / "configs.json"
        try:
            async with asyncio.timeout(CONFIRMATION_TIMEOUT):
                while True:
                    told = (await asyncio.to_thread(_read, report)).get(f"{stem}.yml", {})
                    if told.get("digest") == digest:
                        return frozenset(told.get("in_effect", ()))
                    await asyncio.sleep(CONFIRMATION_POLL)
        except TimeoutError:
            return None

    def _controllers_of(self, name: str) -> Path:
        return self._folders.of(name) / "conf" / "controllers"


async def _in_time[R](work: Awaitable[R]) -> R:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT):
            return await work
    except TimeoutError:
        raise Unavailable(f"the change could not be checked within {CHECK_TIMEOUT:g} s", 10.0) from None


@dataclass(frozen=True, slots=True)
class _Change:
    """A change that was found to be good."""

    checked: CheckedConfig
    before: dict[str, Any]
    """What the controller has run by until now."""
    config: dict[str, Any]
    """What it should run by."""
    running: dict[str, Any]
    """What it runs by from now on, also after a crash."""
    at_once: frozenset[str]
    """Fields that it is expected to take over while it runs."""
    fields: dict[str, str]
    """Of each field that was sent, whether it changes anything."""


def _changed(values: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    return {**values, **{key: value for key, value in changes.items() if key not in NOTES}}


def _refused(detail: str, wrong: tuple[str, ...], changes: Mapping[str, Any]) -> ChangeRefused:
    fields = {field: REFUSED if field in wrong else UNTOUCHED for field in changes if field not in NOTES}
    return ChangeRefused(detail, wrong[0] if wrong else None, fields)


def _read_if_whole(path: Path) -> dict[str, Any]:
    """A configuration; empty for a file that can't be read, which a whole new one may replace."""
    try:
        return read_yaml(path, path.stem)
    except Invalid:
        return {}


def _is_name(stem: str) -> bool:
    return bool(stem) and len(stem) <= 100 and stem.isprintable() and "/" not in stem and not stem.startswith(".")  # noqa: PLR2004


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _read(report: Path) -> dict[str, Any]:
    try:
        told = orjson.loads(report.read_bytes())
    except (FileNotFoundError, orjson.JSONDecodeError):
        return {}
    return told if isinstance(told, dict) else {}
