# The MQTT broker that is run where it is found. Its own service is not wanted: tests start theirs.
ensure_mosquitto() {
  ensure_package /usr/sbin/mosquitto mosquitto
  service mosquitto stop >/dev/null 2>&1 || true
}
ensure_mosquitto
