"""Text that a country's law puts on every receipt, in the country's language whatever the customer reads.

A scheme adds a row here; the text is a sentence as the law words it, so it is not translated. Scheme `none` has none.
"""

from collections.abc import Mapping

MANDATORY: Mapping[str, tuple[str, ...]] = {"none": ()}


def mandatory_text(scheme: str) -> tuple[str, ...]:
    """Lines for the receipt's foot; none for an unknown scheme, since a customer who has paid gets a receipt."""
    return MANDATORY.get(scheme, ())


def check_scheme(scheme: str) -> None:
    """For the start of the lane. Raises ValueError for a scheme whose texts nobody has written down."""
    if scheme not in MANDATORY:
        raise ValueError(f"fiscal scheme {scheme!r}; allowed: {', '.join(sorted(MANDATORY))}")
