"""Starting, stopping and archiving bots; what is wanted is written down first."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

from aviary.actors.bots.alarms import BotAlarms
from aviary.actors.bots.folder import take_next_configs
from aviary.actors.bots.traces import BotTraces
from aviary.actors.core.refusal import Invalid
from aviary.actors.messages.bots import BotStatus, HaltBot, RunBot, StartBot, StopAndArchiveBot, StopBot
from aviary.actors.messages.broker import ForgetBot

if TYPE_CHECKING:
    from aviary.actors.bots.access import KnownBots
    from aviary.actors.bots.branch import BotBranch
    from aviary.actors.bots.folder import BotFolders
    from aviary.actors.bots.store import Bot
    from aviary.actors.keeping.until_done import UntilDone
    from aviary.persistence.repositories import Repositories

LINK = "broker/link"

RUN_TIMEOUT = 9.0
"""Seconds for a bot's actor to begin a start."""

STOP_TIMEOUT = 150.0
"""Seconds for a stop: over MQTT, by SIGTERM, by SIGKILL, and settling what is left."""


class BotLifecycle:
    """Starts and stops bots, and archives what stopped ones leave."""

    def __init__(
        self, bots: KnownBots, branch: BotBranch, folders: BotFolders, unfinished: UntilDone
    ) -> None:
        self._bots = bots
        self._branch = branch
        self._folders = folders
        self._unfinished = unfinished

    async def start(self, message: StartBot) -> dict[str, Any]:
        """Start a bot that was stopped."""
        name = message.bot_name
        if message.lenient and await self._bots.is_unknown(name):
            return {"success": False, "message": f"Bot {name} not found"}
        async with self._bots.lock(name):
            bot = await self._bots.must_exist(name)
            # How an earlier stop was meant says nothing about the next one.
            spec = {**bot.spec, "skip_order_cancellation": False}
            await self._bots.change(name, desired="running", spec=spec)
            if not self._bots.lives(name):
                await asyncio.to_thread(take_next_configs, self._folders.of(name))
                await asyncio.to_thread(BotTraces(self._folders.of(name)).forget)
                await self._branch.start_bot(name)
            await self._bots.actor.ask(f"bots/{name}", RunBot(), timeout=RUN_TIMEOUT)
        return {"success": True}

    async def stop(self, message: StopBot) -> dict[str, Any]:
        """Stop a bot, and say which orders and positions are left."""
        if message.lenient and await self._bots.is_unknown(message.bot_name):
            return {"success": False, "message": f"Bot {message.bot_name} not found"}
        status = await self._halt(
            message.bot_name, skip=message.skip_order_cancellation, wait=not message.async_backend
        )
        return {
            "success": True,
            "state": status.state,
            "reason": status.reason,
            "orders_left": status.orders_left,
            "positions_left": status.positions_left,
        }

    async def _halt(self, name: str, *, skip: bool, wait: bool) -> BotStatus:
        async with self._bots.lock(name):
            bot = await self._bots.must_exist(name)
            # Written down first: a server that dies now must not start the bot again, nor cancel what is to stay.
            spec = {**bot.spec, "skip_order_cancellation": skip}
            await self._bots.change(name, desired="stopped", spec=spec)
            if not self._bots.lives(name):
                await self._branch.start_bot(name)
        return await self._bots.actor.ask(
            f"bots/{name}", HaltBot(skip_order_cancellation=skip, wait=wait), timeout=STOP_TIMEOUT
        )

    async def stop_and_archive(self, message: StopAndArchiveBot) -> dict[str, Any]:
        """Begin to stop and archive; goes on after the answer."""
        name = message.bot_name
        if message.s3_bucket is not None or not message.archive_locally:
            raise Invalid("archives are kept in the local folder", "archive_locally")
        if await self._bots.is_unknown(name):
            # The released server's answer: 200, and the status says so.
            active = [bot.name for bot in await self._bots.records.read(lambda r: r.bots.list())]
            return {
                "status": "error",
                "message": f"Bot '{name}' not found. Known bots: {active}",
                "details": {
                    "input_name": name,
                    "actual_bot_name": name,
                    "container_name": name,
                    "active_bots": active,
                    "reason": "There is no bot of this name",
                },
            }
        async with self._bots.lock(name):
            bot = await self._bots.must_exist(name)
            spec = {**bot.spec, "step": "archive", "skip_order_cancellation": message.skip_order_cancellation}
            archived = await self._bots.change(name, desired="stopped", spec=spec)
        if archived is not None:
            self.begin_archive(archived)
        return {
            "status": "success",
            "message": f"Stop and archive process started for bot {name}",
            "details": {
                "input_name": name,
                "actual_bot_name": name,
                "container_name": name,
                "process": (
                    "The bot is stopped, its data are copied to the archive, and its folder is removed."
                    " This takes 10 to 30 seconds."
                ),
            },
        }

    def begin_archive(self, bot: Bot) -> None:
        """Go on, or begin, to archive a bot for which that is written down; it is tried until it is done."""
        skip = bool(bot.spec.get("skip_order_cancellation"))
        self._unfinished.begin(f"the archive of {bot.name}", partial(self._archive, bot.name, skip=skip))

    async def _archive(self, name: str, *, skip: bool) -> None:
        """Stop, copy, remove. Until the copy is whole the bot keeps its folder."""
        if await self._bots.is_unknown(name):
            return
        await self._halt(name, skip=skip, wait=True)
        async with self._bots.lock(name):
            await asyncio.to_thread(self._folders.archive, name)
        await self._branch.remove_bot(name)
        await asyncio.to_thread(self._folders.remove, name)

        def work(r: Repositories) -> None:
            run = r.bots.last_run(name)
            if run is not None:
                r.bots.change_run(run.id, deployment_status="ARCHIVED", run_status="STOPPED")
            r.bots.remove(name)

        await self._bots.records.write(work)
        BotAlarms(self._bots.actor.system.alarms, name).clear()
        self._bots.actor.tell(LINK, ForgetBot(bot=name))
