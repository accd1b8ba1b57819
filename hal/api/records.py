"""Records on the hardware daemon's socket.

Plain dataclasses, so that `asyncvarlink` derives the interface description from them and any Varlink client can
introspect it. Varlink has no unions: an `Event` carries exactly one of its optional parts.

Units stand in the names. Bytes travel as base64 text. Money is an integer of minor units with an ISO 4217 code.
"""

import enum
from dataclasses import dataclass, field


class Kind(enum.Enum):
    scanner = "scanner"
    printer = "printer"
    terminal = "terminal"


class Condition(enum.Enum):
    """Where a device stands: absent -> opening -> ready <-> busy -> fault -> absent."""

    absent = "absent"
    opening = "opening"
    ready = "ready"
    busy = "busy"
    fault = "fault"


@dataclass(frozen=True)
class Device:
    """One configured device, whether or not it is there.

    `reason` is a stable machine word when the condition is absent or fault, else empty:
    `unplugged`, `unreachable`, `no_answer`, `not_registered`, `paper_out`, `cover_open`, `cutter`, `unrecoverable`,
    `offline`, `protocol`, `stopped` (the daemon ends), `internal` (the driver failed; its log says how). As the reason
    of `NotReady` also `busy` (it is at something else) and `unsupported` (this model cannot do it).
    `advice` is one English sentence for a technician. `info` holds what the device told of itself (model,
    terminal_id …). `warnings` are words that do not stop the device: `paper_near_end`, `drawer_open`; of a terminal
    `initialisation_needed`, `diagnosis_needed`, `reconciliation_needed`.
    """

    id: str
    kind: Kind
    model: str
    condition: Condition
    reason: str
    advice: str
    warnings: list[str]
    info: dict[str, str]
    claimed: bool


@dataclass(frozen=True)
class Read:
    """One barcode as the scanner sent it: text without prefix and suffix, at most 4096 characters.

    `aim` is the AIM identifier with its bracket (ISO/IEC 15424), such as `]E0`, or empty when none came.
    """

    text: str
    aim: str
    received_mono_ns: int


class Progress(enum.Enum):
    """What the customer is to do, or what the terminal does, in words of our own; the kiosk translates them."""

    connecting = "connecting"
    please_wait = "please_wait"
    present_card = "present_card"
    insert_card = "insert_card"
    remove_card = "remove_card"
    enter_pin = "enter_pin"
    wrong_pin = "wrong_pin"
    confirm_amount = "confirm_amount"
    card_unreadable = "card_unreadable"
    try_other_interface = "try_other_interface"
    authorising = "authorising"
    approved = "approved"
    declined = "declined"
    cancelled = "cancelled"
    reversing = "reversing"
    other = "other"


@dataclass(frozen=True)
class PaymentProgress:
    """The terminal's present step. `text` is the terminal's own display text when it sent one, else empty."""

    payment_id: str
    progress: Progress
    text: str


class Outcome(enum.Enum):
    approved = "approved"
    declined = "declined"
    cancelled = "cancelled"


@dataclass(frozen=True)
class CardDetails:
    """What the terminal told of an approved payment. Never a full card number, never track data."""

    authorised_minor: int
    currency: str
    masked_pan: str
    scheme: str
    terminal_id: str
    trace_no: str
    receipt_no: str
    authorisation_code: str
    terminal_time: str
    """Local time of the terminal as `MM-DD HH:MM:SS`; the protocol gives no year."""


@dataclass(frozen=True)
class PaymentResult:
    """The terminal's answer, before it has been acknowledged to the terminal.

    The kiosk commits it and calls `CardTerminal.Confirm(payment_id, seq)` with the event's seq within the daemon's
    confirmation window; only then does the terminal get its acknowledgement. `card` is set when approved.
    `reason` is a stable machine word for declined and cancelled: `card_declined`, `customer_cancelled`, `timeout`,
    `aborted`, `wrong_pin`, `terminal_busy`, `terminal_error`; `code` is the terminal's own two-digit code.
    """

    payment_id: str
    outcome: Outcome
    reason: str
    code: str
    card: CardDetails | None


class Standing(enum.Enum):
    """What became of a confirmed approval when the terminal's transaction ended."""

    stands = "stands"
    void = "void"
    unclear = "unclear"


@dataclass(frozen=True)
class PaymentEnded:
    """The transaction is over on the terminal, after a confirmed result. `receipt_lines` are the terminal's own
    lines for the customer's receipt, possibly none."""

    payment_id: str
    standing: Standing
    receipt_lines: list[str]


@dataclass(frozen=True)
class PaymentLost:
    """The daemon no longer knows how the payment ends: line lost, no confirmation in time, or a deadline passed.

    `sent` is false when no byte of the authorisation reached the terminal: then nothing was charged.
    Otherwise the payment is UNKNOWN until `CardTerminal.Query` has answered. `reason` is a stable machine word:
    `line_lost`, `no_answer` (silent), `timeout` (it took too long), `not_confirmed` (the kiosk's word came too late),
    `protocol` (not understood), `wrong_currency`, `unclear_status` (the result contradicts itself), `no_result` (the
    transaction ended without one), `stopped` (the daemon ends), or a word of `Device.reason`.
    """

    payment_id: str
    sent: bool
    reason: str


class PrintOutcome(enum.Enum):
    printed = "printed"
    failed = "failed"
    """Nothing of the job was put on paper."""
    uncertain = "uncertain"
    """Some of it may be on paper."""


@dataclass(frozen=True)
class PrintEnded:
    job_id: str
    outcome: PrintOutcome
    reason: str


@dataclass(frozen=True)
class Event:
    """One thing that happened. `seq` rises by one with each event of one daemon instance.

    Exactly one of the parts from `device_changed` on is set.
    """

    seq: int
    device: str
    device_changed: Device | None = None
    read: Read | None = None
    payment_progress: PaymentProgress | None = None
    payment_result: PaymentResult | None = None
    payment_ended: PaymentEnded | None = None
    payment_lost: PaymentLost | None = None
    print_ended: PrintEnded | None = None


@dataclass(frozen=True)
class Batch:
    """One reply of `Devices.Watch`.

    `instance` names this run of the daemon. `resumed` is false on the first reply when events after the one asked
    for are no longer kept, or the instance is another: then what happened in between must be asked for
    (`CardTerminal.Query`, `Printer.Job`). The first reply comes at once, and its `devices` holds the present state
    of every device; on later replies it is empty. `seq` is the last event this reply accounts for: what to give as
    `after` when resuming, also when `events` is empty.
    """

    instance: str
    resumed: bool
    devices: list[Device]
    events: list[Event]
    seq: int = 0


@dataclass(frozen=True)
class PrinterProfile:
    """What a layout must know of a printer."""

    dots: int
    columns: int
    code_pages: list[str]
    """Names of verified code pages, such as `CP858`; other text goes as raster."""
    cutter: bool
    qr: bool


class JobState(enum.Enum):
    unknown = "unknown"
    """This run of the daemon has never seen the job."""
    printing = "printing"
    printed = "printed"
    failed = "failed"
    uncertain = "uncertain"


class PaymentState(enum.Enum):
    in_progress = "in_progress"
    """Events about it will follow on `Watch`."""
    approved = "approved"
    declined = "declined"
    cancelled = "cancelled"
    not_charged = "not_charged"
    """The terminal's own record shows that nothing was charged."""
    unknown = "unknown"
    """The terminal answered, and its record does not settle the question."""
    unreachable = "unreachable"
    """The terminal could not be asked; ask again later."""


class ReconcileState(enum.Enum):
    closed = "closed"
    """The terminal has closed its day and told its totals."""
    refused = "refused"
    not_possible = "not_possible"
    """This terminal has no end of day."""
    unknown = "unknown"
    """It may have closed its day; its totals are not known."""


@dataclass(frozen=True)
class SchemeTotal:
    """Card payments of one scheme, reversals taken off."""

    name: str
    count: int
    amount_minor: int


@dataclass(frozen=True)
class ReconcileAnswer:
    """Answer of `CardTerminal.Reconcile`. The sums are of all payments since the terminal's last end of day; `lines`
    is what it would have printed. `detail` is a stable word or the terminal's code."""

    state: ReconcileState
    amount_minor: int
    currency: str
    count: int
    first_receipt: str
    last_receipt: str
    schemes: list[SchemeTotal]
    lines: list[str]
    detail: str = field(default="")


@dataclass(frozen=True)
class PaymentAnswer:
    """Answer of `CardTerminal.Query`. With `result_seq` > 0 the result still waits for `Confirm`. `card` is set when
    approved; when unknown it is the terminal's last transaction, whosever that is, where it tells of one."""

    state: PaymentState
    result_seq: int
    card: CardDetails | None
    detail: str = field(default="")
