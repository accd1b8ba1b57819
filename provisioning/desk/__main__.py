"""`make run`: HAL, kiosk, sync, cloud and bench as separate processes, and the lane's window if there is a display."""

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from kiosk.api.client import LaneClient
from provisioning.desk.files import (
    SHOP_NAME,
    Folders,
    bench_state,
    free_port,
    write_cloud,
    write_hal,
    write_kiosk,
)
from provisioning.desk.process import Process, StartFailed

READY_S = 60.0
WINDOW = "540x960"  # half of the portrait screen, so that it fits beside the bench
ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
DEMO_PIN = "2580"
SAMPLE = ROOT / "provisioning" / "shop" / "sample.csv"


class Desk:
    """Starts the processes in the order they need each other, and ends them in the reverse one."""

    def __init__(self, folders: Folders, arguments: argparse.Namespace) -> None:
        self._folders = folders
        self._arguments = arguments
        self._processes: list[Process] = []
        self._began = time.monotonic()

    def up(self) -> None:
        """Raises StartFailed."""
        arguments, folders = self._arguments, self._folders
        bench = self._start("bench", [sys.executable, "-m", "hal.virtual", *self._bench_arguments()])
        cloud_config = write_cloud(folders, arguments.cloud_port)
        cloud = self._start("cloud", [str(BIN / "kassa-cloud"), "serve", "--config", str(cloud_config)])
        bench.ready(READY_S)
        devices = bench_state(folders)
        self.say("bench", devices["bench"], "scan, tap cards and pull cables here")
        hal_config = write_hal(folders, devices)
        hal = self._start("hal", [str(BIN / "kassa-hal"), "--config", str(hal_config)])
        cloud.ready(READY_S)
        cloud_url = f"http://127.0.0.1:{arguments.cloud_port}"
        self.say("cloud", cloud_url + "/", "kiosks and their sales, live")
        self._stock_and_enrol(cloud_url)
        (folders.run / "window.url").unlink(missing_ok=True)  # a new run is a new boot
        kiosk_config = write_kiosk(folders, arguments.kiosk_port, arguments.cloud_port)
        kiosk = self._start("kiosk", [str(BIN / "kassa-kiosk"), "run", "--config", str(kiosk_config)])
        hal.ready(READY_S)
        self.say("hal", str(folders.run / "hal.sock"), "Varlink")
        kiosk.ready(READY_S)
        address = folders.run / "window.url"
        self._start(
            "sync",
            [str(BIN / "kassa-sync"), "--state", str(folders.lane), "--lane", str(folders.run / "lane.sock")],
        )
        shown = not arguments.headless and bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
        self.say(
            "kiosk",
            address.read_text(),
            "the customer's screen" if shown else "no display: open the customer's screen here",
        )
        if shown:
            self._start("window", [str(BIN / "kassa-window"), "--url-file", str(address), "--size", WINDOW])
        if not asyncio.run(sells(folders.run / "lane.sock", READY_S)):
            raise StartFailed(f"the lane does not open; see {folders.log}")
        self.say("ready", "", f"after {time.monotonic() - self._began:.1f} s; Ctrl-C ends everything")

    def down(self) -> None:
        for process in reversed(self._processes):
            process.stop()

    def say(self, name: str, address: str, words: str) -> None:
        if self._arguments.json:
            print(json.dumps({"name": name, "address": address, "words": words}), flush=True)
        else:
            print(f"{name:7} {address}  {words}" if address else f"{name:7} {words}", flush=True)

    def _bench_arguments(self) -> list[str]:
        arguments = ["--dir", str(self._folders.bench), "--port", str(self._arguments.bench_port)]
        arguments += ["--terminal-port", "0", "--printer-port", "0", "--shop", str(self._arguments.shop)]
        arguments += ["--staff", str(self._folders.staff)]
        return [*arguments, "--ledger", str(self._folders.bench / "ledger.jsonl")]

    def _start(self, name: str, command: list[str]) -> Process:
        def restarted(line: str) -> None:
            if self._arguments.json:
                self.say(name, "", line)
            else:
                print(f"desk: {line}", file=sys.stderr, flush=True)

        log, pid_file = self._folders.log / f"{name}.log", self._folders.run / f"{name}.pid"
        process = Process(name, command, log, pid_file, on_restart=restarted)
        process.start()
        self._processes.append(process)
        return process

    def _stock_and_enrol(self, cloud_url: str) -> None:
        """Once: publish the sample shop, and enrol this lane with a one-time token. Both are kept from then on."""
        stocked = self._folders.cloud / "stocked"
        with ThreadPoolExecutor() as side_by_side:
            work = []
            if not stocked.exists():
                work.append(side_by_side.submit(self._stock, stocked))
            if not self._folders.staff.exists():
                work.append(side_by_side.submit(self._hire))
            if not (self._folders.lane / "enrolment.json").exists():
                work.append(side_by_side.submit(self._enrol, cloud_url))
            for done in work:
                done.result()

    def _stock(self, stocked: Path) -> None:
        self._once(["kassa-cloud", "catalogue", "publish", str(self._arguments.shop), "--shop", SHOP_NAME])
        stocked.touch()

    def _hire(self) -> None:
        """One demo attendant with every role, whose badge and PIN the bench shows."""
        answer = json.loads(self._once(["kassa-cloud", "staff", "add", "--shop", SHOP_NAME, "--json"], DEMO_PIN))
        self._folders.staff.write_text(json.dumps({"badge": answer["badge"], "pin": DEMO_PIN}) + "\n")

    def _enrol(self, cloud_url: str) -> None:
        answer = self._once(["kassa-cloud", "token", "--shop", SHOP_NAME, "--reg", "1", "--json"])
        state = str(self._folders.lane)
        command = ["kassa-provision", "enrol", "--backend", cloud_url, "--state", state, "--token", "-"]
        self._once(command, json.loads(answer)["token"])

    def _once(self, command: list[str], given: str = "") -> str:
        """Run a command to its end; `given` on its standard input, where other users do not see it."""
        program, *rest = command
        if program == "kassa-cloud":
            rest += ["--data", str(self._folders.cloud)]
        done = subprocess.run([str(BIN / program), *rest], input=given, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise StartFailed(f"{program} {rest[0]} failed:\n{done.stderr.strip()}")
        return done.stdout


async def sells(socket: Path, timeout_s: float) -> bool:
    """Whether the lane opens within the time: devices there, catalogue there, a customer could scan. The lane has no
    stream of its status, so it is asked."""
    deadline = time.monotonic() + timeout_s
    async with await LaneClient.connect(socket) as lane:
        while (await lane.status()).screen == "out_of_service":
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(0.05)
    return True


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m provisioning.desk", description=__doc__)
    parser.add_argument("--state", type=Path, default=ROOT / ".kassa", help="where journal and enrolment are kept")
    parser.add_argument("--shop", type=Path, default=SAMPLE, help="the price list to publish at the first start")
    parser.add_argument("--headless", action="store_true", help="open no window even if there is a display")
    parser.add_argument("--json", action="store_true", help="one JSON object a line instead of words")
    for name, port in (("kiosk", 8080), ("cloud", 8090), ("bench", 8070)):
        variable = f"KASSA_{name.upper()}_PORT"
        parser.add_argument(
            f"--{name}-port", type=int, default=os.environ.get(variable, port), help=f"0 takes a free one ({variable})"
        )
    arguments = parser.parse_args()
    for name in ("kiosk", "cloud", "bench"):
        if not 0 <= getattr(arguments, f"{name}_port") <= 65535:
            parser.error(f"--{name}-port: allowed: 0 to 65535")
        setattr(arguments, f"{name}_port", getattr(arguments, f"{name}_port") or free_port())
    return arguments


def main() -> int:
    arguments = parse()
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    desk = Desk(Folders(arguments.state.resolve()), arguments)
    try:
        desk.up()
        ended.wait()
        return 0
    except StartFailed as error:
        print(f"desk: {error}", file=sys.stderr)
        return 1
    finally:
        desk.down()


if __name__ == "__main__":
    sys.exit(main())
