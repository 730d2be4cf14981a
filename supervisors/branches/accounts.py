"""The accounts' branch: one supervisor an account, its engine host first, then one actor a credential."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aviary.supervisors.backoff import MONEY, Backoff
from aviary.supervisors.branches.asking import have, have_no_more
from aviary.supervisors.spec import ChildSpec, SupervisorSpec
from aviary.supervisors.supervisor import SUPERVISOR_SETTINGS, Supervisor

if TYPE_CHECKING:
    from collections.abc import Callable

    from aviary.actors.core.actor import Actor
    from aviary.actors.core.system import System

HOST = Backoff(first=0.05, factor=4.0, cap=30.0)
"""A host that was killed is back at once: an account without one can't trade; one that dies again waits."""

HOST_NAME = "host"

TIMEOUT = 30.0
"""Seconds an account has to start or to stop."""


class SupervisedAccounts:
    """Starts and stops accounts and their connectors under the supervisor `accounts`."""

    def __init__(
        self,
        system: System,
        host: Callable[[str], Actor],
        connector: Callable[[str, str], Actor],
        branch: str = "accounts",
    ) -> None:
        self._system = system
        self._host = host
        self._connector = connector
        self._branch = branch

    async def start_account(self, account: str) -> None:
        """Start an account's supervisor and engine host; again does no harm."""
        host = ChildSpec(HOST_NAME, lambda: self._host(account), backoff=HOST)
        # Each child's own backoff is patience enough; an account is never given up.
        spec = SupervisorSpec(strategy="rest_for_one", intensity=None, children=(host,))
        child = ChildSpec(
            account, lambda: Supervisor(spec), kind="supervisor", settings=SUPERVISOR_SETTINGS, backoff=MONEY
        )
        await have(self._system, self._branch, child, TIMEOUT)

    async def stop_account(self, account: str) -> None:
        """Stop an account and all that is under it."""
        await have_no_more(self._system, self._branch, account, TIMEOUT)

    async def start_connector(self, account: str, connector: str) -> None:
        """Start the actor of a credential; again does no harm."""
        child = ChildSpec(connector, lambda: self._connector(account, connector), backoff=MONEY)
        await have(self._system, f"{self._branch}/{account}", child, TIMEOUT)

    async def stop_connector(self, account: str, connector: str) -> None:
        """Stop the actor of a credential."""
        await have_no_more(self._system, f"{self._branch}/{account}", connector, TIMEOUT, keeps_spec=True)
