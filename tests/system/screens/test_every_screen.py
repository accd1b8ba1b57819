"""Every sample state, in both formats: accessible by axe's rules, nothing cut off, everything large enough to touch."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.core.web.lane import HeldLane
from tests.core.web.states import everywhere
from tests.system.screens.browser import SIZES, open_page, show

pytestmark = pytest.mark.system

AXE = Path(__file__).resolve().parents[3] / "node_modules" / "axe-core" / "axe.min.js"
WCAG_AA = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

FLAWS = """() => {
  const found = [];
  const seen = (node) => node.checkVisibility() && !node.closest(".unseen, [hidden]");
  const name = (node) => node.id || node.className || node.tagName;
  const veiled = document.querySelector("#veil");
  for (const button of document.querySelectorAll("button")) {
    if (!seen(button)) continue;
    const box = button.getBoundingClientRect();
    if (box.width < 48 || box.height < 48) found.push(`small ${name(button)} ${box.width}x${box.height}`);
    if (button.closest("[inert]") || button.disabled || button.closest(".basket")) continue;
    if (box.left < 0 || box.top < 0 || box.right > innerWidth + 0.5 || box.bottom > innerHeight + 0.5)
      found.push(`outside ${name(button)}`);
    const hit = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
    if (!button.contains(hit)) found.push(`covered ${name(button)} by ${hit && name(hit)}`);
  }
  const parts = "#kassa, #top, #stage, #dock, #tools, #prompt, .said, .message, .words, .tile, .btn, .tool, " +
    ".row .text, .total, .total strong, h1, h2, p, li";
  for (const node of document.querySelectorAll(parts)) {
    if (!seen(node) || node.matches(".basket .row")) continue;
    if (getComputedStyle(node).display === "inline") continue;
    if (node.scrollWidth > node.clientWidth + 1)
      found.push(`wide ${name(node)} ${node.scrollWidth} > ${node.clientWidth}`);
    if (node.scrollHeight > node.clientHeight + 4 && !["P", "H1", "H2", "STRONG"].includes(node.tagName))
      found.push(`high ${name(node)} ${node.scrollHeight} > ${node.clientHeight}`);
  }
  for (const node of document.querySelectorAll("h1, h2, p, .btn span, .tool span, .amount")) {
    if (!seen(node) || node.closest(".basket")) continue;
    const box = node.getBoundingClientRect();
    if (box.width && (box.left < 0 || box.right > innerWidth + 1 || box.top < 0 || box.bottom > innerHeight + 1))
      found.push(`cut ${name(node)} ${node.textContent.slice(0, 30)}`);
  }
  const list = document.querySelector("#basket");
  if (list && !veiled && list.clientHeight < 200) found.push(`basket is only ${list.clientHeight} high`);
  return found;
}"""


def axe(page: Page) -> list[str]:
    """What axe finds, each as rule: target."""
    result = page.evaluate(
        "tags => axe.run(document, {runOnly: {type: 'tag', values: tags}, resultTypes: ['violations']})", WCAG_AA
    )
    return [
        f"{one['id']}: {node['target']} {node['failureSummary']}"
        for one in result["violations"]
        for node in one["nodes"]
    ]


def clean(
    browser: Browser, lane: HeldLane, port: int, size: str, language: str, *, rules: bool
) -> dict[str, list[str]]:
    """Flaws by state."""
    page = open_page(browser, port, size)
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    if rules:
        page.evaluate(AXE.read_text(encoding="utf-8") + ";0")
    flaws = {}
    for name, _, state in everywhere(language):
        show(page, lane, state)
        found = page.evaluate(FLAWS) + (axe(page) if rules else [])
        if found or errors:
            flaws[name] = found + errors
            errors.clear()
    page.close()
    return flaws


@pytest.mark.parametrize("language", ["da", "bg", "zh-Hans"])
@pytest.mark.parametrize("size", ["portrait", "landscape"])
def test_accessible_and_whole(browser: Browser, lane: HeldLane, port: int, size: str, language: str) -> None:
    assert clean(browser, lane, port, size, language, rules=language == "da") == {}


@pytest.mark.parametrize("size", SIZES)
def test_whole_in_english(browser: Browser, lane: HeldLane, port: int, size: str) -> None:
    assert clean(browser, lane, port, size, "en", rules=False) == {}


def test_flaws_are_seen(browser: Browser, port: int) -> None:
    page = open_page(browser, port, "landscape")
    page.evaluate(AXE.read_text(encoding="utf-8") + ";0")
    page.evaluate(
        """() => { const tool = document.getElementById("tool-help");
        tool.style.minHeight = tool.style.height = "20px";
        document.getElementById("tool-sound").style.color = "#1a5a49";
        tool.querySelector("span").style.whiteSpace = "nowrap";
        tool.querySelector("span").textContent = "long".repeat(60); }"""
    )
    found = " ".join(page.evaluate(FLAWS))
    assert "small tool-help" in found
    assert "wide tool-help" in found
    assert any("color-contrast" in one for one in axe(page))
    page.close()
