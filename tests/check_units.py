"""The units, checked: `systemd-analyze verify`, and the exposure score of each below its bound.

Run by `make check`. The programs of the units are not installed here, so that `verify` sees stand-ins for them.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

UNITS = Path(__file__).resolve().parents[1] / "systemd" / "system"
BOUNDS = {
    "kassa-hal.service": 1.5,
    "kassa-kiosk.service": 1.5,
    "kassa-sync.service": 1.5,
    "kassa-window.service": 2.5,
}


def stand_ins(folder: Path) -> None:
    """Copies of the units whose programs exist."""
    for unit in UNITS.glob("*.service"):
        text = re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", unit.read_text(), flags=re.MULTILINE)
        text = re.sub(r"^Documentation=.*\n", "", text, flags=re.MULTILINE)
        (folder / unit.name).write_text(text)


def verify(folder: Path) -> list[str]:
    command = [
        "systemd-analyze",
        "verify",
        "--man=no",
        "--recursive-errors=no",
        *map(str, sorted(folder.glob("*.service"))),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = [line for line in done.stderr.splitlines() if "kassa" in line]
    return lines if done.returncode or lines else []


def score(unit: Path) -> float:
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r"exposure level for \S+: ([0-9.]+)", done.stdout)
    if found is None:
        raise SystemExit(f"{unit.name}: no score: {done.stderr.strip()}")
    return float(found[1])


def main() -> int:
    bad = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        stand_ins(folder)
        for line in verify(folder):
            print(f"verify: {line}", file=sys.stderr)
            bad += 1
        for unit, bound in BOUNDS.items():
            found = score(folder / unit)
            print(f"{unit}: exposure {found} (at most {bound})")
            bad += found > bound
    missing = {u.name for u in UNITS.glob("*.service")} ^ set(BOUNDS)
    for unit in missing:
        print(f"{unit}: has no bound here, or is not there", file=sys.stderr)
        bad += 1
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
