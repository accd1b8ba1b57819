"""The consuming process, from ready to a clean stop."""

import asyncio
import contextlib
import signal
from collections.abc import Callable

import structlog
from systemd import daemon

from cloud.clock import Clock, now_ms
from cloud.config import Config
from cloud.consume import mqtt, nats
from cloud.keys import Keys
from cloud.letters import Letterbox
from cloud.store import Store

log = structlog.get_logger()


def serve(config: Config, store: Store, keys: Keys, broker: str, clock: Clock = now_ms) -> None:
    """Blocks until SIGTERM or SIGINT. Ready when the broker lets us take; it may come and go. Raises BadConfig."""
    asyncio.run(_serve(config, Letterbox(store, keys, clock), broker))


async def _serve(config: Config, letters: Letterbox, broker: str) -> None:
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)

    def ready() -> None:
        log.info("consuming", broker=broker)
        daemon.notify("READY=1")

    if broker == "nats":
        consumer = asyncio.create_task(nats.run(letters, config.nats, ready))
    else:
        consumer = asyncio.create_task(_run_mqtt(letters, config, ready))
    stop = asyncio.create_task(stopping.wait())
    await asyncio.wait([consumer, stop], return_when=asyncio.FIRST_COMPLETED)
    daemon.notify("STOPPING=1")
    stop.cancel()
    consumer.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await consumer
    log.info("stopped", taken=letters.taken, dropped=dict(letters.dropped))


async def _run_mqtt(letters: Letterbox, config: Config, ready: Callable[[], None]) -> None:
    """Until cancelled."""
    consumer = mqtt.MqttConsumer(letters, config.mqtt, ready)
    consumer.start()
    try:
        await asyncio.Event().wait()
    finally:
        await asyncio.to_thread(consumer.stop)
