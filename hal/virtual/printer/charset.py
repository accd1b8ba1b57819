"""Bytes → characters: code pages (ESC t) and international characters (ESC R).

Source: Epson "ESC/POS Command Reference", table of ESC t pages and appendix on international characters.
Taken from it: pages 0, 2–5, 13–19, 33–37, 39, 40 and 45–52, which Python can decode, and 1 (katakana).
The others (11, 12, 20–32, 38, 41–44, from 53) print "?" above ASCII.
"""

PAGES: dict[int, str] = {
    0: "cp437", 2: "cp850", 3: "cp860", 4: "cp863", 5: "cp865", 13: "cp857", 14: "cp737", 15: "iso8859_7",
    16: "cp1252", 17: "cp866", 18: "cp852", 19: "cp858", 33: "cp775", 34: "cp855", 35: "cp861", 36: "cp862",
    37: "cp864", 39: "iso8859_2", 40: "iso8859_15", 45: "cp1250", 46: "cp1251", 47: "cp1253", 48: "cp1254",
    49: "cp1255", 50: "cp1256", 51: "cp1257", 52: "cp1258",
}  # fmt: skip

# Page 1: line drawing, half-width katakana (JIS X 0201), and a few words of the till.
_KATAKANA = dict(
    zip(
        (*range(0x80, 0xA0), *range(0xA1, 0xE0), *range(0xE0, 0x100)),
        "▁▂▃▄▅▆▇█▏▎▍▌▋▊▉┼┴┬┤├▔─│▕┌┐└┘╭╮╰╯"
        + "".join(map(chr, range(0xFF61, 0xFFA0)))
        + "═╞╪╡◢◣◥◤♠♥♦♣●○╱╲╳円年月日時分秒〒市区町村人▒ ",
        strict=True,
    )
)

_POSITIONS = b"#$@[\\]^`{|}~"
INTERNATIONAL: dict[int, str] = {
    0: "#$@[\\]^`{|}~",  # U.S.A.
    1: "#$à°ç§^`éùè¨",  # France
    2: "#$§ÄÖÜ^`äöüß",  # Germany
    3: "£$@[\\]^`{|}~",  # U.K.
    4: "#$@ÆØÅ^`æøå~",  # Denmark I
    5: "#¤ÉÄÖÅÜéäöåü",  # Sweden
    6: "#$@°\\é^ùàòèì",  # Italy
    7: "₧$@¡Ñ¿^`¨ñ}~",  # Spain I
    8: "#$@[¥]^`{|}~",  # Japan
    9: "#¤ÉÆØÅÜéæøåü",  # Norway
    10: "#$ÉÆØÅÜéæøåü",  # Denmark II
    11: "#$á¡Ñ¿é`íñóú",  # Spain II
    12: "#$á¡Ñ¿éüíñóú",  # Latin America
    13: "#$@[₩]^`{|}~",  # Korea
}


def decode(data: bytes, page: int, country: int) -> str:
    """Never raises: what the page does not have prints as "?"."""
    table = dict(zip(_POSITIONS, INTERNATIONAL.get(country, INTERNATIONAL[0]), strict=True))
    codec = PAGES.get(page)
    out = []
    for byte in data:
        if byte < 0x80:
            out.append(table.get(byte, chr(byte)))
        elif page == 1:
            out.append(_KATAKANA.get(byte, " "))
        elif codec is None:
            out.append("?")
        else:
            character = bytes((byte,)).decode(codec, "replace")
            out.append("?" if character == "�" else character)
    return "".join(out)
