"""What every request works with."""

from dataclasses import dataclass, field

from cloud.clock import Clock
from cloud.config import Config
from cloud.keys import Keys
from cloud.live import Bell
from cloud.store import Store


@dataclass(frozen=True)
class Service:
    config: Config
    store: Store
    keys: Keys
    clock: Clock
    bell: Bell = field(default_factory=Bell)
