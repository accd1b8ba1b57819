"""A whole lane as a person would have it: the desk's processes, the bench's devices, the page in Chromium."""

import contextlib
import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, expect
from playwright.sync_api import Error as PlaywrightError

ROOT = Path(__file__).resolve().parents[3]
START_S = 60.0
STEP_MS = 20_000


class LaneUnderTest:
    """Started by `with`; everything it began is ended by pid at the end, and it must end cleanly."""

    def __init__(self, state: Path, *options: str, display: str = "") -> None:
        self.state = state
        self._options = options if display else ("--headless", *options)
        self._environment = {**os.environ, "DISPLAY": display}
        self.address: dict[str, str] = {}
        self.words: list[str] = []
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._desk: subprocess.Popen[str] | None = None

    def __enter__(self) -> "LaneUnderTest":
        command = [sys.executable, "-m", "provisioning.desk", "--json", "--state", str(self.state)]
        for name in ("kiosk", "cloud", "bench"):
            command += [f"--{name}-port", "0"]
        command += self._options
        self._desk = subprocess.Popen(
            command, cwd=ROOT, env=self._environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        threading.Thread(target=self._read, daemon=True).start()
        while True:
            line = self._lines.get(timeout=START_S)
            if line is None:
                assert self._desk.stderr is not None
                raise AssertionError(f"the desk did not come up: {self._desk.stderr.read()}")
            said = json.loads(line)
            self.address[said["name"]] = said["address"]
            if said["name"] == "ready":
                self.words.append(said["words"])
                return self

    def __exit__(self, *_: object) -> None:
        assert self._desk is not None
        self._desk.send_signal(signal.SIGINT)
        try:
            code = self._desk.wait(30)
        except subprocess.TimeoutExpired:
            self._desk.kill()
            raise
        finally:
            for stream in (self._desk.stdout, self._desk.stderr):
                if stream is not None:
                    stream.close()
        assert code == 0
        assert not list((self.state / "run").glob("*.pid")), "a process outlived the desk"

    def _read(self) -> None:
        assert self._desk is not None
        assert self._desk.stdout is not None
        with contextlib.suppress(ValueError):  # closed by __exit__
            for line in self._desk.stdout:
                self._lines.put(line)
        self._lines.put(None)

    # The bench

    def bench(self, path: str, **body: Any) -> Any:
        """POST to the bench; its answer."""
        return self._http(self.address["bench"].rstrip("/") + path, body)

    def bench_get(self, path: str) -> Any:
        return self._http(self.address["bench"].rstrip("/") + path)

    def unplug(self, device: str) -> None:
        self.bench(f"/{device}/unplug")

    def plug(self, device: str) -> None:
        self.bench(f"/{device}/plug")

    def mend(self) -> None:
        """Everything plugged in and in order, whatever the last test left."""
        self.bench("/terminal/faults", drop_at=None)
        self.bench("/terminal/profile", unacknowledged="reverses")
        for part, state in (("cable", "ok"), ("paper", "ok"), ("cover", "closed")):
            self.bench(f"/printer/{part}", state=state)
        for device in ("scanner", "printer", "terminal"):
            self.plug(device)

    def picture(self, number: int) -> bytes:
        with urllib.request.urlopen(self.address["bench"].rstrip("/") + f"/printer/receipts/{number}.png") as answer:
            return bytes(answer.read())

    def ledger(self) -> list[dict[str, Any]]:
        """What the terminal really did: the truth about who was charged."""
        path = self.state / "bench" / "ledger.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def captured(self) -> list[dict[str, Any]]:
        """What stays charged: captures without those that were reversed."""
        entries = self.ledger()
        taken_back = {e["reverses"] for e in entries if e["outcome"] == "reversed"}
        return [e for e in entries if e["outcome"] == "captured" and e["receipt"] not in taken_back]

    def waits_for_card(self) -> None:
        """Until the terminal asks for a card."""
        self.until(lambda: self.bench_get("/state")["terminal"]["waiting_for_card"])

    def until(self, condition: Callable[[], bool], timeout_s: float = 30.0) -> None:
        """For what nobody announces: ask until it is so."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline, "it did not become so in time"
            time.sleep(0.05)

    # The cloud

    def cloud(self, path: str) -> Any:
        return self._http(self.address["cloud"].rstrip("/") + path)

    def _http(self, url: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, {"Content-Type": "application/json"} if data else {})
        try:
            with urllib.request.urlopen(request, timeout=15) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{url}: {error.code} {error.read().decode()}") from None
        return json.loads(text) if text else None

    # Processes

    def pid(self, name: str) -> int:
        return int((self.state / "run" / f"{name}.pid").read_text())

    def kill(self, name: str) -> None:
        """kill -9 of one process; the desk starts it again."""
        os.kill(self.pid(name), signal.SIGKILL)

    def kill_and_wait(self, name: str) -> None:
        """kill -9, and wait until the desk says that its successor is ready."""
        self.kill(name)
        while (line := self._lines.get(timeout=START_S)) is not None:
            if json.loads(line)["words"] == f"{name} is ready again":
                return
        raise AssertionError("the desk ended")

    @contextlib.contextmanager
    def frozen(self, name: str) -> Iterator[None]:
        """The process stands still meanwhile: it holds its ports and answers nobody."""
        pid = self.pid(name)
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def log(self, name: str) -> str:
        return (self.state / "log" / f"{name}.log").read_text(errors="replace")

    def command(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run one of the project's programs to its end."""
        path = Path(sys.executable).parent / program
        return subprocess.run([str(path), *arguments], capture_output=True, text=True, timeout=60, check=False)

    def journal_verifies(self) -> None:
        journal = self.state / "lane" / "journal.db"
        done = self.command("kassa-journal", "verify", str(journal), "--keys", str(self.state / "lane"))
        assert done.returncode == 0, done.stdout + done.stderr


class Customer:
    """The person in front of the page."""

    def __init__(self, lane: LaneUnderTest, page: Page) -> None:
        self.lane = lane
        self.page = page
        page.goto(lane.address["kiosk"])

    def sees(self, screen: str, prompt: str | None = None) -> None:
        """Wait until the page shows this screen (and this prompt, "" for none)."""
        expect(self.page.locator("#kassa")).to_have_attribute("data-screen", screen, timeout=STEP_MS)
        if prompt is not None:
            expect(self.page.locator("#kassa")).to_have_attribute("data-prompt", prompt, timeout=STEP_MS)

    def screen(self) -> str:
        return self.page.locator("#kassa").get_attribute("data-screen") or ""

    def sees_one_of(self, *screens: str) -> str:
        """Wait until one of these is shown; which."""
        expect(self.page.locator("#kassa")).to_have_attribute(
            "data-screen", re.compile("|".join(screens)), timeout=STEP_MS
        )
        return self.screen()

    def at_rest(self) -> None:
        """The attract screen, whatever the last customer left."""
        if self.sees_one_of("attract", "thanks") == "thanks":
            self.touches("finish")
        self.sees("attract")

    def leaves(self) -> None:
        """The attract screen, also after a customer who gave up in the middle."""
        where = self.sees_one_of("attract", "scan", "basket", "pay", "receipt", "print_trouble", "thanks")
        if where in ("scan", "basket", "pay"):
            if self.page.locator("#prompt").count():
                self.touches("close_prompt")
            self.touches("cancel")
            if where != "scan":
                self.touches("cancel_confirmed")
        elif where == "receipt":
            self.touches("receipt", "how=none")
        elif where == "print_trouble":
            self.touches("finish")
        self.at_rest()

    def ends_paying(self) -> str:
        """Wait until the terminal, or the question to it, has settled the payment: the screen after it."""
        expect(self.page.locator("#kassa")).to_have_attribute(
            "data-screen", re.compile("^(receipt|pay)$"), timeout=2 * STEP_MS
        )
        self.page.wait_for_function(
            "() => document.getElementById('kassa').dataset.screen === 'receipt'"
            " || document.getElementById('kassa').dataset.prompt !== ''"
        )
        return self.screen()

    def comes_back(self) -> None:
        """After a restart of the kiosk the window opens the page with the new boot's token."""
        self.lane.until(self._opened)

    def _opened(self) -> bool:
        try:
            self.page.goto((self.lane.state / "run" / "window.url").read_text())
        except (OSError, PlaywrightError):
            return False
        return self.page.locator("#kassa").count() == 1

    def reads(self, text: str) -> None:
        """Wait until these words stand on the page."""
        expect(self.page.locator("#kassa")).to_contain_text(text, timeout=STEP_MS)

    def has(self, *selectors: str) -> None:
        """Wait until each of these is on the page and can be seen."""
        for selector in selectors:
            expect(self.page.locator(selector).first).to_be_visible(timeout=STEP_MS)

    def lacks(self, *selectors: str) -> None:
        """Wait until none of these is on the page."""
        for selector in selectors:
            expect(self.page.locator(selector)).to_have_count(0, timeout=STEP_MS)

    def touches(self, wish: str, argument: str = "") -> None:
        selector = f'[data-wish="{wish}"]' + (f'[data-arg="{argument}"]' if argument else "")
        self.page.locator(selector).first.click(timeout=STEP_MS)

    def scans(self, code: str) -> None:
        """Scan, and wait until the lane has taken it in."""
        before = self.page.locator("#kassa").get_attribute("data-pulse") or "0"
        self.lane.bench("/scanner/scan", text=code)
        expect(self.page.locator("#kassa")).not_to_have_attribute("data-pulse", before, timeout=STEP_MS)

    def taps(self, outcome: str = "approve") -> None:
        self.lane.bench("/terminal/card", outcome=outcome)


@contextlib.contextmanager
def customer(lane: LaneUnderTest, browser: Browser, size: tuple[int, int] = (1080, 1920)) -> Iterator[Customer]:
    page = browser.new_page(viewport={"width": size[0], "height": size[1]}, reduced_motion="reduce")
    try:
        yield Customer(lane, page)
    finally:
        page.close()
