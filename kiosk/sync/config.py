"""`sync.toml`: which backend carries the journal, and how it is reached. Without the file: the own HTTP API."""

from pathlib import Path
from typing import Literal

import msgspec

from kiosk.records import brokers
from kiosk.records.config import load_toml
from kiosk.records.identity import Enrolment
from kiosk.sync.backend import Backend
from kiosk.sync.cloudevents import EventsBackend, EventsLine
from kiosk.sync.http import HttpBackend


class SyncConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Catalogues come over the own HTTP API whatever `backend` is: brokers carry the journal and the status."""

    backend: Literal["http", "cloudevents", "nats", "mqtt"] = "http"
    cloudevents: EventsLine = msgspec.field(default_factory=EventsLine)
    nats: brokers.NatsLine = msgspec.field(default_factory=brokers.NatsLine)
    mqtt: brokers.MqttLine = msgspec.field(default_factory=brokers.MqttLine)


def load(path: Path | None) -> SyncConfig:
    """Raises BadConfig."""
    if path is None:
        return SyncConfig()
    config = load_toml(path, SyncConfig)
    brokers.check("nats", config.nats, path)
    brokers.check("mqtt", config.mqtt, path)
    if config.cloudevents.url:
        brokers.check_url(f"{path}: cloudevents.url", config.cloudevents.url, ("http", "https"))
        if config.cloudevents.bearer:
            brokers.check_private(f"{path}: cloudevents.bearer", config.cloudevents.url, "https")
    return config


def name(config: SyncConfig, enrolment: Enrolment) -> str:
    """The configured backend, for a person."""
    match config.backend:
        case "http":
            return f"HTTP at {enrolment.backend}"
        case "cloudevents":
            return f"CloudEvents at {config.cloudevents.url or enrolment.backend}"
        case "nats":
            return f"NATS at {', '.join(config.nats.servers)}"
        case "mqtt":
            return f"MQTT at {config.mqtt.server}"


def backend(config: SyncConfig, enrolment: Enrolment, http: HttpBackend, *, beside: bool = False) -> Backend:
    """The adapter that is configured; `http` is the one that catalogues come by. Raises BadConfig for a credential or
    certificate file. Close it at the end. `beside`: while another process of the lane has it too."""
    match config.backend:
        case "http":
            return http
        case "cloudevents":
            return EventsBackend(enrolment, config.cloudevents)
        case "nats":
            from kiosk.sync.nats import NatsBackend  # a lane loads the library of its own broker only

            return NatsBackend(enrolment, config.nats)
        case "mqtt":
            from kiosk.sync.mqtt import MqttBackend

            return MqttBackend(enrolment, config.mqtt, beside=beside)
