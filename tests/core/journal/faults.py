"""An SQLite VFS that passes everything on to the system's own, and fails one chosen call.

What the failing call did before it failed is its effect: `nothing`, `half` of it (a short write), or the work was
`done` and only the answer is wrong: the ambiguous case, where the data are on the disk and the caller is told that
they are not.
"""

from typing import Any, cast

import apsw

EFFECTS = ("nothing", "half", "done")
IOERR = {
    "read": apsw.SQLITE_IOERR_READ,
    "write": apsw.SQLITE_IOERR_WRITE,
    "sync": apsw.SQLITE_IOERR_FSYNC,
    "size": apsw.SQLITE_IOERR_FSTAT,
    "truncate": apsw.SQLITE_IOERR_TRUNCATE,
    "lock": apsw.SQLITE_IOERR_LOCK,
    "access": apsw.SQLITE_IOERR_ACCESS,
}


class Plan:
    """Counts calls while it is armed and fails the `at`-th (from 0)."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self._at = -1
        self._code = "EIO"
        self.effect = "nothing"
        self._armed = False

    def arm(self, at: int = -1, code: str = "EIO", effect: str = "nothing") -> None:
        self.calls, self._at, self._code, self.effect, self._armed = [], at, code, effect, True

    def disarm(self) -> None:
        self._armed = False

    def due(self, call: str) -> bool:
        if not self._armed:
            return False
        self.calls.append(call)
        return len(self.calls) - 1 == self._at

    def error(self, call: str) -> BaseException:
        kind = call.split()[0]
        if kind == "open":
            return apsw.CantOpenError(f"injected: {call}")
        if self._code == "ENOSPC" and kind == "write":
            return apsw.FullError("injected: no space left on device")
        error: Any = apsw.IOError(f"injected: {call}")
        error.result = apsw.SQLITE_IOERR
        error.extendedresult = IOERR[kind]
        return cast(BaseException, error)


class FaultyFile(apsw.VFSFile):
    def __init__(self, plan: Plan, base: str, name: apsw.URIFilename | str | None, flags: list[int]) -> None:
        self._plan = plan
        self._kind = _kind(name)
        super().__init__(base, name, flags)

    def _fail(self, name: str) -> None:
        """For calls that are not tried before they fail."""
        call = f"{name} {self._kind}"
        if self._plan.due(call):
            raise self._plan.error(call)

    def xRead(self, amount: int, offset: int) -> bytes:
        self._fail("read")
        return super().xRead(amount, offset)

    def xWrite(self, data: bytes, offset: int) -> None:
        call = f"write {self._kind}"
        if self._plan.due(call):
            reaches = {"nothing": 0, "half": len(data) // 2, "done": len(data)}[self._plan.effect]
            if reaches:
                super().xWrite(data[:reaches], offset)
            raise self._plan.error(call)
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:
        call = f"sync {self._kind}"
        if self._plan.due(call):
            if self._plan.effect == "done":
                super().xSync(flags)
            raise self._plan.error(call)
        super().xSync(flags)

    def xFileSize(self) -> int:
        self._fail("size")
        return super().xFileSize()

    def xTruncate(self, newsize: int) -> None:
        self._fail("truncate")
        super().xTruncate(newsize)

    def xLock(self, level: int) -> None:
        self._fail("lock")
        super().xLock(level)


class FaultyVFS(apsw.VFS):
    """Register by making one, unregister by `unregister()`."""

    def __init__(self, name: str) -> None:
        self.plan = Plan()
        self.registered = name
        super().__init__(name, "")

    def xOpen(self, name: apsw.URIFilename | str | None, flags: list[int]) -> FaultyFile:
        call = f"open {_kind(name)}"
        if self.plan.due(call):
            raise self.plan.error(call)
        return FaultyFile(self.plan, "", name, flags)

    def xAccess(self, pathname: str, flags: int) -> bool:
        call = f"access {_kind(pathname)}"
        if self.plan.due(call):
            raise self.plan.error(call)
        return bool(super().xAccess(pathname, flags))


def _kind(name: apsw.URIFilename | str | None) -> str:
    text = name.filename() if isinstance(name, apsw.URIFilename) else name or ""
    return "wal" if text.endswith("-wal") else "db"
