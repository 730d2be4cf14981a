"""The alarms that speak of one bot: they are raised and cleared here only, and none outlives the bot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from aviary.actors.core.alarms import Alarms

type Subject = Literal["bot", "exposure", "orders-left", "positions-left"]
"""That it does not run or trade; what it traded without counting on it; what it has left on its exchanges."""

SUBJECTS: tuple[Subject, ...] = get_args(Subject.__value__)


class BotAlarms:
    """Those of one bot, named `<subject>/<bot>`."""

    def __init__(self, alarms: Alarms, name: str) -> None:
        self._alarms = alarms
        self._name = name

    def raise_(self, subject: Subject, text: str) -> None:
        """Raise one, or renew its text."""
        self._alarms.raise_(f"{subject}/{self._name}", f"bot {self._name}{text}")

    def clear(self, *subjects: Subject) -> None:
        """End some, by default all of them."""
        for subject in subjects or SUBJECTS:
            self._alarms.clear(f"{subject}/{self._name}")
