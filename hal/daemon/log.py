"""The daemon's log: structured lines on stderr, which systemd passes to the journal."""

import logging
import sys
from typing import Any

# structlog imports rich (0.2 s, half of the daemon's start) only to paint tracebacks on a terminal, and does without
# when it is missing. The daemon writes plain lines, so rich is hidden during this one import.
_HIDDEN = "rich"
if "structlog" not in sys.modules and _HIDDEN not in sys.modules:
    sys.modules[_HIDDEN] = None  # type: ignore[assignment]
    import structlog

    del sys.modules[_HIDDEN]
else:
    import structlog

log: Any = structlog.get_logger("hal")


def configure(*, json: bool) -> None:
    """Once, at start. With `json`, one JSON object a line; else text without colours."""
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if json
        else structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    )
    processors: list[Any] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        renderer,
    ]
    if json:
        processors.insert(2, structlog.processors.format_exc_info)
    structlog.configure(
        processors=processors,
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=logging.INFO, handlers=[_Through()])


class _Through(logging.Handler):
    """What libraries and the shared socket code log, in the same form as everything else."""

    def emit(self, record: logging.LogRecord) -> None:
        level = record.levelname.lower()
        getattr(log, level if level != "critical" else "error")(record.getMessage(), exc_info=record.exc_info or None)
