"""CSV files before they are tables: how they are written, and which line is wrong.

A source is the path of a file, or the bytes of the standard input.
"""

import contextlib
import csv
import io
import re
import warnings
from collections import Counter

import numpy as np

from skncae.data._signatures import CONVERT, DAMAGED, opened, other_than_csv, packer_of

DELIMITERS = ",;\t|"
# Bytes that are looked through at once.
BLOCK_BYTES = 2**22
# What to do where a file begins with something else than its table.
NO_TITLE = "leave out what stands before the line with the names"
# A number that no column is named by, unlike a year.
_DECIMAL = re.compile(r"\s*[+-]?\d*[.,]\d+([eE][+-]?\d+)?\s*")


class TableError(ValueError):
    """A file that cannot be read as a table, in one line of text."""


def opened_text(source):
    """Open a source as text, without the mark that Excel puts before it."""
    return io.TextIOWrapper(opened(source), "utf-8-sig", newline="")


@contextlib.contextmanager
def naming(path, source):
    """Say in one line which file cannot be read, where, and why."""
    import pandas

    try:
        yield
    except (pandas.errors.ParserError, csv.Error) as error:
        raise TableError(f"{path}{_place_of(error, source)}") from error
    except pandas.errors.EmptyDataError as error:
        raise TableError(f"{path}: the file is empty") from error
    except UnicodeDecodeError as error:
        raise TableError(f"{path}{_undecodable(source)}") from error
    except DAMAGED as error:
        if getattr(error, "errno", None):
            raise
        said = f"damaged, {packer_of(source)} cannot unpack it: {error}"
        raise TableError(f"{path}: {said}") from error


def separator_of(source):
    """The character of the first line that most likely separates its fields."""
    with opened_text(source) as file:
        first = next((line for line in file if not line.isspace()), "")
    counts = [first.count(character) for character in DELIMITERS]
    return DELIMITERS[counts.index(max(counts))]


def options_of(path, source):
    """Say with which options pandas reads a file, and its columns by their names.

    Fields without a name are refused: pandas would take the first ones for an index.
    """
    import pandas

    separator = separator_of(source)
    other = other_than_csv(source)
    if other:
        raise TableError(f"{path}: {other}")
    with opened_text(source) as text:
        filled = (part for part in _located(text, separator) if not _is_blank(part[2]))
        n_blank, top, header = next(filled, (0, 1, []))
        _, line, first = next(filled, (0, 1, []))
    if len(first) > len(header):
        remedy = "Name all columns there, and end no line with a separator"
        raise TableError(
            f"{path}, line {line}: {len(first)} fields, where the header names "
            f"{len(header)}. {remedy if len(header) > 1 else NO_TITLE.capitalize()}"
        )
    _tell_values(f"{path}, line {top}", header)
    _tell_nameless(f"{path}, line {top}", header)
    _tell_blanks(f"{path}, line {top}", header, first)
    options = {"sep": separator}
    if len(header) == 1:
        # Where a row has one field, a line without any is a row without a value, but
        # at the end of the file.
        with opened_text(source) as text:
            n_records, blank = _up_to_the_end(csv.reader(text, delimiter=separator))
        options |= {"skip_blank_lines": False, "header": n_blank, "na_values": blank}
        options["nrows"] = n_records - n_blank - 1
    with opened(source) as file:
        names = list(pandas.read_csv(file, **options | {"nrows": 0}))
    _tell_twins(f"{path}, line {top}", header, names)
    return options, names


def refuse_longer(path, source, separator, n_names):
    """Refuse a record with more fields than there are names.

    Where a chunk begins with one, pandas before 3.1 drops what is too much.
    """
    with opened_text(source) as text:
        for _, line, record in _located(text, separator):
            if len(record) > n_names:
                said = _too_many(len(record), n_names)
                raise TableError(f"{path}, line {line}: {said}")


def _tell_values(place, header):
    """Say that the first line may hold values, where a name is a decimal number."""
    number = next((name for name in header if _DECIMAL.fullmatch(name)), None)
    if number is not None:
        warnings.warn(
            f"{place}: {number!r} is taken for the name of a column. Where it "
            "is a value, put a line with the names before it",
            stacklevel=2,
        )


def _tell_nameless(place, header):
    """Say that the first line may be a title, where most columns have no name."""
    n_nameless = sum(not name.strip() for name in header)
    if 2 * n_nameless > len(header):
        warnings.warn(
            f"{place}: {n_nameless} of {len(header)} columns have no name. Name them, "
            f"or {NO_TITLE}",
            stacklevel=2,
        )


def _tell_blanks(place, header, first):
    """Say that blanks separate no fields, where they seem to."""
    names, values = (" ".join(record).split() for record in (header, first))
    has_number = any(value.replace(".", "", 1).isdecimal() for value in values)
    if len(header) == 1 < len(names) == len(values) and has_number:
        warnings.warn(
            f"{place}: {header[0]!r} is the name of the only column. Put a comma, a "
            "semicolon or a tab between fields, where blanks are",
            stacklevel=2,
        )


def _tell_twins(place, header, names):
    """Say how names of the header that are the same are told apart."""
    for twin in twins(header):
        pairs = zip(header, names, strict=True)
        second = [name for field, name in pairs if field == twin][1]
        warnings.warn(
            f"{place}: several columns are named {twin!r}; the second is "
            f"{second!r} here",
            stacklevel=2,
        )


def with_gaps(frame, texts, missing):
    """A frame as pandas has read it, missing values where it left them as text.

    It does so in a column with whole numbers between the largest of int64 and that of
    uint64.

    Parameters
    ----------
    frame : DataFrame
    texts : collection of str
        The columns that pandas was told to read as text.
    missing : list of str
        What stands for no value, besides what pandas takes for it.
    """
    import pandas

    for name in frame.columns.difference(texts, sort=False):
        values = frame[name]
        is_read = pandas.api.types.infer_dtype(values, skipna=False) != "string"
        if is_read or not values.str.fullmatch(r"\d{19,20}").any():
            continue
        text = io.StringIO(values.to_csv(index=False, header=["values"]))
        read = pandas.read_csv(text, dtype=str, na_values=missing)
        frame[name] = read["values"].set_axis(frame.index)
    return frame


def has_codes(source, separator):
    """Say whether some field may be digits with a zero before them, such as 00123."""
    is_before, is_digit = np.zeros((2, 256), dtype=bool)
    is_before[list(f'{separator}\n\r" '.encode())] = True
    is_digit[list(b"0123456789")] = True
    code = re.compile(rf'0\d+ *[{re.escape(separator)}\r\n"]'.encode())
    with opened(source) as file:
        while block := file.read(BLOCK_BYTES):
            block = b"\n" + block + file.readline() + b"\n"
            found = np.frombuffer(block, dtype=np.uint8)
            zeros = np.flatnonzero(found == ord("0"))
            zeros = zeros[is_before[found[zeros - 1]] & is_digit[found[zeros + 1]]]
            if any(code.match(block, place) for place in zeros.tolist()):
                return True
    return False


def twins(names):
    """Names that several columns have."""
    return [name for name, n in Counter(names).items() if n > 1 and name]


def line_of(source, row):
    """Number of the line that a row of a CSV file begins in."""
    with opened_text(source) as file:
        begins, n_records, is_one_field = 1, 0, False
        for _, line, record in _located(file, separator_of(source)):
            begins = line
            is_record = is_one_field or not _is_blank(record)
            if is_record and n_records == row + 1:
                break
            if is_record and not n_records:
                is_one_field = len(record) == 1
            n_records += is_record
    return begins


def _located(text, separator):
    """Yield how many records come before each, the line that it begins in, and it."""
    reader = csv.reader(text, delimiter=separator)
    line = 1
    for n_before, record in enumerate(reader):
        yield n_before, line, record
        line = reader.line_num + 1


def _line_of_last(source):
    """Number of the line that the last record begins in, or one that is too long."""
    with opened_text(source) as file:
        reader = csv.reader(file, delimiter=separator_of(source))
        before, line = 1, 1
        with contextlib.suppress(csv.Error):
            for _ in reader:
                before, line = line, reader.line_num + 1
            return before
    return line


def _is_blank(record):
    """Say whether a record is a line that pandas passes over."""
    return not record or (len(record) == 1 and record[0].isspace())


def _up_to_the_end(records):
    """Number of records up to the last that is not blank, and what blank ones hold."""
    n_records, blank = 0, set()
    for n_read, record in enumerate(records, 1):
        if _is_blank(record):
            blank.add("".join(record))
        else:
            n_records = n_read
    return n_records, sorted(blank)


def _place_of(error, source):
    """Say where and why a CSV cannot be read, out of the message of its reader."""
    found = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", str(error))
    if found:
        return f", line {found[2]}: {_too_many(int(found[3]), int(found[1]))}"
    if "EOF inside string" in str(error):
        return f", line {_line_of_last(source)}: a quote that is not closed"
    return f": {str(error).splitlines()[0]}"


def _too_many(n_fields, expected):
    """Say that a record has more fields than the first line has names."""
    if expected == 1:
        return f"{n_fields} fields, where 1 is expected. {NO_TITLE.capitalize()}"
    return f"{n_fields} fields, where {expected} are expected"


def _undecodable(source):
    """Say in which line a file is not UTF-8, and what to do."""
    other = other_than_csv(source, is_text=False)
    if other:
        return f": {other}"
    with opened(source) as file:
        wrong = (n for n, line in enumerate(file, start=1) if not _is_text(line))
        number = next(wrong, 1)
    return f", line {number}: not UTF-8 text. {CONVERT}"


def _is_text(line):
    """Say whether bytes are UTF-8."""
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
