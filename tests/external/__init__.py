"""The hub with a broker elsewhere: mosquitto and nats-server for real."""
