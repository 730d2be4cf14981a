"""What is done when a child ends: pure functions from specs, history and reason to a decision.

The rules are those of OTP's `supervisor`: see its documentation, "Supervision Principles".
"""

from bisect import bisect_left
from dataclasses import dataclass

from aviary.actors.core.exits import Exit, is_abnormal
from aviary.supervisors.spec import AutoShutdown, ChildSpec, Strategy, SupervisorSpec


@dataclass(frozen=True, slots=True)
class Forget:
    """The child is gone, and so is its spec."""


@dataclass(frozen=True, slots=True)
class Keep:
    """The child is gone; its spec stays."""


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The child failed more often than the supervisor's intensity allows."""


@dataclass(frozen=True, slots=True)
class End:
    """A significant child has ended: the supervisor stops its other children and ends normally."""

    forget: bool


@dataclass(frozen=True, slots=True)
class Group:
    """Stop the members that run, in reverse order, then start them all in order."""

    members: tuple[str, ...]


type Decision = Forget | Keep | GiveUp | End | Group


def is_restarted(spec: ChildSpec, reason: Exit) -> bool:
    """Whether a child that ended for `reason` is started again: the 3 by 3 matrix of OTP."""
    match spec.restart:
        case "permanent":
            return True
        case "transient":
            return is_abnormal(reason)
        case "temporary":
            return False


def members(strategy: Strategy, order: tuple[str, ...], name: str) -> tuple[str, ...]:
    """Who is restarted together with `name`, in order of start."""
    match strategy:
        case "one_for_one":
            return (name,)
        case "one_for_all":
            return order
        case "rest_for_one":
            return order[order.index(name) :]


def recent(history: tuple[float, ...], now: float, period: float) -> tuple[float, ...]:
    """The restarts, as monotonic seconds, that still count."""
    # They are in their order, and there may be thousands of them for each that is added.
    return history[bisect_left(history, True, key=lambda at: now - at <= period) :]


def is_too_often(spec: SupervisorSpec, history: tuple[float, ...]) -> bool:
    """Whether the restarts that count, the present one included, are too many."""
    return spec.intensity is not None and len(history) > spec.intensity


def ends_supervisor(auto_shutdown: AutoShutdown, child: ChildSpec, significant_left: int) -> bool:
    """Whether the end of `child`, which is not restarted, ends its supervisor too."""
    if not child.significant:
        return False
    match auto_shutdown:
        case "never":
            return False
        case "any_significant":
            return True
        case "all_significant":
            return significant_left == 0


def after_exit(
    spec: SupervisorSpec,
    order: tuple[str, ...],
    child: ChildSpec,
    reason: Exit,
    history: tuple[float, ...],
    significant_left: int,
) -> Decision:
    """What to do about the end of `child`.

    `order` is every child's name in order of start, `history` the restarts that count with this one
    included, `significant_left` how many other significant children run.
    """
    if is_restarted(child, reason):
        if is_too_often(spec, history):
            return GiveUp()
        return Group(members(spec.strategy, order, child.name))
    forget = child.restart == "temporary" or spec.dynamic
    if ends_supervisor(spec.auto_shutdown, child, significant_left):
        return End(forget)
    return Forget() if forget else Keep()
