"""A driver's line to the hub: keeps the device's record, and turns what changed into events."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from hal.api.records import (
    Condition,
    Device,
    Kind,
    PaymentEnded,
    PaymentLost,
    PaymentProgress,
    PaymentResult,
    PrintEnded,
    Read,
)
from hal.api.scrub import scrubbed
from hal.daemon.hub import Hub
from hal.drivers.contract import Part

FIELD: Mapping[type[Part], str] = {
    Read: "read",
    PaymentProgress: "payment_progress",
    PaymentResult: "payment_result",
    PaymentEnded: "payment_ended",
    PaymentLost: "payment_lost",
    PrintEnded: "print_ended",
}
"""The part of `Event` that carries each record."""


class DeviceReporter:
    """Implements `hal.drivers.contract.Reporter` for one device."""

    def __init__(self, hub: Hub, device: str, kind: Kind, model: str, on_change: Callable[[], None]) -> None:
        self._hub = hub
        self._on_change = on_change
        self.device = Device(device, kind, model, Condition.opening, "", "", [], {}, claimed=False)

    def condition(
        self,
        condition: Condition,
        *,
        reason: str = "",
        advice: str = "",
        warnings: Sequence[str] = (),
        info: Mapping[str, str] | None = None,
    ) -> None:
        if condition is Condition.opening and self.device.condition in (Condition.absent, Condition.fault):
            # Each attempt to reopen says "opening"; told to the watchers, a terminal that stays away would push
            # everything else out of the ring. They keep the reason until something better is known.
            return
        self._update(
            replace(
                self.device,
                condition=condition,
                reason=reason,
                advice=advice,
                warnings=list(warnings),
                info=self.device.info if info is None else dict(info),
            )
        )

    def claimed(self, *, claimed: bool) -> None:
        self._update(replace(self.device, claimed=claimed))

    def emit(self, part: Part) -> int:
        # Whatever text a device sent ends here, free of card numbers; but not a read, which may be a product's code.
        if not isinstance(part, Read):
            part = scrubbed(part)
        return self._hub.publish(self.device.id, **{FIELD[type(part)]: part})

    def _update(self, device: Device) -> None:
        device = scrubbed(device)
        if device != self.device:
            self.device = device
            self._hub.publish(device.id, device_changed=device)
            self._on_change()
