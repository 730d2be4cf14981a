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
from aviary.http.views.supervision import JournalPage, Released, Restarted

SUPERVISION = "supervision"

ROWS = (
    Row("GET", "/supervision/tree", GetTree, SUPERVISION),
    Row("GET", "/supervision/journal", ListJournal, SUPERVISION, answers=JournalPage),
    Row("GET", "/supervision/dead-letters", ListDeadLetters, SUPERVISION),
    Row("GET", "/supervision/alarms", ListAlarms, SUPERVISION),
    Row("POST", "/supervision/restart", RestartActor, SUPERVISION, timeout=70.0, answers=Restarted),
    Row("POST", "/supervision/release-poison", ReleasePoison, SUPERVISION, answers=Released),
)
