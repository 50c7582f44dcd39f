"""Slips of the keys: text that differs from a frequent value by one letter."""

# A slip is rarer than the value that was meant by at least this factor.
RARER = 10
# Shorter text differs by a letter from anything.
SHORTEST = 4


def meant_by(text, counts, count=1):
    """Return the frequent value that a rare one is a slip of; None of no slip.

    Two neighbouring letters exchanged, or one lost, added or replaced; never a digit,
    by which codes differ.

    Parameters
    ----------
    text : str
    counts : dict of str to int
        How often each value was seen.
    count : int
        How often this one was.
    """
    if len(text) < SHORTEST:
        return None
    found = None
    for other, seen in counts.items():
        is_frequent = seen >= RARER * count and seen > counts.get(found, 0)
        if is_frequent and abs(len(other) - len(text)) <= 1 and _is_slip(text, other):
            found = other
    return found


def _is_slip(text, other):
    """Say whether two texts differ by one slip."""
    if text == other:
        return False
    start = 0
    while start < min(len(text), len(other)) and text[start] == other[start]:
        start += 1
    a, b = text[start:], other[start:]
    if len(a) == len(b):
        is_exchanged = len(a) > 1 and a[:2] == b[1::-1] and a[2:] == b[2:]
        differing = a[:2] + b[:2] if is_exchanged else a[:1] + b[:1]
        return (is_exchanged or a[1:] == b[1:]) and differing.isalpha()
    longer, shorter = (a, b) if len(a) > len(b) else (b, a)
    return longer[1:] == shorter and longer[0].isalpha()
