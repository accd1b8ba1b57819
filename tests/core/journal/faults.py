"""An SQLite VFS that passes everything on to the system's own, and fails one chosen call.

A failing call of `after` kind does its work first: the ambiguous case, where the data are on the disk and the caller
is told that they are not.
"""

from typing import Any, cast

import apsw

IOERR = {
    "read": apsw.SQLITE_IOERR_READ,
    "write": apsw.SQLITE_IOERR_WRITE,
    "sync": apsw.SQLITE_IOERR_FSYNC,
    "size": apsw.SQLITE_IOERR_FSTAT,
    "truncate": apsw.SQLITE_IOERR_TRUNCATE,
}


class Plan:
    """Counts calls while it is armed and fails the `at`-th (from 0)."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self._at = -1
        self._code = "EIO"
        self.after = False
        self._armed = False

    def arm(self, at: int = -1, code: str = "EIO", *, after: bool = False) -> None:
        self.calls, self._at, self._code, self.after, self._armed = [], at, code, after, True

    def disarm(self) -> None:
        self._armed = False

    def due(self, call: str) -> bool:
        if not self._armed:
            return False
        self.calls.append(call)
        return len(self.calls) - 1 == self._at

    def error(self, call: str) -> BaseException:
        kind = call.split()[0]
        if self._code == "ENOSPC" and kind == "write":
            return apsw.FullError("injected: no space left on device")
        error: Any = apsw.IOError(f"injected: {call}")
        error.result = apsw.SQLITE_IOERR
        error.extendedresult = IOERR[kind]
        return cast(BaseException, error)


class FaultyFile(apsw.VFSFile):
    def __init__(self, plan: Plan, base: str, name: apsw.URIFilename | str | None, flags: list[int]) -> None:
        text = name.filename() if isinstance(name, apsw.URIFilename) else name or ""
        self._plan = plan
        self._kind = "wal" if text.endswith("-wal") else "db"
        super().__init__(base, name, flags)

    def xRead(self, amount: int, offset: int) -> bytes:
        call = f"read {self._kind}"
        if self._plan.due(call):
            raise self._plan.error(call)
        return super().xRead(amount, offset)

    def xWrite(self, data: bytes, offset: int) -> None:
        call = f"write {self._kind}"
        if self._plan.due(call):
            # A short write: half of it reaches the file.
            super().xWrite(data if self._plan.after else data[: len(data) // 2], offset)
            raise self._plan.error(call)
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:
        call = f"sync {self._kind}"
        if self._plan.due(call):
            if self._plan.after:
                super().xSync(flags)
            raise self._plan.error(call)
        super().xSync(flags)

    def xFileSize(self) -> int:
        call = f"size {self._kind}"
        if self._plan.due(call):
            raise self._plan.error(call)
        return super().xFileSize()

    def xTruncate(self, newsize: int) -> None:
        call = f"truncate {self._kind}"
        if self._plan.due(call):
            raise self._plan.error(call)
        super().xTruncate(newsize)


class FaultyVFS(apsw.VFS):
    """Register by making one, unregister by `unregister()`."""

    def __init__(self, name: str) -> None:
        self.plan = Plan()
        self.registered = name
        super().__init__(name, "")

    def xOpen(self, name: apsw.URIFilename | str | None, flags: list[int]) -> FaultyFile:
        return FaultyFile(self.plan, "", name, flags)
