"""Puts a lane together: keys, journal, catalogue, interpreter, devices, socket and page; and takes it apart again."""

import asyncio
import logging
import secrets
import threading
from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace

from hal.api.server import SocketTaken
from kiosk.core import events as on
from kiosk.core.barcode import warm
from kiosk.core.state import Catalogue as CatalogueInfo
from kiosk.core.state import Shop, State, fresh
from kiosk.journal.recovery import Recovery
from kiosk.journal.stamp import Context
from kiosk.journal.store import Journal
from kiosk.lane import config as configuration
from kiosk.lane import days
from kiosk.lane.catalogue import Catalogue, file_name, newest
from kiosk.lane.condition import Condition
from kiosk.lane.fiscal import SCHEMES
from kiosk.lane.hardware import Hardware
from kiosk.lane.interpreter import Lane
from kiosk.lane.keys import StateKeys
from kiosk.lane.performing import Performing
from kiosk.lane.printing import encode_receipt
from kiosk.lane.restore import NotUnderstood, SaleInDoubt, restored
from kiosk.lane.server import SOFTWARE, Service
from kiosk.lane.settings import ShopSettings
from kiosk.lane.stamp import LaneStamp
from kiosk.lane.translate import Translate
from kiosk.lane.upkeep import Upkeep
from kiosk.records.catalogue import CatalogueError
from kiosk.records.config import BadConfig, load_enrolment
from kiosk.records.identity import Enrolment, public_key

_log = logging.getLogger("kassa.lane.house")
TEND_S = 20.0


class House:
    """A lane with everything but its page. `open` blocks for the journal's verification; `start` and `stop` go in
    pairs."""

    def __init__(self, config: configuration.KioskConfig) -> None:
        self.config = config
        self.state_dir = Path(config.state)
        enrolled = load_enrolment(self.state_dir)
        self._lane_uids = configuration.lane_uids(config)
        self._stamp = LaneStamp()
        shop = configuration.shop(config, enrolled)
        keys = StateKeys(self.state_dir, enrolled.dev)
        key, certificate = keys.load(enrolled.ep)
        self.journal = Journal.open(
            self.state_dir / "journal.db",
            dev=enrolled.dev,
            ep=enrolled.ep,
            key=key,
            certificate=certificate,
            anchor_path=self.state_dir / "anchor" / "journal-head",
            cosign_key=public_key(enrolled.cosign_key),
            stamp=self._stamp,
            context=Context(enrolled.tenant, enrolled.shop, enrolled.reg, enrolled.mode, SOFTWARE),
            recovery=_recovery(keys),
        )
        if (last := next(self.journal.backward(), None)) is not None:
            self._stamp.not_before(last.wall_ms)
        _follow_keys(self.journal, keys)
        self._sale_lost = ""
        state, self._barred = self._restored(shop, enrolled)
        catalogue = self._first_catalogue(state.sale.catalogue_version if state.sale is not None else "")
        if catalogue is not None:
            state = replace(state, catalogue=CatalogueInfo(catalogue.version, catalogue.count))
        warm()
        self._waiting_version = ""
        self._translate = Translate(self._stamp, configuration.in_store(config), catalogue)
        self.lane = Lane(state, self.journal, self._translate, self._barred)
        self.lane.on_rest(self._adopt_waiting)
        self._upkeep = Upkeep(self.lane, self.journal)
        self._settings = ShopSettings(
            self.state_dir / "settings",
            public_key(enrolled.release_key),
            enrolled.shop,
            self.lane,
            self._translate.use,
            self._stamp.wall_ms,
        )
        self._settings.hold(state.settings.version)
        self.lane.on_rest(self._settings.take)
        self.lane.opens_day = lambda: days.opened(self._stamp)
        self._stamp.business_day = self._business_day
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run_loop, name="devices")
        self._service: Service | None = None
        self._hardware_task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Raises SocketTaken when the lane's socket cannot be served: then everything is ended again."""
        self._thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self._start(), self._loop).result()
        except SocketTaken:
            self._close()
            raise

    def stop(self) -> None:
        """Ends threads and closes the journal; a sale in hand goes on at the next start."""
        self.lane.stop()
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result()
        self._close()

    def _close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self.journal.close()
        if self._translate.catalogue is not None:
            self._translate.catalogue.close()

    def every(self, seconds: float, work: Callable[[], None]) -> None:
        """Call `work` on the event loop now and then (the watchdog): it stops when the loop does."""

        def again() -> None:
            work()
            self._loop.call_later(seconds, again)

        self._loop.call_soon_threadsafe(again)

    def _run_loop(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    async def _start(self) -> None:
        devices = self.config.devices
        hardware = Hardware(
            self.config.hal_socket,
            self.lane.post,
            encode_receipt,
            self._stamp.wall_ms,
            devices.scanner,
            devices.printer,
            devices.terminal,
        )
        fiscal = SCHEMES[self.config.shop.fiscal_scheme]()
        performing = Performing(self._loop, self.lane, hardware, fiscal, self._stamp)
        condition = Condition(self.journal, self._stamp, self.state_dir, SOFTWARE, lambda: self._upkeep.upload)
        self._service = Service(
            self.lane, self.journal, self._upkeep, condition, self._adopt, self._settings.adopt, self._lane_uids
        )
        await self._service.start(self.config.lane_socket)
        self.lane.start(performing)
        if self._sale_lost:  # first: taking it up again would ask and do things about what nobody knows
            self.lane.post(on.SaleLost(self._sale_lost, self._stamp.wall_ms()))
        if not self._barred:
            self.lane.post(on.Restarted(SOFTWARE, self.lane.snapshot().state.shop))
        self._hardware_task = self._loop.create_task(hardware.run(), name="hardware")
        self._tend()

    async def _stop(self) -> None:
        assert self._service is not None
        assert self._hardware_task is not None
        await self._service.stop()
        self._hardware_task.cancel()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def _tend(self) -> None:
        """Now and then: what comes by the clock and not by an event."""
        self.lane.post(self._settings.take)
        self.lane.post(self._close_by_clock)
        self._loop.call_later(TEND_S, self._tend)

    def _business_day(self) -> str:
        day = self.lane.snapshot().state.day
        return day.date if day is not None else ""

    def _close_by_clock(self) -> None:
        """On the lane's thread."""
        event = days.due(self.lane.snapshot().state, self._stamp, configuration.close_at_min(self.config))
        if event is not None:
            self.lane.post(event)

    def _restored(self, shop: Shop, enrolled: Enrolment) -> tuple[State, str]:
        """The state out of the journal, and why no sale may be begun; empty if one may."""
        series = (enrolled.shop, enrolled.reg, enrolled.mode)
        try:
            state = restored(self.journal, shop, enrolled.next_sale_no, enrolled.next_receipt_no, series)
            barred = self.journal.fenced
        except SaleInDoubt as error:
            state, self._sale_lost, barred = error.state, str(error), self.journal.fenced
            _log.error("the open sale is given up: %s", error)
        except NotUnderstood as error:
            state, barred = fresh(shop), str(error)
        if barred:
            _log.error("out of service: %s", barred)
            state = replace(state, attendant=None, health=replace(state.health, journal=barred))
        return state, barred

    def _first_catalogue(self, pinned: str) -> Catalogue | None:
        """An open sale goes on with the version it was begun with; else the newest that is valid."""
        folder = self.state_dir / "catalogue"
        path = newest(folder)
        if pinned:
            own = folder / file_name(pinned)
            path = own if own.exists() else path
        if path is None:
            _log.warning("no catalogue in %s: the lane is out of service until one comes", folder)
            return None
        try:
            return Catalogue.open(path)
        except (CatalogueError, OSError) as error:
            _log.error("catalogue: %s", error)
            return None

    def _adopt(self, version: str) -> None:
        """On the lane's thread. Raises ValueError when the version cannot be opened or is not the newest."""
        state = self.lane.snapshot().state
        path = self.state_dir / "catalogue" / file_name(version)
        if state.sale is not None:
            # Prices do not change under a customer: taken when this sale is over.
            self._waiting_version = version
            return
        present = self._translate.catalogue
        try:
            catalogue = Catalogue.open(path)
        except (CatalogueError, OSError) as error:
            raise ValueError(f"catalogue {version}: {error}") from None
        if present is not None and catalogue.manifest.sequence < present.manifest.sequence:
            catalogue.close()
            raise ValueError(f"catalogue {version} is older than the present one, {present.version}")
        self.lane.post(self._translate.adopt(catalogue))
        _log.info("catalogue %s with %d products", catalogue.version, catalogue.count)

    def _adopt_waiting(self) -> None:
        """On the lane's thread, after a sale: take the version that came meanwhile."""
        if self._waiting_version:
            version, self._waiting_version = self._waiting_version, ""
            try:
                self._adopt(version)
            except ValueError as error:
                _log.error("%s", error)


def _recovery(keys: StateKeys) -> Recovery | None:
    """Without its identity key the lane can do what it is told, but not help itself."""
    try:
        return Recovery(keys, keys.identity_public(), secrets.randbelow)
    except BadConfig as error:
        _log.error("a damaged journal could not be gone on with: %s", error)
        return None


def _follow_keys(journal: Journal, keys: StateKeys) -> None:
    """Go over to a journal key that lies ready. What the journal says counts, so it is done at most once."""
    ep = journal.head().ep
    try:
        following = keys.following(ep)
    except BadConfig as error:
        _log.error("the journal key is not changed: %s", error)
        return
    if following is None:
        return
    if journal.certificate(newest=True).key != following[1].key:
        journal.rotate(following)
        _log.info("the journal key of epoch %d is changed", ep)
    keys.followed(ep)
