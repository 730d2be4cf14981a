"""For tests of what owns a process or a connection: how often that is killed, and that no message is blamed."""

from aviary.actors.core.cell import CellSettings
from aviary.actors.core.system import System

KILLS = CellSettings().poison_after + 1
"""Deaths after which a kind of message that was blamed for them would be set aside, and one more."""


def assert_nothing_is_set_aside(system: System) -> None:
    """No kind of message has killed so often, now or earlier, that it was set aside."""
    assert [event.reason for event in system.events() if event.kind == "poison"] == []
    assert [alarm.name for alarm in system.alarms.standing() if alarm.name.startswith("poison/")] == []
    assert [view.address for view in system.tree() if view.poison] == []
