"""Bad input from every side, with real processes: a clear word each, and nothing lost."""

import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from kiosk.api.client import LaneClient
from kiosk.api.interfaces import JournalHead
from tests.core.catalogue.lists import HEADING, SAMPLE, row, table
from tests.system.lane.bad_cloud import ANSWERS, BadCloud
from tests.system.lane.harness import Customer, LaneUnderTest, customer
from tests.system.lane.test_sale import sells

pytestmark = pytest.mark.system

RYE, SEEDED = "9521000000018", "9521000000025"

# A price list

BAD_ROWS = {
    row(code="9521000000019"): ("code", "9521000000019", "9521000000018, if the other digits are right"),
    row(code="9.521E+12"): ("code", "9.521E+12", "8, 12, 13 or 14 digits"),
    row(code="95210000000"): ("code", "95210000000", "a GTIN of 8, 12, 13 or 14 digits"),
    row(code=""): ("code", "", "8, 12, 13 or 14 digits"),
    row(code_kind="isbn"): ("code_kind", "isbn", "gtin, plu, price_embedded, weight_embedded"),
    row(code=SEEDED, price="cheap"): ("price", "cheap", "digits with a dot, such as 12.50"),
    row(code="9521000000032", price='"24,95"'): ("price", "24,95", "digits with a dot, such as 12.50"),
    row(code="9521000000049", price="-1.00"): ("price", "-1.00", "digits with a dot, such as 12.50"),
    row(code="9521000000056", price="1.00001"): ("price", "1.00001", "at most 4"),
    row(code="9521000000063", tax="X:25"): ("tax", "X:25", "S:RATE or AA:RATE"),
    row(code="9521000000070", name_en=""): ("name_en", "", ""),
    row(code="9521000000087", name_en="a\x1b[2Jb"): ("", "9521000000087,,a\\x1b[2Jb", "printable text"),
    row(code="9521000000094", category="Bread & more"): ("category", "Bread & more", "1 to 32 of a-z"),
    row(code="9521000000100", unit="bushel"): ("unit", "bushel", "each"),
    row(code="9521000000117", deposit="9521000000018"): ("deposit", "09521000000018", "kind deposit"),
    row(code="9521000000124") + ",,,": ("", "", "15, as in the heading"),
}


def command(program: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    path = Path(sys.executable).parent / program
    return subprocess.run([str(path), *arguments], capture_output=True, text=True, timeout=60, check=False)


def test_every_mistake_of_a_list_is_named_and_nothing_is_imported(tmp_path: Path) -> None:
    state = ("--state", str(tmp_path / "state"))
    assert command("kassa-kiosk", "catalogue", "import", str(SAMPLE), *state).returncode == 0
    before = {path.name: path.read_bytes() for path in (tmp_path / "state" / "catalogue").iterdir()}
    file = tmp_path / "bad.csv"
    file.write_text(table(row(), *BAD_ROWS, row()))
    done = command("kassa-kiosk", "catalogue", "import", str(file), *state, "--json")
    assert (done.returncode, done.stderr) == (1, "")
    told = json.loads(done.stdout)
    assert (told["error"], told["file"]) == ("bad_catalogue", "bad.csv")
    problems: dict[int, list[dict[str, Any]]] = {}
    for problem in told["problems"]:
        problems.setdefault(problem["line"], []).append(problem)
    for line, (column, value, allowed) in enumerate(BAD_ROWS.values(), 3):
        about = [p for p in problems.get(line, []) if p["column"] == column and p["value"].startswith(value)]
        assert any(allowed in p["allowed"] for p in about), (line, problems.get(line))
    twice = problems[3 + len(BAD_ROWS)]
    assert [p["message"] for p in twice] == ["stands already in line 2"]
    assert told["count"] == len(told["problems"])
    for_people = command("kassa-kiosk", "catalogue", "import", str(file), *state)
    assert (for_people.returncode, for_people.stdout) == (1, "")
    assert f"bad.csv: {told['count']} problems" in for_people.stderr
    assert "Nothing was imported." in for_people.stderr
    assert "\x1b" not in for_people.stderr
    assert {path.name: path.read_bytes() for path in (tmp_path / "state" / "catalogue").iterdir()} == before
    assert RYE in command("kassa-kiosk", "catalogue", "show", RYE, *state).stdout


FILES: dict[str, bytes] = {
    "binary": bytes(range(256)) * 40,
    "empty": b"",
    "another heading": b"a,b,c\n1,2,3\n",
    "Latin-1": (HEADING + "\n" + row(name_en="Rugbrød")).encode("latin-1"),
    "no end of a quoted field": (HEADING + "\n" + row(name_en='"Rye')).encode(),
    "one endless line": b"x" * 2_000_000,
}


@pytest.mark.parametrize("case", FILES)
def test_a_file_that_is_no_list_is_refused_with_a_word(tmp_path: Path, case: str) -> None:
    file = tmp_path / "list.csv"
    file.write_bytes(FILES[case])
    done = command("kassa-kiosk", "catalogue", "import", str(file), "--state", str(tmp_path / "state"), "--json")
    assert (done.returncode, done.stderr) == (1, "")
    told = json.loads(done.stdout)
    assert told["problems"][0]["allowed"]
    assert not list((tmp_path / "state").rglob("*.db"))


# The scanner

SILENCE_S = 0.5
CONTROLS = "".join(map(chr, [*range(1, 10), 11, 12, *range(14, 32), 127])) * 350
SOUP = {
    "10 kB of control characters": CONTROLS[:10_000],
    "control characters in reads": CONTROLS[:3000] + "\r" + "\x1b[2J\x1b]0;x\x07\r" * 40,
    "links": "https://example.com/pay?to=me\rjavascript:alert(1)\rdata:text/html,<b>x</b>",
    "markup": "<img src=x onerror=window.taken=1>\r<script>window.taken=1</script>\r\"'><svg onload=window.taken=1>",
    "templates": "{{7*7}}\r${7*7}\r{% raw %}\r'; DROP TABLE product; --\r../../etc/passwd",
    "nearly a code": RYE[:-1] + "9\r" + RYE + RYE + "\r" + RYE + "\0\r٩521000000018",
    "text that turns around": "\u202e\u2066\ufeff\u0300" * 200,
    "no UTF-8": "\udcff\udcfe" * 500,
    "a code of 4096 digits": "9" * 4096,
    "an identifier alone": "]E0\r]Q1\r]]]]",
}


def to_pay_minor(shopper: Customer) -> int:
    return int("".join(re.findall(r"\d", shopper.page.locator('[data-wish="pay"]').inner_text())))


@pytest.mark.parametrize("case", SOUP)
def test_rubbish_from_the_scanner_changes_nothing(lane: LaneUnderTest, browser: Browser, case: str) -> None:
    with customer(lane, browser) as shopper:
        if shopper.sees_one_of("attract", "basket") == "attract":
            shopper.scans(RYE)
        shopper.sees("basket")
        before_minor = to_pay_minor(shopper)
        lane.bench("/scanner/scan", text=SOUP[case], aim="")
        lane.bench("/scanner/scan", text=SEEDED, partial=True)  # the product was pulled away
        time.sleep(SILENCE_S)  # nobody tells that a half code was given up
        shopper.scans(SEEDED)
        shopper.sees("basket", "")
        assert to_pay_minor(shopper) == before_minor + 2795
        unwanted(shopper)


def test_the_customer_reads_what_was_scanned_and_it_is_no_markup(lane: LaneUnderTest, browser: Browser) -> None:
    with customer(lane, browser) as shopper:
        shopper.sees_one_of("basket", "attract")
        lane.bench("/scanner/scan", text="<img src=x onerror=window.taken=1>", aim="]Q1")
        shopper.sees("basket", "item_not_found")
        shopper.reads("<img src=x onerror=window.take")
        unwanted(shopper)


def unwanted(shopper: Customer) -> None:
    text = shopper.page.locator("html").inner_text()
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)
    assert shopper.page.evaluate("window.taken === undefined")
    assert shopper.page.locator("[onerror], [onload], img[src=x]").count() == 0


# The backend


def head(lane: LaneUnderTest) -> JournalHead:
    async def ask() -> JournalHead:
        async with await LaneClient.connect(lane.state / "run" / "lane.sock") as client:
            return await client.head()

    # The browser's driver keeps a loop in this thread.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, ask()).result()


@contextlib.contextmanager
def paused(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@contextlib.contextmanager
def syncing(lane: LaneUnderTest, state: Path, backend: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A `kassa-sync` that was enrolled at another address."""
    state.mkdir()
    enrolment = json.loads((lane.state / "lane" / "enrolment.json").read_text())
    (state / "enrolment.json").write_text(json.dumps(enrolment | {"backend": backend}))
    program = str(Path(sys.executable).parent / "kassa-sync")
    with (state / "log").open("wb") as log:
        process = subprocess.Popen(
            [program, "--state", str(state), "--lane", str(lane.state / "run" / "lane.sock")], stderr=log
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            assert process.wait(15) == 0, "it ends when it is told to"
        finally:
            process.kill()
            process.wait()


def test_wrong_answers_of_the_backend_move_nothing_and_the_right_one_brings_everything_once(
    lane: LaneUnderTest, browser: Browser, tmp_path: Path
) -> None:
    lane.until(lambda: head(lane).backlog == 0)
    known = {sale["sale_id"] for sale in lane.cloud("/api/sales")["sales"]}
    with paused(lane.pid("sync")):
        before = head(lane)
        with customer(lane, browser) as shopper:
            sells(shopper, lane)
        with contextlib.ExitStack() as stack:
            clouds = {name: stack.enter_context(BadCloud(answer)) for name, (answer, _, _) in ANSWERS.items()}
            for number, cloud in enumerate(clouds.values()):
                stack.enter_context(syncing(lane, tmp_path / str(number), cloud.url))
            lane.until(lambda: all(cloud.uploads >= 3 for cloud in clouds.values()), 90)
        after = head(lane)
        assert after.current.acked_seq == before.current.acked_seq
        assert after.current.seq > before.current.seq
        assert {sale["sale_id"] for sale in lane.cloud("/api/sales")["sales"]} == known
    for number, (name, cloud) in enumerate(clouds.items()):
        _, event, words = ANSWERS[name]
        log = (tmp_path / str(number) / "log").read_text()
        # So many syncs at one lane may meet the bound of its socket's connections; each comes back by itself.
        told = [entry for entry in map(json.loads, log.splitlines()) if entry["event"] != "lane_gone"]
        about = [entry for entry in told if entry["event"] == event]
        assert 2 <= len(about) <= cloud.uploads, name
        assert all(words in entry["message"] and entry["message"].isprintable() for entry in about), (name, about)
        others = {entry["event"] for entry in told} - {event}
        assert others <= {"syncing", "catalogue_unreachable", "catalogue_refused", "settings_unreachable"}, name
        assert len(told) <= len(cloud.paths) + 1, f"{name}: more lines than answers"
        assert "/elsewhere" not in cloud.paths
        assert "device_token" not in log
        assert "kd_" not in log
    lane.until(lambda: head(lane).backlog == 0, 60)
    arrived = [sale["sale_id"] for sale in lane.cloud("/api/sales")["sales"]]
    assert len(arrived) == len(set(arrived)) == len(known) + 1
    lane.journal_verifies()
