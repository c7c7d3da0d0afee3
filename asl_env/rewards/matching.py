"""Matching an answer with the accepted answers: exact match, covering match, token F1.

All compare SQuAD-normalised strings (Rajpurkar et al. 2016: lower case, no punctuation, no
articles), take the best of all accepted answers, and give 0 to a missing answer. An accepted
answer that normalises to nothing matches nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from asl_env.text import normalize

Metric = Callable[[str | None, Sequence[str]], float]

#: Raised when any metric gives another number for the same answer; evaluations record it.
METRIC_VERSION = 1

_CLOSED = frozenset({"yes", "no", "noanswer"})


def em(prediction: str | None, answers: Sequence[str]) -> float:
    """Exact match: 1 if the normalised prediction equals a normalised accepted answer.

    Args:
        prediction: What was answered; ``None`` if nothing was.
        answers: Accepted answers (aliases).

    Returns:
        0.0 or 1.0.
    """
    said = normalize(prediction or "")
    return float(bool(said) and any(said == normalize(answer) for answer in answers))


def cover_em(prediction: str | None, answers: Sequence[str], *, compat: bool = False) -> float:
    """Covering match (subEM): 1 if the prediction contains an accepted answer, word by word.

    Words must match whole: "incorrect" does not cover "correct".

    Args:
        prediction: What was answered; ``None`` if nothing was.
        answers: Accepted answers (aliases).
        compat: Match anywhere inside words, as the released ASL code does: needed to repeat its
            rule-reward and judge-training runs, and easy to exploit.

    Returns:
        0.0 or 1.0.
    """
    if prediction is None:
        return 0.0
    said = normalize(prediction)
    if compat:
        return float(any(normalize(answer) in said for answer in answers))
    padded = f" {said} "
    golds = (normalize(answer) for answer in answers)
    return float(any(gold and f" {gold} " in padded for gold in golds))


def f1(prediction: str | None, answers: Sequence[str]) -> float:
    """Token F1: harmonic mean of word precision and recall, best of the accepted answers.

    Args:
        prediction: What was answered; ``None`` if nothing was.
        answers: Accepted answers (aliases).

    Returns:
        A number in [0, 1].
    """
    said = normalize(prediction or "").split()
    return max((_token_f1(said, normalize(answer).split()) for answer in answers), default=0.0)


def hotpotqa_f1(prediction: str | None, answers: Sequence[str]) -> float:
    """Token F1 by HotpotQA's rule: a closed answer earns nothing unless it is the whole answer.

    Where the prediction or the accepted answer is "yes", "no" or "noanswer", anything but
    equality is 0; otherwise this is ``f1``. "Yes, both are" is worth 0.5 by SQuAD's rule and
    nothing by this one. From Yang et al. 2018, https://hotpotqa.github.io, the evaluation script.

    Args:
        prediction: What was answered; ``None`` if nothing was.
        answers: Accepted answers (aliases).

    Returns:
        A number in [0, 1].
    """
    said = normalize(prediction or "")
    scores = (_closed_f1(said, normalize(answer)) for answer in answers)
    return max(scores, default=0.0)


def _closed_f1(said: str, gold: str) -> float:
    if said != gold and (said in _CLOSED or gold in _CLOSED):
        return 0.0
    return _token_f1(said.split(), gold.split())


def _token_f1(said: list[str], gold: list[str]) -> float:
    common = sum((Counter(said) & Counter(gold)).values())
    return 2.0 * common / (len(said) + len(gold)) if common else 0.0


#: The metrics by the names used in recipes and reports.
METRICS: Mapping[str, Metric] = {"em": em, "cover-em": cover_em, "f1": f1}
