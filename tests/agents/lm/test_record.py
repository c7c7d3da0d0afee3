"""Token records: the sampled tokens as they were, everything else masked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asl_env.agents.lm.record import Span, audit, record_of, split
from asl_env.agents.lm.template import ChatTemplate
from asl_env.episode import Role, Task, Trajectory, Turn
from asl_env.errors import LanguageModelError

TASK = Task("t", "Which river?", ("Rímac",))
OPENING = (
    {"role": "system", "content": "SYSTEM TEXT"},
    {"role": "user", "content": "QUESTION TEXT"},
)


@pytest.fixture(scope="module")
def template(tokenizer):
    return ChatTemplate(tokenizer)


def episode(turns, news=("TOOL TEXT",)):
    """An episode with these turns and the same tool messages after each but the last."""
    messages = [*OPENING]
    for number, turn in enumerate(turns):
        if number:
            messages += [{"role": "tool", "content": text} for text in news]
        messages.append({"role": "assistant", "content": turn.text})
    return Trajectory(Role.POLICY, TASK, tuple(messages), tuple(turns), None)


def said(template, text, end=False):
    ids = [*template.encode(text), *([template.tokenizer.eos_token_id] if end else [])]
    return Turn(text, tuple(ids), tuple(-0.5 - n for n in range(len(ids))))


def test_a_record_is_opening_turns_and_what_the_template_writes_between(template):
    first, second = said(template, "<tool_call>Peru</tool_call>"), said(template, "Rímac")
    record = record_of(episode([first, second]), template)
    opening = template.opening(OPENING)
    between = template.delta([{"role": "tool", "content": "TOOL TEXT"}], first.token_ids)
    assert record.ids == (*opening, *first.token_ids, *between, *second.token_ids)
    assert [span.kind for span in record.spans] == ["prompt", "model", "tool", "model"]
    assert record.prompt_length == len(opening)
    assert record.sampled == len(first.token_ids) + len(second.token_ids)
    zeros = (0.0,) * len(opening), (0.0,) * len(between)
    assert record.logprobs == (*zeros[0], *first.logprobs, *zeros[1], *second.logprobs)


def test_only_sampled_tokens_are_trained_on(template):
    turns = [said(template, f"turn {n} of the model", end=n == 1) for n in range(3)]
    record = record_of(episode(turns), template)
    text = audit(record, template.tokenizer)
    assert text == "turn 0 of the model\nturn 1 of the model<|im_end|>\nturn 2 of the model"


def test_an_end_of_turn_that_the_template_adds_is_masked(template):
    call, answer = said(template, "call"), said(template, "answer", end=True)
    record = record_of(episode([call, answer]), template)
    end = template.tokenizer.eos_token_id
    places = [place for place, token in enumerate(record.ids) if token == end]
    after_call = record.spans[1].stop
    assert record.ids[after_call] == end and record.mask[after_call] == 0
    assert places[-1] == len(record.ids) - 1 and record.mask[-1] == 1


def test_a_sampled_end_of_turn_is_trained_on_and_stands_once(template):
    record = record_of(episode([said(template, "call", end=True), said(template, "x")]), template)
    end = template.tokenizer.eos_token_id
    last = record.spans[1].stop - 1
    assert record.ids[last] == end and record.mask[last] == 1
    assert record.ids[last + 1] != end


def test_tokens_are_taken_as_sampled_even_where_their_text_is_encoded_otherwise(template):
    whole = template.encode("capital")
    letters = [token for letter in "capital" for token in template.encode(letter)]
    assert whole != letters
    turn = Turn("capital", tuple(letters), (-1.0,) * len(letters))
    record = record_of(episode([turn]), template)
    assert record.ids[-len(letters) :] == tuple(letters)


def test_an_empty_turn_at_the_full_context_adds_nothing(template):
    first = said(template, "call")
    full = record_of(episode([first, Turn("", (), ())]), template)
    assert full == record_of(episode([first]), template)


def test_a_turn_without_tokens_is_refused(template):
    with pytest.raises(LanguageModelError, match="turn 1 of 't' carries no token ids"):
        record_of(episode([said(template, "call"), Turn("text")]), template)


def test_an_unfinished_episode_ends_with_its_last_turn(template):
    whole = episode([said(template, "call")])
    open_one = Trajectory(
        Role.POLICY, TASK, (*whole.messages, {"role": "tool", "content": "x"}), whole.turns, None
    )
    assert record_of(open_one, template) == record_of(whole, template)


def test_a_chat_is_split_at_its_turns():
    assistant, tool = {"role": "assistant", "content": "a"}, {"role": "tool", "content": "t"}
    assert split(OPENING) == (list(OPENING), [])
    assert split([*OPENING, assistant]) == (list(OPENING), [[]])
    chat = [*OPENING, assistant, tool, tool, assistant, tool]
    assert split(chat) == (list(OPENING), [[], [tool, tool]])


@given(
    turns=st.lists(
        st.tuples(st.lists(st.integers(0, 500), min_size=1, max_size=6), st.booleans()), max_size=4
    ),
    news=st.lists(st.text(max_size=12), min_size=1, max_size=3),
)
def test_spans_cover_a_record_and_agree_with_its_mask(template, turns, news):
    end = template.tokenizer.eos_token_id
    sampled = [Turn("x", (*ids, *[end] * last), (-0.1,) * (len(ids) + last)) for ids, last in turns]
    record = record_of(episode(sampled, news), template)
    assert [0, *(span.stop for span in record.spans)] == [
        *(span.start for span in record.spans),
        len(record.ids),
    ]
    assert len(record.mask) == len(record.logprobs) == len(record.ids)
    for span in record.spans:
        assert set(record.mask[span.start : span.stop]) == {int(span.kind == "model")}
    models = [span for span in record.spans if span.kind == "model"]
    assert [record.ids[one.start : one.stop] for one in models] == [
        turn.token_ids for turn in sampled
    ]
    assert record.spans[0] == Span("prompt", 0, record.prompt_length)
