"""What both connectors ask the exchange with: assistants that keep to its time."""

from collections.abc import Callable, Sequence
from typing import Any

from hummingbot.connector.time_synchronizer import TimeSynchronizer
from hummingbot.connector.utils import TimeSynchronizerRESTPreProcessor
from hummingbot.core.web_assistant.connections.data_types import RESTMethod
from hummingbot.core.web_assistant.web_assistants_factory import WebAssistantsFactory


def factory_of(
    throttler: Any,
    synchronizer: Any,
    provider: Callable[[], Any],
    auth: Any,
    pre_processors: Sequence[Any] = (),
) -> Any:
    """A factory of request assistants. `provider` tells the exchange's time in Unix milliseconds."""
    keeper = TimeSynchronizerRESTPreProcessor(
        synchronizer=synchronizer or TimeSynchronizer(), time_provider=provider
    )
    return WebAssistantsFactory(throttler=throttler, auth=auth, rest_pre_processors=[keeper, *pre_processors])


async def server_time(factory: Any, url: str, limit_id: str) -> float:
    """The exchange's time in Unix milliseconds."""
    assistant = await factory.get_rest_assistant()
    response = await assistant.execute_request(url=url, method=RESTMethod.GET, throttler_limit_id=limit_id)
    return float(response["serverTime"])
