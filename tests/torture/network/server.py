"""The real backend as a process that is killed -9 and comes back."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path


class Mortal:
    """`port`: of the one that lives now; another one after each `kill`."""

    def __init__(self, zygote: asyncio.subprocess.Process) -> None:
        self._zygote = zygote
        self._turn = asyncio.Lock()
        self._pid = 0
        self.port = 0
        self.kills = 0

    async def kill(self) -> None:
        """kill -9, and a new one on the same data. Returns when it serves."""
        life = self._pid
        async with self._turn:
            if self._pid != life:
                return  # somebody else just did
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
            self.kills += 1
            await self.start()

    async def start(self) -> None:
        assert self._zygote.stdin is not None
        assert self._zygote.stdout is not None
        self._zygote.stdin.write(b"\n")
        pid, port = (await self._zygote.stdout.readline()).split()
        self._pid, self.port = int(pid), int(port)


@contextlib.asynccontextmanager
async def mortal(data: Path, database: str) -> AsyncIterator[Mortal]:
    zygote = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.torture.network.zygote", str(data), database,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    server = Mortal(zygote)
    try:
        await server.start()
        yield server
    finally:
        assert zygote.stdin is not None
        zygote.stdin.close()
        await zygote.wait()
