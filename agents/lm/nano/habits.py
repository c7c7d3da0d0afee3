"""How careless scripted players are."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Habits:
    """How often scripted players are careless.

    Attributes:
        stops_early: The policy answers with what a hop before the last has found.
        names_only: The policy searches for the bare name that a hop starts from.
        gives_up: The policy guesses when a search shows nothing, instead of trying another one.
        judges_by_looks: The GRM accepts whatever answer the passages mention.
        guesses_verdict: The GRM says anything when it finds no evidence or takes no care.
        asks_wrongly: The generator gives another answer than the right one.
        asks_loosely: The generator does not mind whether the answer is the only one.
        slips: Any seat leaves out the think block or breaks the form of a turn.
        claims_right: The answer that the GRM is given is right. The rarer that is, the less it pays
            a model that is unsure what it has read to take the answer given for what it finds.
        claims_nearly: A wrong answer that the GRM is given is a near miss: something else that a
            search for the right one shows.
        checks_aloud: The GRM begins what it has found with "To check". Words that no policy says
            keep a model's GRM from stopping early where its policy does.
    """

    stops_early: float = 0.5
    names_only: float = 0.25
    gives_up: float = 0.4
    judges_by_looks: float = 0.3
    guesses_verdict: float = 0.1
    asks_wrongly: float = 0.2
    asks_loosely: float = 0.3
    slips: float = 0.03
    claims_right: float = 0.5
    claims_nearly: float = 0.0
    checks_aloud: float = 0.0

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if not 0.0 <= value <= 1.0:
                raise ValueError(f"habit {item.name}={value} is no share between 0 and 1")


#: Players who make no mistake on purpose.
CAREFUL = Habits(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
