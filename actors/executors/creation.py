"""Beginning an executor: everything that may be wrong with it is found before it is written down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aviary.actors.core.refusal import ActorCrashed, Conflict, NotFound, Unavailable
from aviary.actors.executors.views import iso
from aviary.actors.hosts.calls import call_host
from aviary.actors.messages.accounts import ListAccounts, ListConnections
from aviary.actors.messages.connectors import WaitUntilReady
from aviary.actors.messages.executors import (
    EXECUTORS,
    MASTER,
    Begun,
    ConfigRefused,
    CreatedExecutor,
    WaitUntilBegun,
)
from aviary.persistence.executors import DuplicateExecutor, KeptExecutor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aviary.actors.core.actor import AsyncActor
    from aviary.actors.core.address import Address
    from aviary.actors.executors.branch import ExecutorBranch
    from aviary.actors.keeping.records import Records
    from aviary.actors.messages.executors import CreateExecutor

READ_TIMEOUT = 10.0
"""Seconds for a question inside the server."""

READY_PATIENCE = 15.0
"""Seconds that a connector has to take orders."""

FITS_LIMIT = 45.0
"""Seconds for what the exchange has to be asked: rules, the book, the leverage."""

BEGIN_PATIENCE = 10.0
"""Seconds that the answer waits for the executor's beginning, so that its status says something."""

type Problem = dict[str, Any]


class Creation:
    """Checks and begins executors, on behalf of one incarnation of their registry."""

    def __init__(
        self, actor: AsyncActor, records: Records, branch: ExecutorBranch, public_host: Address, accounts: Address
    ) -> None:
        self._actor = actor
        self._records = records
        self._branch = branch
        self._public_host = public_host
        self._accounts = accounts

    async def create(self, wanted: CreateExecutor) -> CreatedExecutor:
        """Begin an executor. `ConfigRefused`, `NotFound` for its account, `Conflict` for its id."""
        now = self._actor.clock.now()
        given = wanted.executor_config
        controller = wanted.controller_id or str(given.get("controller_id") or "main")
        checked = await call_host(
            self._actor, self._public_host, "check_executor", config={"timestamp": now, **given}
        )
        _refuse(checked["problems"])
        account = wanted.account_name or MASTER
        markets: list[list[str]] = checked["markets"]
        await self._check_account(account, markets, checked["shown"])
        executor_id = checked["shown"]["id"]
        if await self._records.read(lambda r: r.executors.get(executor_id)) is not None:
            raise Conflict(f"There is an executor {executor_id}")
        _refuse(
            await call_host(
                self._actor,
                f"accounts/{account}/host",
                "fits_executor",
                limit=FITS_LIMIT,
                kind=checked["shown"]["type"],
                config=checked["config"],
                # What was not asked for is left as the account has it.
                leverage=checked["shown"]["leverage"] if given.get("leverage") is not None else None,
            )
        )
        connector, pair = markets[0]
        kept = KeptExecutor(
            executor_id=executor_id,
            account=account,
            controller_id=controller,
            type=checked["shown"]["type"],
            connector_name=connector,
            trading_pair=pair,
            side=checked["side"],
            after_crash=wanted.after_crash,
            config={**checked["shown"], "controller_id": controller},
            life={"type": checked["shown"]["type"], "config": checked["config"], "notes": {}, "state": {}},
            created_at=now,
        )
        try:
            await self._records.write(lambda r: r.executors.add(kept))
        except DuplicateExecutor:
            raise Conflict(f"There is an executor {executor_id}") from None
        begun = await self._begin(executor_id)
        return CreatedExecutor(
            executor_id=executor_id,
            executor_type=kept.type,
            connector_name=connector,
            trading_pair=pair,
            controller_id=controller,
            status=begun.status,
            created_at=iso(now),
        )

    async def _check_account(self, account: str, markets: Sequence[Sequence[str]], shown: dict[str, Any]) -> None:
        if account not in await self._actor.ask(self._accounts, ListAccounts(), timeout=READ_TIMEOUT):
            raise NotFound(f"Account '{account}' not found")
        wanted = ListConnections(account_names=(account,))
        connections = await self._actor.ask(self._accounts, wanted, timeout=READ_TIMEOUT)
        addresses = {one.connector_name: one.address for one in connections}
        _refuse(
            [
                {
                    "loc": _place_of(shown, name),
                    "msg": f"Account '{account}' has no connector '{name}'",
                    "type": "value_error",
                    "input": name,
                }
                for name, _ in markets
                if name not in addresses
            ]
        )
        for name, _ in markets:
            ready = WaitUntilReady(patience=READY_PATIENCE)
            await self._actor.ask(addresses[name], ready, timeout=READY_PATIENCE + 1.0)

    async def _begin(self, executor_id: str) -> Begun:
        """What was written down is begun, now or later; the answer says how far it is."""
        await self._branch.start_executor(executor_id)
        try:
            return await self._actor.ask(
                f"{EXECUTORS}/{executor_id}",
                WaitUntilBegun(patience=BEGIN_PATIENCE),
                timeout=BEGIN_PATIENCE + 1.0,
            )
        except (Unavailable, ActorCrashed):
            return Begun(status="NOT_STARTED")


def _place_of(shown: dict[str, Any], connector: str) -> list[str]:
    for market in ("buying_market", "selling_market"):
        if market in shown and shown[market]["connector_name"] == connector:
            return [market, "connector_name"]
    return ["connector_name"]


def _refuse(problems: Sequence[Problem]) -> None:
    if problems:
        raise ConfigRefused(tuple({**one, "loc": ["body", "executor_config", *one["loc"]]} for one in problems))
