"""Right answers in other words than the articles use: what people write when they are asked.

Articles write "4,810 metres", "Blaise Pascal", "Greece" and "490 BC". People also write "15,781
feet", "Pascal", "Hellenic Republic" and "490 BCE". Both are right, and a rule that compares strings
does not know it. Numbers are converted by the definitions of the units: 1 foot = 0.3048 m, 1 mile =
1.609344 km (international agreement of 1959), 0 °C = 273.15 K.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from asl_env.corpora.miniwiki.reading import comparable, number
from asl_env.corpora.miniwiki.relations import RELATIONS

_METRES_PER_FOOT = 0.3048
_KM_PER_MILE = 1.609344
_ZERO_CELSIUS = 273.15


def restate(answers: Sequence[str], relation: str) -> str:
    """Writes a right answer in another form than the articles do.

    Args:
        answers: Accepted answers, the plainest (which articles use) first.
        relation: The relation whose object the answer is, or is the subject of.

    Returns:
        The number in another unit, the year with its era, or another name; the plainest answer
        itself where nothing else is known to be right (codes, symbols, names without aliases).
    """
    plain = answers[0]
    kind = RELATIONS[relation].object_kind if relation in RELATIONS else ""
    value = number(plain.removesuffix(" BC"))
    if value is not None and kind == "year":
        return f"{plain.removesuffix(' BC')} BCE" if plain.endswith(" BC") else f"AD {plain}"
    if value is not None:
        convert = _UNITS.get(kind.removeprefix("number:"))
        return plain if convert is None else convert(value)
    return _other_name(answers)


def _other_name(answers: Sequence[str]) -> str:
    """The alias that differs most in length; a title with an explanation in brackets is none."""
    plain = answers[0]
    others = [
        name for name in answers[1:] if "(" not in name and comparable(name) != comparable(plain)
    ]
    return max(others, key=lambda name: (abs(len(name) - len(plain)), name), default=plain)


def _feet(metres: float) -> str:
    return f"{metres / _METRES_PER_FOOT:,.0f} feet"


def _miles(km: float) -> str:
    return f"{km / _KM_PER_MILE:,.0f} miles"


def _square_miles(km2: float) -> str:
    return f"{km2 / _KM_PER_MILE**2:,.0f} square miles"


def _celsius(kelvins: float) -> str:
    return f"{kelvins - _ZERO_CELSIUS:.0f} °C"


def _hours(minutes: float) -> str:
    return f"{int(minutes) // 60} h {int(minutes) % 60} min"


def _round(people: float) -> str:
    if people >= 1e6:
        return f"about {people / 1e6:.1f} million"
    return f"about {people / 1e3:.0f} thousand" if people >= 1e3 else f"about {people:.0f}"


_UNITS: Mapping[str, Callable[[float], str]] = {
    "m": _feet,
    "km": _miles,
    "km2": _square_miles,
    "K": _celsius,
    "minutes": _hours,
    "people": _round,
}
