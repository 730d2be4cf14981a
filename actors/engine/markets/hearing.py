"""When an exchange was last heard of something, by a clock that nobody sets."""

from aviary.config.clock import Clock


class Hearing:
    """Remembers when something was last heard; ages are right whatever happens to the machine's time of day."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._at: float | None = None
        self._sign: object = None

    def note(self) -> None:
        """It is heard now."""
        self._at = self._clock.monotonic()

    def note_if_new(self, sign: object) -> bool:
        """It is heard now if `sign`, which every message changes, is another than the last; whether it is."""
        if sign == self._sign:
            return False
        self._sign = sign
        self.note()
        return True

    @property
    def age(self) -> float | None:
        """Seconds since it was heard, `None` if it never was."""
        return None if self._at is None else self._clock.monotonic() - self._at

    @property
    def heard_at(self) -> float | None:
        """The same as Unix time, as the clock is set now."""
        age = self.age
        return None if age is None else self._clock.now() - age
