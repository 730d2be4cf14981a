"""How bots are: their states, results and the link they speak through."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from aviary.actors.bots import runs
from aviary.actors.bots.store import performance_view
from aviary.actors.bots.traces import BotTraces
from aviary.actors.core.refusal import Refusal, Unavailable
from aviary.actors.messages.bots import AskBot, BotStatus, FindBot, GetBotHistory, GetBotStatus
from aviary.actors.messages.broker import GetLink

if TYPE_CHECKING:
    from aviary.actors.bots.access import KnownBots
    from aviary.actors.bots.folder import BotFolders
    from aviary.actors.keeping.until_done import UntilDone

LINK = "broker/link"

STATUS_TIMEOUT = 3.0
"""Seconds for a bot's actor to say how it is."""


class BotViews:
    """Answers questions; changes nothing."""

    def __init__(self, bots: KnownBots, folders: BotFolders, unfinished: UntilDone) -> None:
        self._bots = bots
        self._folders = folders
        self._unfinished = unfinished

    async def all(self) -> dict[str, BotStatus]:
        """Every bot's status, by name."""
        bots = await self._bots.records.read(lambda r: r.bots.list())
        statuses = await asyncio.gather(*(self._status_of(bot.name) for bot in bots))
        return {status.name: status for status in statuses}

    async def find_leniently(self, message: FindBot) -> BotStatus | None:
        """A bot's status; `None` instead of `NotFound` if that is asked for."""
        if message.lenient and await self._bots.is_unknown(message.bot_name):
            return None
        return await self.find(message.bot_name)

    async def find(self, name: str) -> BotStatus:
        """A bot's status; `NotFound`."""
        await self._bots.must_exist(name)
        return await self._status_of(name)

    async def _status_of(self, name: str) -> BotStatus:
        cell = self._bots.actor.system.cell(f"bots/{name}")
        if cell is not None and self._bots.lives(name):
            try:
                return await self._bots.actor.ask(f"bots/{name}", GetBotStatus(), timeout=STATUS_TIMEOUT)
            except Refusal as refusal:
                return BotStatus(name=name, state="failed", reason=refusal.detail)
        if cell is None:
            return self._not_brought_up(name)
        state = "backing_off" if cell.state in {"backing_off", "starting"} else "failed"
        now = self._bots.actor.clock.now()
        next_try_at = cell.view(now, self._bots.actor.clock.monotonic()).next_try_at
        last = await asyncio.to_thread(BotTraces(self._folders.of(name)).failure)
        reason = last.get("detail") or cell.last_failure or "unknown"
        if next_try_at is not None:
            reason += f"; next try in {max(0.0, next_try_at - now):.1f} s"
        elif state == "backing_off":
            reason += "; trying again now"
        return BotStatus.model_validate(
            {
                "name": name,
                "state": state,
                "reason": reason,
                "error_logs": last.get("errors", ()),
                "restarts": cell.restarts,
                "incarnation": cell.incarnation,
            }
        )

    def _not_brought_up(self, name: str) -> BotStatus:
        """The status of a bot without an actor: its process, if there is one, goes on all the same."""
        waiting = self._unfinished.waiting(name)
        if waiting is None:
            return BotStatus(name=name, state="starting", reason="it is being brought up")
        seconds = max(0.0, waiting.next_try_at - self._bots.actor.clock.monotonic())
        reason = f"it could not be brought up yet: {waiting.why}; next try in {seconds:.1f} s"
        return BotStatus(name=name, state="backing_off", reason=reason)

    async def history(self, message: GetBotHistory) -> dict[str, Any]:
        """The bot's own account of its trades; `Unavailable` unless it runs."""
        await self._bots.must_exist(message.bot_name)
        if not self._bots.lives(message.bot_name):
            raise Unavailable(f"bot {message.bot_name} is not running")
        data = {
            "days": message.days,
            "verbose": message.verbose,
            "precision": message.precision,
            "async_backend": False,
        }
        question = AskBot(command="history", data=data, timeout=message.timeout)
        return await self._bots.actor.ask(
            f"bots/{message.bot_name}", question, timeout=message.timeout + STATUS_TIMEOUT * 2
        )

    async def mqtt_state(self) -> dict[str, Any]:
        """The link to the broker and who speaks on it."""
        link = await self._bots.actor.ask(LINK, GetLink(), timeout=STATUS_TIMEOUT)
        return {
            "mqtt_connected": link.connected,
            "discovered_bots": sorted(link.bots),
            "active_bots": sorted(name for name, silent in link.bots.items() if silent < runs.ACTIVE),
            "broker_host": link.host,
            "broker_port": link.port,
            "broker_username": link.username,
            "client_state": "connected" if link.connected else "disconnected",
        }

    async def latest_performance(self, name: str | None) -> list[dict[str, Any]]:
        """The last results of one bot or of all, one row a controller."""
        statuses = [await self.find(name)] if name is not None else list((await self.all()).values())
        now = runs.iso(self._bots.actor.clock.now())
        return [
            {"timestamp": now, "bot_name": status.name, "controller_id": controller_id, **report}
            for status in statuses
            for controller_id, report in performance_view(status).items()
        ]
