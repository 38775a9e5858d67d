"""``python -m mqtt_hub`` is ``mqtt-hub``."""

from mqtt_hub.cli import main

main(prog_name="mqtt-hub")
