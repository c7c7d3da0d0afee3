"""Reward models of the policy and the GRM seat."""

import pytest

from asl_env.episode import Claim, Request, RewardParts, Task
from asl_env.errors import AslError, SearchUnavailableError
from asl_env.play import play
from asl_env.prompts import user_message
from asl_env.rewards.models import AgreementReward, GRMReward, RuleReward, WeightedReward

TASK = Task("t", "What is the capital of Peru?", ("Lima", "City of Kings"))
OTHER = Task("u", "What is the capital of Chile?", ("Santiago",))
THINK = "<think>hm</think>"
RIGHT, WRONG = "<answer>conclusion: correct</answer>", "<answer>conclusion: wrong</answer>"


def answer(text, think=""):
    return [f"{think}<answer>{text}</answer>"]


def claim(said, task=TASK):
    return user_message(Claim("", task.question, said))


class Broken:
    """A tool whose backend is down."""

    def run(self, calls):
        raise SearchUnavailableError("down")


def broken_episode(assignment, script):
    agent = script(lambda user: [["<tool_call></tool_call>"]])
    return play(agent, [assignment], tool=Broken(), dialect="asl")[0]


class TestRuleReward:
    def test_metrics(self, episode):
        played = [episode(TASK, answer(text)) for text in ("lima", "in Lima", "Quito")]
        for metric, totals in {
            "em": [1, 0, 0],
            "cover-em": [1, 1, 0],
            "f1": [1, pytest.approx(2 / 3), 0],
        }.items():
            assert [parts.total for parts in RuleReward(metric).score(played)] == totals

    def test_the_format_counts_on_demand(self, episode):
        played = episode(TASK, answer("Quito", THINK))
        (parts,) = RuleReward(format_reward=True).score([played])
        assert parts == RewardParts(0.25, {"em": 0.0, "format": 0.25})

    def test_no_answer_earns_nothing(self, episode):
        assert RuleReward().score([episode(TASK, ["no idea"])])[0].total == 0.0

    def test_words_match_inside_words_only_on_demand(self, episode):
        played = [episode(TASK, answer("climatic"))]
        assert RuleReward("cover-em").score(played)[0].total == 0.0
        assert RuleReward("cover-em", compat=True).score(played)[0].total == 1.0

    def test_a_failure_is_not_a_zero(self, script):
        (parts,) = RuleReward().score([broken_episode(TASK, script)])
        assert parts.invalid == "search: down"

    def test_other_seats_and_metrics_are_refused(self, episode):
        with pytest.raises(AslError, match="not the grm seat"):
            RuleReward().score([episode(Claim("c", "Q?", "a"), answer("x"))])
        with pytest.raises(AslError, match="did you mean 'cover-em'"):
            RuleReward("cover_em")


class TestAgreementReward:
    def test_a_step_of_judge_training(self, episode):
        rows = [
            ("correct", answer("conclusion: correct", THINK)),
            ("correct", answer("conclusion: wrong")),
            ("wrong", [THINK + "I cannot tell."]),
            ("correct", answer("incorrect")),
        ]
        played = [episode(Claim("c", "Q?", "a", label), turns) for label, turns in rows]
        strict = AgreementReward(format_reward=True).score(played)
        assert [parts.total for parts in strict] == [1.25, 0.0, 0.25, 0.0]
        assert [parts.extras["verdict"] for parts in strict] == ["correct", "wrong", None, None]
        released = AgreementReward(format_reward=True, compat=True).score(played)
        assert [parts.total for parts in released] == [1.25, 0.0, 0.25, 1.0]

    @pytest.mark.parametrize("label", ["correct", "wrong"])
    def test_naming_both_verdicts_pays_only_in_the_released_form(self, episode, label):
        played = [episode(Claim("c", "Q?", "a", label), answer("conclusion: correct/wrong"))]
        assert AgreementReward().score(played)[0].total == 0.0
        assert AgreementReward(compat=True).score(played)[0].total == 1.0

    def test_without_a_label_there_is_no_reward(self, episode):
        played = [episode(Claim("c", "Q?", "a"), answer("conclusion: correct"))]
        assert AgreementReward().score(played)[0].invalid == "label"

    def test_other_seats_are_refused(self, episode):
        with pytest.raises(AslError, match="not the policy seat"):
            AgreementReward().score([episode(TASK, answer("x"))])


class TestGRMReward:
    def test_a_step_of_policy_training(self, episode, script, library):
        said = [
            *((TASK, answer(text, THINK)) for text in ("Lima", "lima")),
            *((TASK, turns) for turns in (answer("Quito"), ["no idea"])),
            *((OTHER, answer(text)) for text in ("Santiago", "Lima", "Quito", "Bogota")),
        ]
        judge = script(
            {
                claim("Lima"): [[RIGHT]],
                claim("lima"): [[RIGHT]],
                claim("Quito"): [[WRONG]],
                claim("Santiago", OTHER): [[RIGHT]],
                **{claim(text, OTHER): [[WRONG]] for text in ("Lima", "Quito", "Bogota")},
            }
        )
        played = [episode(task, turns, seed=n) for n, (task, turns) in enumerate(said)]
        scored = GRMReward(judge, library, format_reward=True).score(played)
        assert [parts.total for parts in scored] == [1.25, 1.25, 0, 0, 1, 0, 0, 0]
        assert scored[3].extras == {"verdicts": [], "rollouts": {"grm": 0}}, (
            "a missing answer is not asked about"
        )
        assert judge.batches == [7], "one batch for all"

    def test_votes_are_decided_by_the_majority(self, episode, script, library):
        played = [episode(TASK, answer("Lima"), seed=3)]
        judge = script({claim("Lima"): [[RIGHT], [WRONG], [RIGHT]]})
        (parts,) = GRMReward(judge, library, votes=3).score(played)
        assert (parts.total, parts.invalid) == (1.0, None)
        verdicts = ["correct", "wrong", "correct"]
        assert parts.extras == {"verdicts": verdicts, "rollouts": {"grm": 3}}
        assert len(set(judge.seeds)) == 3, "every vote is a sample of its own"

    @pytest.mark.parametrize("votes", [[["well"]], [[RIGHT], [WRONG]], [answer("correct/wrong")]])
    def test_without_a_verdict_there_is_no_reward(self, episode, script, library, votes):
        judge = script({claim("Lima"): votes})
        model = GRMReward(judge, library, votes=len(votes))
        (parts,) = model.score([episode(TASK, answer("Lima"))])
        assert parts.invalid == "verdict"

    def test_the_released_parser_is_there_on_demand(self, episode, script, library):
        judge = script({claim("Lima"): [answer("conclusion: not correct")]})
        (parts,) = GRMReward(judge, library, compat=True).score([episode(TASK, answer("Lima"))])
        assert parts.total == 1.0

    def test_a_broken_tool_of_the_judge_is_not_a_zero(self, episode, script):
        judge = script({claim("Lima"): [["<tool_call></tool_call>"]]})
        (parts,) = GRMReward(judge, Broken()).score([episode(TASK, answer("Lima"))])
        assert parts.invalid == "search: down"

    def test_the_judge_sees_no_more_than_question_and_answer(self, episode, script, library):
        search = '<tool_call>{"name": "retrieve", "arguments": {"query": "x"}}</tool_call>'
        seen = []

        class Spy(script):
            def act(self, chats, *, greedy=False):
                seen.extend(chat.messages for chat in chats)
                return super().act(chats)

        judge = Spy({claim("Quito"): [[WRONG]]})
        GRMReward(judge, library).score([episode(TASK, [search, *answer("Quito")])])
        (messages,) = seen
        assert [message["role"] for message in messages] == ["system", "user"]
        assert "Lima" not in messages[1]["content"]

    def test_the_same_episode_gets_the_same_judgement(self, episode, script, library):
        judges = [script({claim("Lima"): [[RIGHT]]}) for _ in range(2)]
        for judge in judges:
            GRMReward(judge, library).score([episode(TASK, answer("Lima"), seed=5)])
        assert judges[0].seeds == judges[1].seeds

    def test_other_seats_and_no_votes_are_refused(self, episode, script, library):
        with pytest.raises(AslError, match="not the generator seat"):
            GRMReward(script({}), library).score([episode(Request("r", "seed", "x"), ["y"])])
        with pytest.raises(AslError, match="votes=0"):
            GRMReward(script({}), library, votes=0)


class TestWeightedReward:
    def test_a_mixture_keeps_the_parts_apart(self, episode):
        models = {"exact": (RuleReward(), 0.75), "words": (RuleReward("f1"), 0.25)}
        (parts,) = WeightedReward(models).score([episode(TASK, answer("in Lima"))])
        assert parts.total == pytest.approx(0.25 * 2 / 3)
        assert parts.parts == {"exact/em": 0.0, "words/f1": pytest.approx(2 / 3)}

    def test_one_failure_spoils_the_mixture(self, script, library, episode):
        judge = script({claim("Lima"): [["well"]]})
        models = {"em": (RuleReward(), 1.0), "judge": (GRMReward(judge, library), 1.0)}
        (parts,) = WeightedReward(models).score([episode(TASK, answer("Lima"))])
        assert (parts.total, parts.invalid) == (0.0, "verdict")
        assert parts.extras["judge"]["verdicts"] == [None]

    def test_nothing_cannot_be_mixed(self):
        with pytest.raises(AslError, match="at least one"):
            WeightedReward({})
