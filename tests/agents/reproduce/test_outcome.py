"""From result files to verdicts, tables and figures; the files are written by hand here."""

import json

import pytest

from asl_env.agents.reproduce.claims import HACKING
from asl_env.agents.reproduce.costs import arm_costs
from asl_env.agents.reproduce.figures import claim_figure
from asl_env.agents.reproduce.outcome import digests, judge, read_results
from asl_env.agents.reproduce.page import arm_table, fooled_table, outcome_table
from asl_env.agents.reproduce.setting import SETTINGS
from asl_env.errors import RecordError

SETTING = SETTINGS["candidates"]
FOOL = {"question": "Which river | runs here?", "answer": "Oslo", "golden": "the Vistula"}


def write(folder, arm, gaps, digest=None, seeds=range(5)):
    """Results of an arm: true accuracy 0.2, judged more by the gap of each round."""
    rows = [
        {
            "arm": arm, "seed": seed, "run": digest or digests([HACKING], SETTING)[arm],
            "round": number, "true": 0.2, "judged": None if gap is None else 0.2 + gap + seed / 500,
            "rollouts": {"played": {"policy": 2000 * number}, "measured": {"grm": 100}},
            "seconds": 10.0, "cpu": 9.0, **({"fooled": [FOOL]} if number == len(gaps) - 1 else {}),
        }
        for seed in seeds
        for number, gap in enumerate(gaps)
    ]  # fmt: skip
    (folder / "candidates").mkdir(exist_ok=True)
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "candidates" / f"{arm}.jsonl").write_text(lines)


def judged(folder):
    results = read_results([HACKING], SETTING, folder)
    return judge([HACKING], SETTING, results)[0], results


def test_a_judge_that_is_hacked_when_frozen_and_only_then_reproduces_the_claim(tmp_path):
    write(tmp_path, "frozen-grm", [0.5, 0.0, 0.1, 0.2])
    write(tmp_path, "asl", [0.5, 0.0, 0.0, 0.01])
    outcome, results = judged(tmp_path)
    effects = {check.name: finding for check, finding in outcome.findings}
    assert effects["frozen is hacked"].effect == pytest.approx(0.2)
    assert effects["co-evolution prevents it"].effect == pytest.approx(0.19)
    assert effects["asl over frozen-grm"].verdict == "not reproduced"  # it does not decide
    assert outcome.verdict == "reproduced"
    table = outcome_table([outcome])
    assert "| **4. hacking** |" in table
    assert "| (not reproduced) |" in table
    assert "6,100" in arm_table([HACKING], results)
    assert fooled_table("frozen-grm", results).count("Which river \\| runs here?") == 1
    assert "frozen-grm, judged" in claim_figure(HACKING, results)


def test_costs_show_whether_the_policies_had_equal_budgets(tmp_path):
    write(tmp_path, "frozen-grm", [0.5, 0.0, 0.1])
    write(tmp_path, "asl", [0.5, 0.0, 0.1], seeds=range(2))
    path = tmp_path / "candidates" / "asl.jsonl"
    path.write_text(path.read_text().replace('"policy": 4000', '"policy": 4010', 1))
    costs = arm_costs([HACKING], read_results([HACKING], SETTING, tmp_path))
    told = {cost.arm: cost.cells() for cost in costs}
    assert told["frozen-grm"] == ["4,000", "4,100", "10", "9"]
    assert told["asl"] == ["4,005 (4,000 to 4,010)", "4,105", "10", "9"]
    assert [cost.seeds for cost in costs] == [2, 5]


def test_a_gap_that_does_not_widen_is_not_reproduced(tmp_path):
    write(tmp_path, "frozen-grm", [0.5, 0.0, 0.0])
    write(tmp_path, "asl", [0.5, 0.0, 0.0])
    assert judged(tmp_path)[0].verdict == "not reproduced"


def test_arms_without_results_and_seeds_without_a_number_do_not_count(tmp_path):
    write(tmp_path, "frozen-grm", [0.5, 0.0, 0.2])
    outcome, _ = judged(tmp_path)
    assert [finding.seeds for _, finding in outcome.findings] == [5, 0, 5, 0]
    assert outcome.verdict == "no data"
    write(tmp_path, "frozen-grm", [0.5, 0.0, None])
    assert judged(tmp_path)[0].findings[0][1].seeds == 0


def test_development_seeds_and_other_descriptions_do_not_count(tmp_path):
    write(tmp_path, "frozen-grm", [0.5, 0.0, 0.2], seeds=range(100, 105))
    assert judged(tmp_path)[0].findings[0][1].seeds == 0
    write(tmp_path, "frozen-grm", [0.5, 0.0, 0.2], digest="123")
    with pytest.raises(RecordError, match=r"frozen-grm.jsonl:1: of another description"):
        judged(tmp_path)
