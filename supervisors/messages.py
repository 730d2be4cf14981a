"""What may be asked of a supervisor. Every message is control: it overtakes the exits that wait."""

from typing import Any, Literal

from aviary.actors.core.message import Message, Value
from aviary.supervisors.spec import ChildSpec, SupervisorSpec


class ChildInfo(Value):
    """A child as its supervisor sees it."""

    name: str
    address: str
    kind: Literal["worker", "supervisor"]
    state: Literal["running", "restarting", "absent", "parked"]
    incarnation: int
    significant: bool
    extra: object = None
    """What the child's `prepare` returned at its last start."""


class ChildCounts(Value):
    """How many children: specs, those that run, and of which kind the specs are."""

    specs: int
    active: int
    supervisors: int
    workers: int


class StartChild(Message[ChildInfo]):
    """Add a child and start it. Refused with `Conflict` if the name is taken.

    A failing start is refused with `Unavailable` and nothing is kept. A child that ignores is kept
    as absent, unless it is temporary or the supervisor dynamic.
    """

    control = True

    spec: ChildSpec


class TerminateChild(Message[None]):
    """Stop a child, or its waiting restart; the spec of a non-temporary one stays."""

    control = True

    name: str


class RestartChild(Message[ChildInfo]):
    """Start a child that is absent or parked. `Conflict` if it runs or is being restarted."""

    control = True

    name: str


class RenewChild(Message[ChildInfo]):
    """Start a child anew, whatever it is doing: stop it first if it runs.

    What waits in its mailbox waits for the next incarnation. One whose start fails is refused with `Unavailable`
    and tried again as after a crash. `Conflict` for a temporary child, which is made once.
    """

    control = True

    name: str


class DeleteChild(Message[None]):
    """Forget the spec of an absent child. `Conflict` if it runs or is being restarted."""

    control = True

    name: str


class WhichChildren(Message[tuple[ChildInfo, ...]]):
    """Every child, in order of start."""

    control = True


class CountChildren(Message[ChildCounts]):
    """How many children there are."""

    control = True


class GetChildSpec(Message[ChildSpec]):
    """The spec of a child."""

    control = True

    name: str


class Reconfigure(Message[None]):
    """Replace the supervisor's spec while it runs.

    Children keep running under their new specs; removed ones stay as they are until they end, added
    ones are kept as absent. `Invalid` if the spec makes no sense; the old one then stands.
    """

    control = True

    spec: SupervisorSpec


class RestartDue(Message[None]):
    """A supervisor's message to itself: a waiting restart is due."""

    control = True

    name: str
    token: int


type AdminMessage = Message[Any]
