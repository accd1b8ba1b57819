"""Every text is in every language, with the same placeholders and all plural forms."""

import re
from functools import cache

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po

from kiosk.i18n import LANGUAGES
from kiosk.i18n.translator import LOCALES
from tests.core.i18n.extract import Use, used

PLACEHOLDER = re.compile(r"\{[a-z_]+\}")


@cache
def messages(language: str) -> dict[str, Message]:
    found: dict[str, Message] = {}
    folder = language.replace("-", "_")
    for path in sorted((LOCALES / folder / "LC_MESSAGES").glob("*.po")):
        with path.open("rb") as lines:
            catalogue: Catalog = read_po(lines, locale=folder, abort_invalid=True)
        for message in catalogue:
            if message.id:
                key = message.id if isinstance(message.id, str) else message.id[0]
                twin = found.get(key, message)
                assert twin.string == message.string, f"{path}: {key!r} is something else in another domain"
                found[key] = message
    return found


def problems(use: Use, message: Message | None, plural_forms: int) -> list[str]:
    if message is None:
        return ["is not in the catalogue"]
    held = message.string
    forms = [str(one or "") for one in (held if isinstance(held, tuple | list) else (held,))]
    wrong = []
    if bool(use.plural) != isinstance(message.id, tuple):
        wrong.append("is a plural on one side only")
    if use.plural and len(forms) != plural_forms:
        wrong.append(f"has {len(forms)} forms instead of {plural_forms}")
    if message.fuzzy or not all(forms):
        wrong.append("is not translated")
    wanted = set(PLACEHOLDER.findall(use.plural or use.text))
    wrong += [f"has {form!r} instead of {wanted}" for form in forms if set(PLACEHOLDER.findall(form)) != wanted]
    return wrong


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_is_translated(language: str) -> None:
    known = messages(language)
    forms = 1 if language.startswith("zh") else 2
    wrong = {f"{use.where} {use.text!r}": problems(use, known.get(use.text), forms) for use in used()}
    assert not {where: what for where, what in wrong.items() if what}


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_is_left_over(language: str) -> None:
    assert set(messages(language)) <= {use.text for use in used()}


@pytest.mark.parametrize(
    ("id_", "string", "found"),
    [
        ("Pay {amount}", "Betal {amount}", []),
        ("Pay {amount}", "Betal", ["has 'Betal' instead of {'{amount}'}"]),
        ("Pay {amount}", "", ["is not translated", "has '' instead of {'{amount}'}"]),
    ],
)
def test_a_bad_translation_is_seen(id_: str, string: str, found: list[str]) -> None:
    assert problems(Use(id_, "", ""), Message(id_, string), 2) == found
