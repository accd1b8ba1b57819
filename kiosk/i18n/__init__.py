"""Words, money, numbers and dates in the reader's language.

Catalogues are gettext `.po` files (`locale/<language>/LC_MESSAGES/*.po`, one file per domain, all merged), compiled in
memory at first use. The msgid is the English text; placeholders are `{name}`. A text that a catalogue lacks appears in
English. A `Translator` is immutable and may be used from any thread.
"""

from kiosk.i18n.translator import LANGUAGES, N_, Translator, html_lang, pick, resolve, translator

__all__ = ["LANGUAGES", "N_", "Translator", "html_lang", "pick", "resolve", "translator"]
