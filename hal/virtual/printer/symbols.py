"""Bar codes and QR codes as dots: what the printer composes itself."""

import barcode
import qrcode
from barcode.errors import BarcodeError
from PIL import Image
from qrcode.exceptions import DataOverflowError

QR_LIMIT_BYTES = 7089

_LEVELS = {
    48: qrcode.constants.ERROR_CORRECT_L,
    49: qrcode.constants.ERROR_CORRECT_M,
    50: qrcode.constants.ERROR_CORRECT_Q,
    51: qrcode.constants.ERROR_CORRECT_H,
}
# GS k m: function A and B numbers of the symbologies a till prints.
_LINEAR = {0: "upca", 65: "upca", 2: "ean13", 67: "ean13", 3: "ean8", 68: "ean8", 4: "code39", 69: "code39"}
_CODE128 = 73


def qr_image(data: bytes, module_dots: int, level: int) -> Image.Image | None:
    """The QR code without quiet zone, ink = 1; None when there is nothing to print or it does not fit."""
    if not data or len(data) > QR_LIMIT_BYTES:
        return None
    code = qrcode.QRCode(error_correction=_LEVELS.get(level, _LEVELS[48]), border=0, box_size=1)
    try:
        code.add_data(data)
        code.make(fit=True)
    except (DataOverflowError, ValueError):
        return None
    matrix = code.get_matrix()
    image = Image.new("1", (len(matrix), len(matrix)), 0)
    image.putdata([int(dot) for row in matrix for dot in row])
    return image.resize((image.width * module_dots, image.height * module_dots), Image.Resampling.NEAREST)


def linear(kind: int, data: bytes) -> tuple[str, str] | None:
    """(modules as "1" and "0", human-readable text) of GS k m; None when the printer could not print it."""
    if kind == _CODE128:
        return _code128(data)
    name = _LINEAR.get(kind)
    if name is None:
        return None
    text = data.decode("ascii", "replace")
    try:
        built = barcode.get(name, text, options={"add_checksum": False} if name == "code39" else None)
        return str(built.build()[0]).replace("G", "1"), str(built.get_fullcode())
    except (BarcodeError, ValueError, KeyError, IndexError):
        return None


def _code128(data: bytes) -> tuple[str, str] | None:
    """GS k 73 data begins with a code set {A, {B or {C; in set C each byte is a pair of digits."""
    text, code_set, at = "", "B", 0
    while at < len(data):
        if data[at] == 0x7B and at + 1 < len(data):
            escaped = chr(data[at + 1])
            if escaped in "ABC":
                code_set = escaped
            elif escaped == "{":
                text += "{"
            at += 2
            continue
        text += f"{data[at]:02d}" if code_set == "C" else chr(data[at])
        at += 1
    try:
        return str(barcode.get("code128", text).build()[0]), text
    except (BarcodeError, ValueError, KeyError, IndexError):
        return None


def bars_image(modules: str, module_dots: int, height_dots: int) -> Image.Image:
    image = Image.new("1", (len(modules), 1), 0)
    image.putdata([int(module) for module in modules])
    return image.resize((len(modules) * module_dots, height_dots), Image.Resampling.NEAREST)
