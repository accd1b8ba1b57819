"""All screens as pictures, for a person to look at: `python -m tests.system.screens.gallery OUT_DIR [WORD…]`.

With words, only states whose name begins with one of them, and only the languages and sizes among them.
"""

import sys
from pathlib import Path

from tests.core.web.lane import HeldLane
from tests.core.web.states import IDLE, everywhere
from tests.system.screens.browser import SIZES, chromium, open_page, served, show

LANGUAGES = ("en", "da", "bg", "zh-Hans", "zh-Hant")


def main(out: Path, words: list[str]) -> None:
    languages = [word for word in words if word in LANGUAGES] or list(LANGUAGES)
    sizes = [word for word in words if word in SIZES] or ["portrait", "landscape"]
    names = tuple(word for word in words if word not in LANGUAGES and word not in SIZES)
    out.mkdir(parents=True, exist_ok=True)
    lane = HeldLane(IDLE)
    with served(lane) as port, chromium() as browser:
        for size in sizes:
            page = open_page(browser, port, size)
            for name, language, state in everywhere(*languages):
                if not names or name.startswith(names):
                    show(page, lane, state)
                    page.screenshot(path=out / f"{name}-{size}-{language}.png")
            page.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
