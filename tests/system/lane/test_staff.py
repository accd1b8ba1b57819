"""Staff at a running lane: badge and PIN, a void, a restricted item, a sale moved to another lane, the day's end."""

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.system.lane.harness import Customer, LaneUnderTest, customer

pytestmark = pytest.mark.system

RYE, SEEDED, SODA = "9521000000018", "9521000000025", "9521000001404"
PILSNER = "9521000001398"


class Attendant:
    """The person with the badge, at the same page."""

    def __init__(self, lane: LaneUnderTest, shopper: Customer) -> None:
        self.lane, self.shopper = lane, shopper
        self.known = lane.bench_get("/staff")

    def shows_badge(self) -> None:
        self.lane.bench("/scanner/scan", text=self.known["badge"], aim="]Q1")
        self.shopper.sees(self.shopper.screen(), "pin_asked")

    def types(self, pin: str) -> None:
        for digit in pin:
            self.shopper.page.locator(f'[data-digit="{digit}"]').click()
        self.shopper.page.locator("[data-enter]").click()

    def identifies(self) -> None:
        self.shows_badge()
        self.types(self.known["pin"])
        self.shopper.sees(self.shopper.screen(), "attendant_menu")


def records(lane: LaneUnderTest, *types: str) -> list[dict[str, Any]]:
    """The journal's records of these types, as anybody may read them."""
    done = lane.command("kassa-journal", "show", str(lane.state / "lane" / "journal.db"), "--last", "1000", "--json")
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    return [one for one in found if one["typ"] in types]


def printed(lane: LaneUnderTest, before: int) -> dict[str, Any]:
    """The next thing that comes out of the printer after `before` of them."""
    lane.until(lambda: len(lane.bench_get("/printer/receipts")["receipts"]) > before)
    last = lane.bench_get("/printer/receipts")["receipts"][-1]
    return dict(last)


def count(lane: LaneUnderTest) -> int:
    return len(lane.bench_get("/printer/receipts")["receipts"])


def test_an_attendants_day(tmp_path: Path, browser: Browser) -> None:
    with LaneUnderTest(tmp_path / "one") as one, customer(one, browser) as shopper:
        staff = Attendant(one, shopper)
        shopper.sees("attract")

        # A restricted item waits; the customer goes on; staff come in the middle of the sale.
        shopper.scans(RYE)
        one.bench("/scanner/scan", text=PILSNER)
        shopper.sees("basket", "refused")
        shopper.scans(SEEDED)
        staff.shows_badge()
        staff.types("0000")
        shopper.reads("PIN-koden var forkert")
        staff.types(staff.known["pin"])
        shopper.sees("basket", "attendant_menu")
        shopper.page.locator(".waiting .primary").click()
        shopper.sees("basket", "")
        expect(shopper.page.locator(".staffed")).to_have_count(0)  # their only task was done
        shopper.reads("Skumsted pilsner")

        # A void, with a reason.
        staff.identifies()
        shopper.touches("close_prompt")
        shopper.page.locator(".row", has_text="kernerugbrød").locator(".remove").click()
        shopper.sees("basket", "void_asked")
        shopper.touches("void")
        shopper.sees("basket", "")
        shopper.lacks('.row:has-text("kernerugbrød")')

        # The rest moves to another lane by its slip.
        before = count(one)
        shopper.page.locator("#staff-menu").click()
        shopper.page.locator("#staff-suspend").click()
        shopper.sees("suspended")
        slip = printed(one, before)
        (code,) = [qr for qr in slip["qr"] if str(qr).startswith("KASSA1:")]
        shopper.touches("finish")
        shopper.at_rest()

        # The day's end.
        staff.identifies()
        before = count(one)
        shopper.page.locator("#staff-close-day").click()
        shopper.sees("attract", "day_shown")
        printed(one, before)
        shopper.touches("leave")
        shopper.sees("attract", "")

        one.journal_verifies()
        one.until(lambda: bool(records(one, "day.reconciled")))
        (reconciled,) = records(one, "day.reconciled")
        told = reconciled["body"]["event"]
        assert (told["totals"]["outcome"], told["comparison"]["difference_minor"]) == ("closed", 0)
        day = one.command("kassa-journal", "day", str(one.state / "lane" / "journal.db"), "--json")
        assert day.returncode == 0, day.stdout + day.stderr
        report = json.loads(day.stdout)
        assert (report["same"], report["report"]["suspended"], report["report"]["voids"]) == (True, 1, 1)
        staffed = records(one, "restriction.checked", "line.voided", "sale.suspended", "day.close")
        assert {record["actor"]["kind"] for record in staffed} == {"attendant"}
        journal = (one.state / "lane" / "journal.db").read_bytes()
        assert staff.known["badge"].encode() not in journal
        assert staff.known["badge"] not in one.log("kiosk")

    with LaneUnderTest(tmp_path / "two") as two, customer(two, browser) as shopper:
        shopper.sees("attract")
        two.bench("/scanner/scan", text=code, aim="]Q1")
        shopper.sees("basket")
        shopper.reads("Kornvig rugbrød")
        staff = Attendant(two, shopper)
        staff.identifies()
        expect(shopper.page.locator(".waiting li")).to_have_count(1)  # the beer is approved anew
        shopper.page.locator(".waiting .primary").click()
        shopper.sees("basket", "")
        two.bench("/scanner/scan", text=code, aim="]Q1")
        shopper.sees("basket", "not_possible")
        shopper.touches("close_prompt")
        shopper.touches("pay")
        shopper.touches("card")
        shopper.sees("card")
        shopper.taps("approve")
        shopper.sees("receipt")
        (recalled,) = records(two, "sale.recalled")
        (closed,) = records(two, "sale.closed")
        assert closed["body"]["sale"]["original"] == recalled["body"]["event"]["original"]
