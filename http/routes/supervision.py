"""The supervision tree and what happened in it."""

from aviary.actors.messages.supervision import (
    GetTree,
    ListAlarms,
    ListDeadLetters,
    ListJournal,
    ReleasePoison,
    RestartActor,
)
from aviary.http.routing import Row

DESK = "supervision"

ROWS = (
    Row("GET", "/supervision/tree", GetTree, DESK),
    Row("GET", "/supervision/journal", ListJournal, DESK),
    Row("GET", "/supervision/dead-letters", ListDeadLetters, DESK),
    Row("GET", "/supervision/alarms", ListAlarms, DESK),
    Row("POST", "/supervision/restart", RestartActor, DESK, timeout=70.0),
    Row("POST", "/supervision/release-poison", ReleasePoison, DESK),
)
