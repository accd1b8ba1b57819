"""What can go wrong with a journal, named for what the caller does next."""


class JournalError(Exception):
    """Base of all of them; the text is fit for a technician's screen."""


class Locked(JournalError):
    """Another process has this journal open. Do not wait: end the other one first."""


class WrongJournal(JournalError):
    """The file is no journal, or not of this device, epoch or key. Nothing was changed."""


class NoJournal(WrongJournal):
    """The file is no journal at all."""


class OutOfService(JournalError):
    """The disk failed. Show a clear screen and stop: nothing may be retried, for pages whose fsync failed may be
    marked clean. Whether the last record is there is known only after a restart."""


class AppendFailed(JournalError):
    """The record is certainly not in the journal; the same thing may be tried again."""


class DiskFull(AppendFailed):
    """There is no room. The open sale may be finished out of the reserve; no new one may begin."""


class Refused(JournalError):
    """An acknowledgement that does not fit this journal. Nothing was changed."""


class Damaged(JournalError):
    """A record that does not verify. Nothing is discarded, and nothing may be appended.

    `ep` and `seq` name the first bad record (`seq` 0: the file as a whole), `kind` is a stable word.
    """

    def __init__(self, kind: str, ep: int, seq: int, why: str) -> None:
        where = f"epoch {ep}, record {seq}" if seq else f"epoch {ep}" if ep else "the file"
        super().__init__(f"the journal is damaged at {where}: {why}")
        self.kind, self.ep, self.seq, self.why = kind, ep, seq, why
