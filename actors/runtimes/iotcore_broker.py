"""The pip-only MQTT broker, as a process: `python -m aviary.actors.runtimes.iotcore_broker CONFIG`."""

import logging
import sys

from iotcore import IotCoreBroker


def main(config_path: str) -> None:
    """Serve until killed."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # It reports each packet it routes as an error.
    logging.getLogger("rumqttd").setLevel(logging.CRITICAL)
    IotCoreBroker(config_path=config_path).run_forever()


if __name__ == "__main__":
    main(sys.argv[1])
