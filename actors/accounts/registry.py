"""Knows the accounts and their credentials, which are folders and encrypted files."""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import string
from typing import TYPE_CHECKING, Any, Protocol

from aviary.actors.core.actor import AsyncActor
from aviary.actors.core.refusal import ActorCrashed, Invalid, NotFound, Refusal
from aviary.actors.hosts.calls import before_the_exchange, call_host
from aviary.actors.keeping.records import Records
from aviary.actors.messages.accounts import (
    ACCOUNT_NAME,
    AddCredential,
    BringUp,
    Connection,
    CreateAccount,
    Credential,
    DeleteAccount,
    DeleteCredential,
    Done,
    GetAccountBalances,
    ListAccounts,
    ListConnections,
    ListCredentials,
    UpdateCredentials,
)
from aviary.actors.messages.connectors import GetBalances, ReopenConnector, WaitUntilReady
from pydantic import SecretStr

if TYPE_CHECKING:
    from pathlib import Path

    from aviary.persistence.orders import Order

MASTER = "master_account"
"""The account that is always there, as on the released server."""

CHECK_TIMEOUT = 20.0
"""Seconds the exchange has to say whether keys work, a host's start included."""

ENCRYPT_TIMEOUT = 20.0
"""Seconds for encrypting a credential: 0.4 s of a processor a secret, on a busy machine."""

READY_PATIENCE = 5.0
"""Seconds that the answer to a new credential waits for its connector, so that the next request can use it."""

BRING_UP_RETRY = 2.0
"""Seconds until the next try of what did not start."""

PASTED = string.whitespace + "\u00a0\u2000\u2001\u2002\u2003\u2009\u200a\u200b\u2028\u2029\u202f\u2060\u3000\ufeff"
"""What is pasted along with keys: white space of all kinds, and marks without a width."""

KEY_FILE = "-----BEGIN "

_NAME = re.compile(rf"{ACCOUNT_NAME}\Z")
_CONNECTOR = re.compile(r"[a-z0-9][a-z0-9_]{0,79}\Z")


class AccountBranch(Protocol):
    """Whoever starts and stops accounts and connectors."""

    async def start_account(self, account: str) -> None:
        """Start an account; again does no harm."""

    async def stop_account(self, account: str) -> None:
        """Stop an account and its connectors."""

    async def start_connector(self, account: str, connector: str) -> None:
        """Start a connector; again does no harm."""

    async def stop_connector(self, account: str, connector: str) -> None:
        """Stop a connector."""


class AccountRegistry(AsyncActor):
    """Answers for accounts and credentials, and brings up what belongs to them.

    `credentials` is the folder with one folder an account, laid out as the released server's.
    """

    keeps_nothing = True

    def __init__(self, credentials: Path, password: SecretStr, branch: AccountBranch) -> None:
        super().__init__()
        self._credentials = credentials
        self._password = password
        self._branch = branch
        self._locks: dict[str, asyncio.Lock] = {}

    async def prepare(self) -> None:
        """Make sure of the first account; bring everything up later, one account not waiting for another."""
        (self._credentials / MASTER / "connectors").mkdir(parents=True, exist_ok=True)
        self.schedule(0.0, BringUp())

    def receive(self, message: Any) -> Any:
        """Handle one message."""
        match message:
            case ListAccounts():
                return self._accounts()
            case ListCredentials(account_name=account):
                return self._connectors(self._known(account))
            case ListConnections():
                return self._connections(message)
            case CreateAccount(account_name=account):
                return self.defer(self._create(account))
            case DeleteAccount(account_name=account):
                return self.defer(self._delete(account))
            case AddCredential():
                return self.defer(self._add(message.account_name, message.connector_name, message.values))
            case UpdateCredentials():
                return self.defer(self._update(message))
            case DeleteCredential(account_name=account, connector_name=connector):
                return self.defer(self._remove(account, connector))
            case GetAccountBalances(account_name=account):
                return self.defer(self._balances(account))
            case BringUp():
                return self._bring_up()
            case _:
                return super().receive(message)

    # What there is

    def _accounts(self) -> tuple[str, ...]:
        found = sorted(
            entry.name for entry in self._credentials.iterdir() if entry.is_dir() and _NAME.match(entry.name)
        )
        return (MASTER, *(name for name in found if name != MASTER))

    def _connectors(self, account: str) -> tuple[str, ...]:
        folder = self._credentials / account / "connectors"
        if not folder.is_dir():
            return ()
        return tuple(sorted(file.stem for file in folder.glob("*.yml") if _CONNECTOR.match(file.stem)))

    def _connections(self, wanted: ListConnections) -> tuple[Connection, ...]:
        accounts = wanted.account_names or self._accounts()
        for account in accounts:
            self._known(account)
        return tuple(
            Connection(
                account_name=account, connector_name=connector, address=_connector_address(account, connector)
            )
            for account in accounts
            for connector in self._connectors(account)
            if not wanted.connector_names or connector in wanted.connector_names
        )

    def _known(self, account: str) -> str:
        if not _NAME.match(account) or not (self._credentials / account).is_dir():
            raise NotFound(f"Account '{account}' not found")
        return account

    # Accounts

    async def _create(self, account: str) -> Done:
        if not _NAME.match(account):
            raise Invalid(
                f"Invalid account name: '{account}'. Only letters, numbers, underscores and hyphens are allowed,"
                " at most 64.",
                "account_name",
            )
        async with self._alone(account):
            folder = self._credentials / account
            if folder.exists():
                raise Invalid("Account already exists.", "account_name")
            (folder / "connectors").mkdir(parents=True)
            await self._branch.start_account(account)
        return Done(message="Account added successfully.")

    async def _delete(self, account: str) -> Done:
        if account == MASTER:
            raise Invalid(f"{MASTER} can't be deleted.", "account_name")
        async with self._alone(self._known(account)):
            self._known(account)
            left = await self._left_behind(account)
            await self._branch.stop_account(account)
            # A dot can't begin an account's name: from here on it is gone, whatever becomes of the files.
            trash = self._credentials / f".deleted-{account}"
            await asyncio.to_thread(_remove_atomically, self._credentials / account, trash)
        return Done(message=f"Account deleted successfully.{left}")

    # Credentials

    async def _add(self, account: str, connector: str, values: Credential) -> Done:
        values = {name: _as_meant(name, value) for name, value in values.items()}
        async with self._alone(self._known(account)):
            self._known(account)
            await self._branch.start_account(account)
            host = f"accounts/{account}/host"
            with before_the_exchange():
                await call_host(
                    self, host, "check_credential", limit=CHECK_TIMEOUT, connector_name=connector, keys=values
                )
            await call_host(
                self,
                host,
                "encrypt_credential",
                limit=ENCRYPT_TIMEOUT,
                password=self._password,
                account_dir=str(self._credentials / account),
                connector_name=connector,
                values=values,
            )
            await self._connect(account, connector)
        return Done(message="Connector credentials added successfully.")

    async def _connect(self, account: str, connector: str) -> None:
        address = _connector_address(account, connector)
        if self.system.cell(address) is None:
            await self._branch.start_connector(account, connector)
        else:
            self.tell(address, ReopenConnector())
        # The keys are kept and work: that the connector needs longer is its own affair.
        with contextlib.suppress(Refusal, ActorCrashed):
            await self.ask(address, WaitUntilReady(patience=READY_PATIENCE), timeout=READY_PATIENCE + 1.0)

    async def _update(self, message: UpdateCredentials) -> Done:
        for connector, values in message.credentials.items():
            await self._add(message.account_name, connector, values)
        return Done(message="Connector credentials added successfully.")

    async def _remove(self, account: str, connector: str) -> Done:
        async with self._alone(self._known(account)):
            if connector not in self._connectors(self._known(account)):
                raise NotFound(f"Account '{account}' has no credential for '{connector}'")
            left = await self._left_behind(account, connector)
            await self._branch.stop_connector(account, connector)
            with contextlib.suppress(Refusal):
                await call_host(self, f"accounts/{account}/host", "close_connector", connector_name=connector)
            (self._credentials / account / "connectors" / f"{connector}.yml").unlink(missing_ok=True)
        return Done(message=f"Connector credentials deleted successfully.{left}")

    async def _left_behind(self, account: str, connector: str | None = None) -> str:
        """What is to be said of the orders that will stay on the exchange."""
        live: tuple[Order, ...] = await Records(self).read(lambda r: r.orders.live(account, connector))
        return f" Orders that may still rest on the exchange: {len(live)}." if live else ""

    async def _balances(self, account: str) -> dict[str, Any]:
        connectors = self._connectors(self._known(account))

        async def one(connector: str) -> Any:
            return await self.ask(_connector_address(account, connector), GetBalances(), timeout=15.0)

        answers = await asyncio.gather(*(one(connector) for connector in connectors), return_exceptions=True)
        found: dict[str, Any] = {}
        for connector, answer in zip(connectors, answers, strict=True):
            if isinstance(answer, Refusal):
                found[connector] = {"error": answer.detail}
            elif isinstance(answer, BaseException):
                found[connector] = {"error": str(answer)}
            else:
                found[connector] = answer
        return found

    # Bringing up

    def _bring_up(self) -> None:
        for account in self._accounts():
            self.spawn(self._bring_up_account(account), f"start {account}")

    async def _bring_up_account(self, account: str) -> None:
        while (self._credentials / account).is_dir():
            try:
                async with self._alone(account):
                    await self._branch.start_account(account)
                    for connector in self._connectors(account):
                        await self._branch.start_connector(account, connector)
            except (Refusal, ActorCrashed):
                await asyncio.sleep(BRING_UP_RETRY)
            else:
                return

    def _alone(self, account: str) -> asyncio.Lock:
        return self._locks.setdefault(account, asyncio.Lock())


def _as_meant(name: str, value: Any) -> Any:
    """A value without what came along when it was pasted. `Invalid` if there is something unreadable inside."""
    if not isinstance(value, SecretStr):
        return value
    text = value.get_secret_value().strip(PASTED)
    # Some exchanges' secrets are key files, of several lines.
    lines = text.splitlines() if text.startswith(KEY_FILE) else [text]
    if not all(line.isprintable() for line in lines):
        raise Invalid(f"{name}: there is a character in it that can't be seen; paste it again", name)
    return SecretStr(text)


def _connector_address(account: str, connector: str) -> str:
    return f"accounts/{account}/{connector}"


def _remove_atomically(folder: Path, trash: Path) -> None:
    if trash.exists():
        shutil.rmtree(trash)
    folder.rename(trash)
    shutil.rmtree(trash)
