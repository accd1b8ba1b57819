"""The records on the socket, as both ways of writing them see them."""

import enum
import inspect

import msgspec
import pytest
from asyncvarlink import varlinksignature

from hal.api import records
from hal.api.interfaces import Devices

ENUMS = [kind for _, kind in inspect.getmembers(records, inspect.isclass) if issubclass(kind, enum.Enum)]


@pytest.mark.parametrize("kind", ENUMS)
def test_an_enums_names_are_its_values(kind: type[enum.Enum]) -> None:
    """Varlink writes the name (varlink.org, Interface Definition), msgspec the value."""
    assert [member.name for member in kind] == [member.value for member in kind]


def test_both_ways_write_a_batch_alike() -> None:
    device = records.Device(
        "scanner", records.Kind.scanner, "serial", records.Condition.ready, "", "", ["x"], {"a": "b"}, claimed=True
    )
    read = records.Read("9521000000018", "]E0", 7)
    event = records.Event(3, "scanner", read=read)
    batch = records.Batch("one", resumed=True, devices=[device], events=[event], seq=3)
    signature = varlinksignature(Devices.Watch)
    assert signature is not None
    library = signature.return_type.tojson({"batch": batch})
    assert msgspec.to_builtins({"batch": batch}) == library
    assert signature.return_type.fromjson(library) == {"batch": msgspec.convert(library["batch"], records.Batch)}
