"""What every passage must pass before it is kept."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from asl_env.corpora.passages import Passage

#: Default limit of a passage's text, in characters; a hundred words are about 600.
MAX_CHARS = 100_000

_MAX_NAME = 1_000
_PAGE_BITS = 1 << 15


class Bad(Exception):  # noqa: N818 - not an error that leaves the readers
    """A record that cannot be used; ``kind`` is how the report calls it."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


def field(record: Mapping[str, Any], name: str, *, number: bool = False) -> str:
    """Returns a text field of a JSON record.

    Args:
        record: The JSON object.
        name: The field.
        number: Whole numbers are taken for text too.

    Raises:
        Bad: If it is missing or of another type.
    """
    value = record.get(name)
    if isinstance(value, str):
        return value
    if number and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise Bad(f"no field {name!r}" if value is None else f"field {name!r} is not text")


def clean(passage: Passage, max_chars: int) -> Passage:
    """Strips the ends of the fields and checks them.

    Raises:
        Bad: For an empty id or text, text or names that are too long, or text that is not
            Unicode (lone surrogates, which JSON escapes can smuggle in).
    """
    identity, title, text = (part.strip() for part in passage)
    if not identity:
        raise Bad("empty id")
    if not text:
        raise Bad("empty text")
    if len(text) > max_chars:
        raise Bad(f"passage over {max_chars:,} characters")
    if len(identity) > _MAX_NAME or len(title) > _MAX_NAME:
        raise Bad(f"id or title over {_MAX_NAME:,} characters")
    for part in (identity, title, text):
        if not part.isascii():
            try:
                part.encode()
            except UnicodeEncodeError:
                raise Bad("broken Unicode") from None
    return Passage(identity, title, text)


class IdFilter:
    """Remembers ids: one bit for canonical decimal ids below 2**48, a hash for all others."""

    def __init__(self) -> None:
        self._pages: dict[int, bytearray] = {}
        self._hashes: set[int] = set()

    def add(self, identity: str) -> bool:
        """Returns whether the id is new, and remembers it."""
        if identity.isascii() and identity.isdecimal() and len(identity) < 15:
            number = int(identity)
            if str(number) == identity:
                return self._add_number(number)
        key = int.from_bytes(hashlib.blake2b(identity.encode(), digest_size=12).digest(), "little")
        if key in self._hashes:
            return False
        self._hashes.add(key)
        return True

    def _add_number(self, number: int) -> bool:
        page, bit = divmod(number, _PAGE_BITS)
        bits = self._pages.get(page)
        if bits is None:
            bits = self._pages[page] = bytearray(_PAGE_BITS // 8)
        at, mask = bit >> 3, 1 << (bit & 7)
        if bits[at] & mask:
            return False
        bits[at] |= mask
        return True
