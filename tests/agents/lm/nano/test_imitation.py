"""Rows of tokens with weights: what is said always counts, what is read counts by sampling."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asl_env.agents.lm.nano.episodes import episodes
from asl_env.agents.lm.nano.imitation import Corpus, batches, encode, is_comparison
from asl_env.episode import Role
from asl_env.rewards.verdict import parse_verdict


def corpus(rows, length=40):
    rng = np.random.default_rng(0)
    lengths = rng.integers(2, length, rows)
    total = int(lengths.sum())
    return Corpus(
        rng.integers(1, 99, total).astype(np.int32),
        (rng.random(total) < 0.3).astype(np.uint8),
        np.cumsum([0, *lengths]),
    )


@given(rows=st.integers(1, 60), tokens=st.integers(40, 400), seed=st.integers(0, 9))
def test_every_row_is_in_one_batch_and_no_batch_is_too_large(rows, tokens, seed):
    all_rows = corpus(rows)
    seen = []
    for make in batches(all_rows, tokens, 0.1, np.random.default_rng(seed)):
        ids, weights = make()
        assert ids.size <= tokens or len(ids) == 1
        assert ids.shape == weights.shape
        assert not weights[:, 0].any()
        assert not weights[ids == 0].any()
        seen += [tuple(row[row > 0]) for row in ids]
    assert sorted(seen) == sorted(tuple(all_rows.row(n)[0]) for n in range(rows))


def test_what_is_said_weighs_one_and_what_is_read_on_average_what_was_wished():
    all_rows = corpus(2000)
    masks = {tuple(ids): said for ids, said in map(all_rows.row, range(len(all_rows)))}
    read: list[float] = []
    said: list[float] = []
    for make in batches(all_rows, 4000, 0.1, np.random.default_rng(1)):
        for row, share in zip(*make(), strict=True):
            row = row[row > 0]
            mask, share = masks[tuple(row)][1:], share[1 : len(row)]
            said += share[mask == 1].tolist()
            read += share[mask == 0].tolist()
    assert set(said) == {1.0}
    assert len(set(read)) == 2
    assert np.mean(read) == pytest.approx(0.1, abs=0.01)


def test_batches_can_be_made_again():
    make = batches(corpus(50), 400, 0.1, np.random.default_rng(1))[0]
    for one, two in zip(make(), make(), strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.fixture(scope="module")
def played():
    return list(episodes(np.random.default_rng(3), 40, 40, thin=0.5, openings=1.0))


def test_openings_are_first_turns_of_the_two_seats_that_read_questions(played):
    openings = [one for one in played if one.messages[-1]["role"] == "assistant"]
    openings = [one for one in openings if one.answer is None and not one.truncated]
    assert len(openings) == 40
    assert {one.role for one in openings} == {Role.POLICY, Role.GRM}
    assert all(len(one.turns) == 1 and "<tool_call>" in one.turns[0].text for one in openings)


def test_an_episode_becomes_the_tokens_that_a_player_sees_and_says(played):
    from asl_env.agents.lm.loading import load_language_model
    from asl_env.agents.lm.template import ChatTemplate

    template = ChatTemplate(load_language_model("nano").tokenizer)
    rows = encode(played, template)
    assert len(rows) == len(played)
    for number, episode in enumerate(played):
        ids, said = rows.row(number)
        spoken = template.tokenizer.decode(ids[said == 1])
        for turn in episode.turns:
            assert turn.text in spoken


def test_findings_and_verdicts_can_weigh_more(played):
    from asl_env.agents.lm.loading import load_language_model
    from asl_env.agents.lm.template import ChatTemplate

    template = ChatTemplate(load_language_model("nano").tokenizer)
    even, stressed = encode(played, template), encode(played, template, stress=5)
    assert set(even.said) == {0, 1}
    np.testing.assert_array_equal(stressed.said > 0, even.said > 0)
    found = 0
    for number, episode in enumerate(played):
        ids, weights = stressed.row(number)
        heavy = template.tokenizer.decode(ids[weights == 5])
        if episode.answer is None:
            continue
        if episode.role is Role.GRM:
            assert heavy.endswith(episode.answer)
        elif f" is {episode.answer}.</think>" in episode.turns[-1].text:
            found += 1
            assert episode.answer in heavy
    assert found > 5


def test_of_comparisons_only_the_verdict_is_learned():
    from asl_env.agents.lm.loading import load_language_model
    from asl_env.agents.lm.template import ChatTemplate

    played = list(episodes(np.random.default_rng(5), 10, 10, comparisons=3.0))
    compared = [one for one in played if is_comparison(one)]
    assert len(played) == 40
    assert len(compared) == 30
    template = ChatTemplate(load_language_model("nano").tokenizer)
    rows = encode(compared, template, stress=3)
    told = 0
    for number, episode in enumerate(compared):
        ids, weights = rows.row(number)
        assert template.tokenizer.decode(ids[weights == 3]) == episode.answer
        assert set(weights) == {0, 3}
        found, given, said = episode.turns[0].text.partition(" The answer given is ")
        if given:
            same = found.endswith(f" is {said.partition('.</think>')[0]}.")
            assert parse_verdict(episode.answer) == ("correct" if same else "wrong")
            told += 1
    assert told > 25
