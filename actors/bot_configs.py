"""The configurations of deployed bots, which take effect while they run."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from aviary.actors.core.refusal import Invalid, NotFound
from aviary.actors.messages.bots import UpdateBotConfig, UpdateStrategy
from aviary.actors.strategy_files import read_yaml, write_yaml

if TYPE_CHECKING:
    from pathlib import Path

    from aviary.actors.bot_access import KnownBots
    from aviary.actors.bot_folder import BotFolders
    from aviary.actors.strategy_files import StrategyFiles


class BotConfigs:
    """Reads and changes the configurations of controllers in the folders of bots."""

    def __init__(self, bots: KnownBots, folders: BotFolders, strategies: StrategyFiles) -> None:
        self._bots = bots
        self._folders = folders
        self._strategies = strategies

    async def of(self, name: str) -> list[dict[str, Any]]:
        """Configurations of a bot's controllers."""
        await self._bots.must_exist(name)

        def read() -> list[dict[str, Any]]:
            return [
                {**read_yaml(path, path.stem), "_config_name": path.stem}
                for path in sorted(self._controllers_of(name).glob("*.yml"))
            ]

        return await asyncio.to_thread(read)

    async def update(self, message: UpdateBotConfig) -> dict[str, Any]:
        """Change one controller of one bot; `NotFound`, or `Invalid` for what is fixed."""
        name = message.bot_name
        async with self._bots.lock(name):
            await self._bots.must_exist(name)
            stem = message.controller
            if stem is None:
                found = await asyncio.to_thread(lambda: sorted(self._controllers_of(name).glob("*.yml")))
                if len(found) != 1:
                    raise Invalid("name the controller: the bot has several, or none", "controller")
                stem = found[0].stem
            stem = stem.removesuffix(".yml")
            missing = f"Controller configuration '{stem}' not found for bot '{name}'"
            if "/" in stem or stem.startswith("."):
                raise NotFound(missing)
            path = self._controllers_of(name) / f"{stem}.yml"
            values = await asyncio.to_thread(read_yaml, path, missing)
            for fixed in ("id", "controller_name", "controller_type"):
                if fixed in message.changes and message.changes[fixed] != values.get(fixed):
                    raise Invalid(f"{fixed} can't be changed in a deployed bot", fixed)
            changes = {key: value for key, value in message.changes.items() if key != "_config_name"}
            await asyncio.to_thread(write_yaml, path, {**values, **changes})
        return {"message": f"Controller configuration for bot '{name}' updated successfully"}

    async def update_everywhere(self, message: UpdateStrategy) -> dict[str, Any]:
        """Change a saved configuration and every deployed copy of it."""
        stem = message.controller_id.removesuffix(".yml")
        missing = f"Configuration '{stem}' not found"
        if "/" in stem or stem.startswith("."):
            raise NotFound(missing)
        changed = []
        for bot in await self._bots.fetch(lambda r: r.bots.list()):
            if await asyncio.to_thread((self._controllers_of(bot.name) / f"{stem}.yml").exists):
                change = UpdateBotConfig(bot_name=bot.name, controller=stem, changes=message.changes)
                await self.update(change)
                changed.append(bot.name)
        saved = self._strategies.config_path("controller", stem)
        if await asyncio.to_thread(saved.exists):
            values = await asyncio.to_thread(read_yaml, saved, missing)
            await asyncio.to_thread(write_yaml, saved, {**values, **message.changes})
        elif not changed:
            raise NotFound(missing)
        return {"message": f"Configuration '{stem}' updated successfully", "bots": changed}

    def _controllers_of(self, name: str) -> Path:
        return self._folders.of(name) / "conf" / "controllers"
