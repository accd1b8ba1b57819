"""The daemon put together: configuration in, socket served until a signal."""

import asyncio
import gc
import signal
import socket
from collections.abc import Callable
from pathlib import Path

from asyncvarlink import VarlinkInterfaceRegistry
from systemd import daemon as systemd_daemon

from hal.api.server import Connection, Server, SocketTaken, listen
from hal.config import HalConfig
from hal.daemon import notify
from hal.daemon.hub import Hub
from hal.daemon.interfaces import Session, registry_for
from hal.daemon.log import log
from hal.daemon.supervisor import Supervisor

SOCKET_NAME = "hal"


def activated_socket() -> socket.socket | None:
    """The listening socket that the service manager passed, if any (sd_listen_fds(3)). Raises SocketTaken."""
    fds = systemd_daemon.listen_fds()
    if not fds:
        return None
    if len(fds) > 1 or not systemd_daemon.is_socket_unix(fds[0], socket.SOCK_STREAM, 1):
        raise SocketTaken("LISTEN_FDS: allowed is one listening Unix stream socket")
    sock = socket.socket(fileno=fds[0])
    sock.settimeout(0)
    return sock


def build(config: HalConfig, hub: Hub) -> Supervisor:
    """Every configured device with its driver, nothing opened yet."""
    supervisor = Supervisor(hub, on_change=lambda: notify.notify(f"STATUS={notify.status(supervisor.devices())}"))
    for device in config.devices:
        reporter = supervisor.reporter(device.id, device.model.kind, device.name)
        driver = device.model.create(reporter, device.options)
        supervisor.add(reporter, driver, device.options.watched_path)
    return supervisor


async def run(config: HalConfig) -> None:
    """Serve until SIGTERM or SIGINT. Raises SocketTaken when the socket cannot be had."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    activated = activated_socket()
    sock = activated or listen(config.socket)
    inode = None if activated else Path(config.socket).stat().st_ino
    supervisor = build(config, Hub())

    def admit(connection: Connection) -> tuple[VarlinkInterfaceRegistry, Callable[[], None]]:
        session = Session(supervisor, connection.stalled)
        return registry_for(session), session.end

    server = Server(admit, config.allowed_uids)
    await server.start(sock)
    supervisor.start()
    log.info("serving", socket=config.socket, devices=len(supervisor.slots), instance=supervisor.hub.instance)
    # What was made at start stays: left to the collector, it would be walked through again in the middle of a read.
    gc.collect()
    gc.freeze()
    notify.notify(f"READY=1\nSTATUS={notify.status(supervisor.devices())}")
    notify.keep_watchdog_fed(loop)
    await stop.wait()
    notify.notify("STOPPING=1")
    log.info("stopping")
    await server.stop()
    await supervisor.stop()
    _remove_own(config.socket, inode)


def _remove_own(path: str, inode: int | None) -> None:
    """Only the file this run made: another daemon may have taken the path meanwhile."""
    try:
        if inode is not None and Path(path).stat().st_ino == inode:
            Path(path).unlink()
    except FileNotFoundError:
        pass
