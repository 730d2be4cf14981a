"""Topics that anyone may publish to and subscribe to, inside the process."""

import logging
import threading
from collections.abc import Callable

from aviary.actors.core.mailbox import Fenced

type Subscriber = Callable[[str, object], None]
"""Called with topic and event, in the publisher's thread: it must return at once.

What it raises is logged and is not felt by the publisher: trouble belongs to who has it. One that acts for
an incarnation that has ended (it raises that one's `Fenced`) is subscribed no longer.
"""

log = logging.getLogger("aviary.kernel")


class _Subscription:
    """One subscriber's place; the same subscriber may have several."""

    __slots__ = ("subscriber",)

    def __init__(self, subscriber: Subscriber) -> None:
        self.subscriber = subscriber


class Bus:
    """Publish and subscribe by exact topic, or by `prefix/` with a trailing slash. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._subscribers: dict[str, tuple[_Subscription, ...]] = {}

    def subscribe(self, topic: str, subscriber: Subscriber) -> Callable[[], None]:
        """Subscribe; call the answer to end it (twice does no harm)."""
        subscription = _Subscription(subscriber)
        with self._lock:
            self._subscribers[topic] = (*self._subscribers.get(topic, ()), subscription)
        return lambda: self._end(topic, subscription)

    def publish(self, topic: str, event: object) -> None:
        """Hand the event to everyone who subscribed to the topic or to one of its prefixes."""
        self._publish_to(topic, topic, event)
        end = topic.find("/")
        while end >= 0:
            self._publish_to(topic[: end + 1], topic, event)
            end = topic.find("/", end + 1)

    def has_subscribers(self, topic: str) -> bool:
        """Whether anybody subscribed to exactly this topic."""
        return topic in self._subscribers

    def _publish_to(self, subscribed: str, topic: str, event: object) -> None:
        for subscription in self._subscribers.get(subscribed, ()):
            try:
                subscription.subscriber(topic, event)
            except Fenced:
                self._end(subscribed, subscription)
                log.debug("a subscriber to %s has ended without unsubscribing", subscribed)
            except BaseException:
                log.exception("a subscriber to %s failed", topic)

    def _end(self, topic: str, subscription: _Subscription) -> None:
        with self._lock:
            left = tuple(other for other in self._subscribers.get(topic, ()) if other is not subscription)
            if left:
                self._subscribers[topic] = left
            else:
                self._subscribers.pop(topic, None)
