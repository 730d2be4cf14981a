"""The two kinds of trouble: refusals, which are answers, and crashes, which are not.

A refusal means that nothing was done, with one exception: `NoAnswer`. It and a crash mean that it may have been done.
"""


class Refusal(Exception):
    """An expected, typed "no". It is a reply and never a crash; its text may be shown to users."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class NotFound(Refusal):
    """What was asked for does not exist."""


class Invalid(Refusal):
    """The request makes no sense; `field` names the part that is wrong."""

    def __init__(self, detail: str, field: str | None = None) -> None:
        super().__init__(detail)
        self.field = field


class Conflict(Refusal):
    """The request contradicts the present state."""


class Forbidden(Refusal):
    """The request is understood and not allowed."""


class Rejected(Refusal):
    """The outside world gave a definite no, such as an exchange's rejection; the text is its own."""


class Unavailable(Refusal):
    """Not now. `retry_after` says in how many seconds another try makes sense."""

    def __init__(self, detail: str, retry_after: float = 1.0) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class Stale(Unavailable):
    """The data is too old to be given out."""


class NoAnswer(Unavailable):
    """Whoever was asked did not say what became of it: it may have been done, so it must not just be asked again.

    `known` is what can be told of it by name, such as the id of an order that may have been placed.
    """

    def __init__(self, detail: str, **known: str) -> None:
        super().__init__(detail)
        self.known = known


class DeadlineExceeded(NoAnswer):
    """No answer came before the ask's deadline."""


class ActorCrashed(Exception):
    """The asked actor died while it worked on the message; the message is not tried again."""

    def __init__(self, address: str, crash_id: str) -> None:
        super().__init__(f"{address} crashed ({crash_id})")
        self.address = address
        self.crash_id = crash_id
