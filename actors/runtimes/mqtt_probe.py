"""One login at an MQTT broker: the cheapest proof that it lives, and that it is ours."""

import asyncio
import os

from aviary.actors.messages.broker import BrokerInfo

ACCEPTED = bytes((0x20, 0x02, 0x00, 0x00))
"""CONNACK without a session and with return code 0 (MQTT 3.1.1, section 3.2)."""


async def logs_in(broker: BrokerInfo, timeout: float) -> bool:  # noqa: ASYNC109
    """Whether the broker takes its own user within `timeout` seconds."""
    try:
        async with asyncio.timeout(timeout):
            reader, writer = await asyncio.open_connection(broker.host, broker.port)
            try:
                writer.write(_connect(broker))
                answer = await reader.readexactly(4)
                writer.write(bytes((0xE0, 0x00)))
                await writer.drain()
            finally:
                writer.close()
    except (OSError, TimeoutError, asyncio.IncompleteReadError):
        return False
    return answer == ACCEPTED


def _connect(broker: BrokerInfo) -> bytes:
    """A CONNECT packet (MQTT 3.1.1, section 3.1): clean session, keep-alive of 10 seconds."""
    flags = 0x02
    fields = [f"aviary-probe-{os.getpid()}"]
    if broker.username:
        flags |= 0xC0
        fields += [broker.username, broker.password.get_secret_value()]
    body = _text("MQTT") + bytes((4, flags, 0, 10)) + b"".join(_text(field) for field in fields)
    return bytes((0x10, *_length(len(body)))) + body


def _text(value: str) -> bytes:
    encoded = value.encode()
    return len(encoded).to_bytes(2, "big") + encoded


def _length(number: int) -> list[int]:
    digits = []
    while True:
        number, digit = divmod(number, 128)
        digits.append(digit | (128 if number else 0))
        if not number:
            return digits
