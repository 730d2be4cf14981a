"""Rows for tests that only need something to be written."""

from aviary.persistence.bots import Bot


def a_bot(name: str, **changes: object) -> Bot:
    values: dict[str, object] = {
        "name": name,
        "desired": "running",
        "spec": {},
        "created_at": 1.0,
        "updated_at": 1.0,
    }
    return Bot.model_validate(values | changes)
