"""Options of an ESC/POS receipt printer in `hal.toml`."""

from hal.drivers.options import DeviceOptions, Host, Port


class EscposOptions(DeviceOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    host: Host
    port: Port = 9100
