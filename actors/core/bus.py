"""Topics that anyone may publish to and subscribe to, inside the process."""

import logging
import threading
from collections.abc import Callable

type Subscriber = Callable[[str, object], None]
"""Called with topic and event, in the publisher's thread: it must return at once.

What it raises is logged and is not felt by the publisher: trouble belongs to who has it.
"""

log = logging.getLogger("aviary.kernel")


class Bus:
    """Publish and subscribe by exact topic, or by `prefix/` with a trailing slash. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._subscribers: dict[str, tuple[Subscriber, ...]] = {}

    def subscribe(self, topic: str, subscriber: Subscriber) -> Callable[[], None]:
        """Subscribe; call the answer to end it (twice does no harm)."""
        with self._lock:
            self._subscribers[topic] = (*self._subscribers.get(topic, ()), subscriber)

        def unsubscribe() -> None:
            with self._lock:
                left = tuple(s for s in self._subscribers.get(topic, ()) if s is not subscriber)
                if left:
                    self._subscribers[topic] = left
                else:
                    self._subscribers.pop(topic, None)

        return unsubscribe

    def publish(self, topic: str, event: object) -> None:
        """Hand the event to everyone who subscribed to the topic or to one of its prefixes."""
        for subscriber in self._subscribers.get(topic, ()):
            _hand_over(subscriber, topic, event)
        end = topic.find("/")
        while end >= 0:
            for subscriber in self._subscribers.get(topic[: end + 1], ()):
                _hand_over(subscriber, topic, event)
            end = topic.find("/", end + 1)

    def has_subscribers(self, topic: str) -> bool:
        """Whether anybody subscribed to exactly this topic."""
        return topic in self._subscribers


def _hand_over(subscriber: Subscriber, topic: str, event: object) -> None:
    try:
        subscriber(topic, event)
    except Exception:
        log.exception("a subscriber to %s failed", topic)
