"""Accounts and for which connectors they hold keys; the keys themselves are in encrypted files."""

import peewee
from aviary.persistence.tables import AccountRow, CredentialRow, Query
from aviary.persistence.values import Record


class Credential(Record):
    """That an account holds a key for a connector, since `added_at` in Unix seconds."""

    account: str
    connector: str
    added_at: float


class Accounts:
    """The accounts of one database."""

    def __init__(self, database: peewee.Database) -> None:
        self._database = database

    def add(self, name: str, *, at: float) -> bool:
        """Add an account; whether it is new."""
        with self._database.atomic():
            if name in self.names():
                return False
            self._run(AccountRow.insert(name=name, created_at=at))
            return True

    def remove(self, name: str) -> bool:
        """Remove an account and what is known of its keys; whether it was there."""
        with self._database.atomic():
            self._run(CredentialRow.delete().where(CredentialRow.account == name))
            return self._run(AccountRow.delete().where(AccountRow.name == name)) > 0

    def names(self) -> tuple[str, ...]:
        """Every account, oldest first."""
        query: Query = AccountRow.select().order_by(AccountRow.created_at, AccountRow.name)
        return tuple(row.name for row in query.bind(self._database))

    def add_credential(self, account: str, connector: str, *, at: float) -> None:
        """Note that the account holds a key for the connector; again does no harm."""
        with self._database.atomic():
            if connector not in self.credentials(account):
                self._run(CredentialRow.insert(account=account, connector=connector, added_at=at))

    def remove_credential(self, account: str, connector: str) -> bool:
        """Forget a key; whether it was known."""
        return (
            self._run(
                CredentialRow.delete().where(
                    CredentialRow.account == account, CredentialRow.connector == connector
                )
            )
            > 0
        )

    def credentials(self, account: str) -> tuple[str, ...]:
        """The connectors that the account holds keys for, oldest first."""
        return tuple(held.connector for held in self.every_credential() if held.account == account)

    def every_credential(self) -> tuple[Credential, ...]:
        """Every key of every account, oldest first."""
        query: Query = CredentialRow.select().order_by(
            CredentialRow.added_at, CredentialRow.account, CredentialRow.connector
        )
        return tuple(
            Credential(account=row.account, connector=row.connector, added_at=row.added_at)
            for row in query.bind(self._database)
        )

    def _run(self, query: Query) -> int:
        changed: int = query.bind(self._database).execute()
        return changed
