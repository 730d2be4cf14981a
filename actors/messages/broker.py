"""What may be asked of the MQTT broker and of the link to it."""

from typing import Any, Literal

from aviary.actors.core.message import Message, Value
from pydantic import Field, SecretStr


class BrokerInfo(Value):
    """Where the broker listens and how to log in. Without a user name it takes everybody."""

    kind: Literal["mosquitto", "iotcore", "external"]
    host: str
    port: int
    username: str = ""
    password: SecretStr = SecretStr("")
    pid: int | None = None
    """Of its process, if it is one of ours."""


class GetBroker(Message[BrokerInfo]):
    """Query: where the broker listens."""


class LinkState(Value):
    """Whether the link to the broker is up, and since when."""

    connected: bool
    since: float
    """Seconds since the last change."""
    host: str
    port: int
    username: str
    bots: dict[str, float]
    """Every bot that was heard of, ours or not, with the seconds since its last word."""


class GetLink(Message[LinkState]):
    """Query: the state of the link."""


class CallBot(Message[dict[str, Any]]):
    """Command: send a command to a bot and answer with the data of its reply.

    `Unavailable` while the broker is away, `DeadlineExceeded` if the bot does not answer in time; it may have
    carried the command out all the same.
    """

    handler_limit = 150.0

    bot: str
    command: Literal["start", "stop", "status", "config", "history", "import", "balance/limit", "balance/paper"]
    data: dict[str, Any] = Field(default_factory=dict)
    timeout: float = 10.0
    """Seconds."""


class ForgetBot(Message[None]):
    """Event: a bot is gone for good, and nothing is to be heard of it any more."""

    bot: str
