"""What was set while the server ran and has to outlast it: JSON by name."""

from typing import Any

import orjson
import peewee
from aviary.persistence.tables import KeptSettingRow, Query


class KeptSettings:
    """The settings of one database."""

    def __init__(self, database: peewee.Database) -> None:
        self._database = database

    def get(self, name: str) -> Any:
        """What is kept under a name, `None` if nothing is."""
        query: Query = KeptSettingRow.select().where(KeptSettingRow.name == name)
        for row in query.bind(self._database):
            return orjson.loads(row.value)
        return None

    def put(self, name: str, value: Any, *, at: float) -> None:
        """Keep a value, in place of an older one."""
        row = {"name": name, "value": orjson.dumps(value).decode(), "changed_at": at}
        query: Query = KeptSettingRow.insert(**row).on_conflict(
            conflict_target=[KeptSettingRow.name],
            update={"value": row["value"], "changed_at": at},
        )
        query.bind(self._database).execute()
