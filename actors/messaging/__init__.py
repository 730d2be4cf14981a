"""The MQTT broker, and the link over which bots are spoken to."""
