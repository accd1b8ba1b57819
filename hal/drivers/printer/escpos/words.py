"""Printer states in the daemon's words."""

from hal.drivers.printer.escpos.codec import State

ADVICE = {
    "no_answer": "The printer does not answer: check that it is switched on and set to ESC/POS.",
    "unrecoverable": "The printer reports a fault it cannot leave: switch it off and on, then call service.",
    "cutter": "The cutter is stuck: open the cover, remove jammed paper, switch the printer off and on.",
    "cover_open": "Close the printer's cover.",
    "paper_out": "Put in a new paper roll.",
    "offline": "The printer is offline: press its feed button, or switch it off and on.",
}


def fault(state: State) -> str:
    """The reason why nothing can be printed, the one to be cured first; empty when there is none."""
    reasons = (
        ("unrecoverable", state.unrecoverable),
        ("cutter", state.cutter),
        ("cover_open", state.cover_open),
        ("paper_out", state.paper_out),
        ("offline", state.offline or state.mechanical or state.auto_recoverable),
    )
    return next((word for word, holds in reasons if holds), "")
