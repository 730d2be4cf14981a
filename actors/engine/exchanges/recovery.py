"""How soon a connector notices that its exchange is back.

Hummingbot looks every ten seconds, waits for a minute after an unexpected error, and its streams sleep for up to five
seconds between two tries; its clock follows the exchange's over five polls. Each of these would outlast the outage.
"""

import asyncio
from typing import Any

NETWORK_CHECK_INTERVAL = 3.0
"""Seconds between two pings of an exchange."""

NETWORK_CHECK_TIMEOUT = 5.0
"""Seconds an exchange has to answer a ping."""

LONGEST_SLEEP = 1.5
"""Seconds between two tries of a user stream to connect, at most."""

RETRY_SLEEP = 5.0
"""Seconds up to which a sleep of hummingbot's user streams is one before another try; longer ones are their rhythm."""


def recover_soon(connector: Any) -> None:
    """Have a connector take up its work within seconds after an outage."""
    connector.check_network_interval = NETWORK_CHECK_INTERVAL
    connector.check_network_timeout = NETWORK_CHECK_TIMEOUT
    connector.network_error_wait_time = NETWORK_CHECK_INTERVAL
    stream = getattr(getattr(connector, "_user_stream_tracker", None), "data_source", None)
    if stream is not None:
        stream._sleep = _sleep_briefly  # noqa: SLF001 - what its loops wait with
    _follow_the_exchange_s_clock(connector)


async def _sleep_briefly(delay: float) -> None:
    await asyncio.sleep(min(delay, LONGEST_SLEEP) if delay <= RETRY_SLEEP else delay)


def _follow_the_exchange_s_clock(connector: Any) -> None:
    is_about_time = getattr(connector, "_is_request_exception_related_to_time_synchronizer", None)
    if is_about_time is None:
        return

    def forget_if_about_time(request_exception: Exception) -> bool:
        # The request is repeated after a new look at the exchange's clock; an average with older looks would be refused again.
        about_time: bool = is_about_time(request_exception=request_exception)
        if about_time:
            connector._time_synchronizer.clear_time_offset_ms_samples()  # noqa: SLF001
        return about_time

    connector._is_request_exception_related_to_time_synchronizer = forget_if_about_time  # noqa: SLF001
