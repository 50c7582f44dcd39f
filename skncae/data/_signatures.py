"""Files by their first bytes: packed text is unpacked, and what is no CSV is named.

A source is the path of a file, or the bytes of the standard input.
"""

import bz2
import gzip
import io
import lzma
import re
import zlib
from collections.abc import Callable

# So many bytes tell what a file is.
N_FIRST = 1024

_PACKED: dict[str, tuple[re.Pattern, Callable]] = {
    "gzip": (re.compile(rb"\x1f\x8b"), gzip.open),
    "bzip2": (re.compile(rb"BZh[1-9](1AY&SY|\x17rE8P\x90)"), bz2.open),
    "xz": (re.compile(rb"\xfd7zXZ\x00"), lzma.open),
}
# What these raise; of bz2 it is an OSError that names no file.
DAMAGED = (EOFError, OSError, zlib.error, lzma.LZMAError)

CONVERT = (
    'Convert the file first: save it as "CSV UTF-8" in a spreadsheet, or use iconv'
)
# What cannot be decoded, the first that matches; and text that is no table.
_BINARIES = {
    "a spreadsheet or a zip archive, and no CSV file. Save it as CSV": re.compile(
        rb"PK\x03\x04|\xd0\xcf\x11\xe0"
    ),
    f"UTF-16 and not UTF-8 text. {CONVERT}": re.compile(rb"\xff\xfe|\xfe\xff"),
    "packed by zstd. Unpack it first": re.compile(rb"\x28\xb5\x2f\xfd"),
    "no text, and no parquet file. Save it as CSV or parquet": re.compile(
        rb"[^\x00]*\x00|\x80[\x02-\x05]"
    ),
}
_TEXTS = {
    "JSON, and no CSV file. Save it as CSV or parquet": re.compile(
        rb'\s*(\{\s*"|\[\s*[\[{"]|[\[{]\s*$)'
    ),
    'a CSV file after a line "sep=" for a spreadsheet. Leave that line out': re.compile(
        rb'"?sep=.{1,3}[\r\n]', re.IGNORECASE
    ),
    "HTML or XML, and no CSV file. Save the table in it as CSV": re.compile(
        rb"\s*<(!doctype|\?xml|html|table)\b", re.IGNORECASE
    ),
}


def opened(source):
    """Open a source as bytes from its start, unpacked where it is packed."""
    packer = packer_of(source)
    if packer:
        _, unpacked = _PACKED[packer]
        return unpacked(io.BytesIO(source) if isinstance(source, bytes) else source)
    return _opened(source)


def packer_of(source):
    """Say what packed a source; "" of nothing."""
    return _matching({name: found for name, (found, _) in _PACKED.items()}, source)


def other_than_csv(source, is_text=True):
    """Say what a source is that is no CSV file; "" where nothing says so.

    Parameters
    ----------
    source : str or bytes
    is_text : bool
        Whether it can be decoded.
    """
    return _matching(_TEXTS if is_text else _BINARIES, source, opened)


def _opened(source):
    return io.BytesIO(source) if isinstance(source, bytes) else open(source, "rb")


def _matching(signatures, source, open_=_opened):
    """The name of the first signature that a source begins with; "" of none."""
    with open_(source) as file:
        first = file.read(N_FIRST).removeprefix(b"\xef\xbb\xbf")
    return next((name for name, found in signatures.items() if found.match(first)), "")
