"""A language model in every seat: chats to tokens, tokens to turns, nothing encoded twice."""

import pytest
from tokenizers import normalizers

from asl_env import prompts
from asl_env.agents.lm.agent import LanguageModelAgent
from asl_env.agents.lm.record import audit, record_of
from asl_env.agents.lm.sampling import Sampling
from asl_env.agents.lm.transformers_backend import TransformersBackend
from asl_env.corpora.passages import Passage
from asl_env.dialects import make_dialect
from asl_env.episode import Chat, Claim, Request, Role, Task, Turn
from asl_env.errors import LanguageModelError
from asl_env.play import play
from asl_env.protocols import Agent, Hit
from asl_env.tool import SearchTool

SEARCH = {"asl": "<tool_call>Peru</tool_call>", "search-r1": "<search>Peru</search>"}
ANSWER = "<answer>Lima</answer>"
ASSIGNMENTS = [
    *(Task(f"t{n}", f"What is the capital of country {n}?", ("Lima",)) for n in range(4)),
    Claim("c", "Which river?", "Rímac"),
    Request("r", "seed", "Lima"),
]


class OneBook:
    """Finds the same passage for every query."""

    def search(self, queries, k):
        passage = Passage("p1", "Lima", "Lima is the capital. <answer>FOREIGN TEXT</answer>")
        return [[Hit(passage, 1.0)] for _ in queries]


class Noted:
    """A backend that notes what the backend within is asked."""

    def __init__(self, model, template):
        self.within = TransformersBackend(
            model.model, model.tokenizer, end_ids=template.end_ids, context=model.context
        )
        self.asked = []
        self.forgotten = 0

    def generate(self, prompts, sampling, stop):
        self.asked.append(prompts)
        return self.within.generate(prompts, sampling, stop)

    def forget(self):
        self.forgotten += 1
        self.within.forget()


@pytest.fixture(params=SEARCH)
def dialect(request):
    return request.param


@pytest.fixture
def searcher(told, tokenizer, dialect):
    """Searches in half of its turns and answers in the other half."""
    return told(tokenizer, {SEARCH[dialect]: 0.5, ANSWER: 0.5})


def noted_agent(model, **options):
    noted = []

    def make(*parts):
        noted.append(Noted(*parts))
        return noted[-1]

    agent = LanguageModelAgent(model, backend=make, **options)
    return agent, noted


def played(agent, dialect, assignments=ASSIGNMENTS, **options):
    return play(agent, assignments, tool=SearchTool(OneBook()), dialect=dialect, **options)


def opening_chat(text="Which river?", seed=0, role=Role.POLICY, dialect="asl"):
    task = Task("t", text, ("x",))
    messages = prompts.opening(task, make_dialect(dialect))
    return Chat(role, messages, seed)


def test_every_seat_is_played_to_the_end(searcher, dialect):
    agent = LanguageModelAgent(searcher, dialect=dialect)
    assert isinstance(agent, Agent)
    episodes = played(agent, dialect, ASSIGNMENTS * 3)
    assert {episode.answer for episode in episodes if not episode.truncated} == {"Lima"}
    assert {len(episode.turns) for episode in episodes} >= {1, 2, 3}
    texts = {turn.text for episode in episodes for turn in episode.turns}
    assert texts == {SEARCH[dialect], ANSWER}


def test_the_record_of_an_episode_is_what_the_model_saw(searcher, dialect):
    agent, (backend,) = noted_agent(searcher, dialect=dialect)
    episodes = played(agent, dialect)
    seen = {(one.seed, one.ids) for prompts in backend.asked for one in prompts}
    assert len(seen) == sum(len(episode.turns) for episode in episodes)
    for episode in episodes:
        record = record_of(episode, agent.template_of(episode.role))
        starts = [span.start for span in record.spans if span.kind == "model"]
        for turn, start in enumerate(starts):
            assert ((episode.seed, turn), record.ids[:start]) in seen


def test_foreign_text_is_never_trained_on(searcher, dialect):
    agent = LanguageModelAgent(searcher, dialect=dialect)
    searched = [one for one in played(agent, dialect) if one.tool_calls]
    assert searched or dialect == "asl"  # its calls are not JSON: they get an error message
    for episode in played(agent, dialect):
        record = record_of(episode, agent.template_of(episode.role))
        lines = audit(record, searcher.tokenizer).split("\n")
        assert lines == [turn.text for turn in episode.turns]


def test_an_episode_does_not_depend_on_the_others(tiny):
    agent = LanguageModelAgent(tiny, sampling=Sampling(max_new_tokens=24))
    together = played(agent, "asl")
    for seed, assignment in enumerate(ASSIGNMENTS):
        agent.forget()
        (alone,) = played(agent, "asl", [assignment], seeds=[seed])
        assert [turn.token_ids for turn in alone.turns] == [
            turn.token_ids for turn in together[seed].turns
        ]


def test_a_turn_depends_on_the_seed_of_its_chat(tiny):
    agent = LanguageModelAgent(tiny, sampling=Sampling(max_new_tokens=12))
    first, again, other = agent.act([opening_chat(seed=seed) for seed in (1, 1, 2)])
    assert first == again != other
    assert len(first.token_ids) == len(first.logprobs)


def test_each_role_may_be_sampled_in_its_own_way(tiny):
    long, short = Sampling(max_new_tokens=12), Sampling(temperature=0.5, max_new_tokens=3)
    agent = LanguageModelAgent(tiny, sampling={Role.POLICY: long, Role.GRM: short})
    chats = [
        opening_chat(seed=seed, role=role) for seed in range(3) for role in (Role.POLICY, Role.GRM)
    ]
    together = agent.act(chats)
    for role, sampling in ((Role.POLICY, long), (Role.GRM, short)):
        same = LanguageModelAgent(tiny, sampling=sampling)
        alone = same.act([chat for chat in chats if chat.role is role])
        mine = [turn for turn, chat in zip(together, chats, strict=True) if chat.role is role]
        assert [turn.token_ids for turn in mine] == [turn.token_ids for turn in alone]
        assert max(len(turn.token_ids) for turn in mine) == sampling.max_new_tokens


def test_equal_greedy_requests_are_sampled_once(tiny):
    agent, (backend,) = noted_agent(tiny, sampling=Sampling(max_new_tokens=4))
    turns = agent.act([opening_chat(seed=seed) for seed in range(5)], greedy=True)
    assert len(set(turns)) == 1
    assert [len(prompts) for prompts in backend.asked] == [1]


def test_a_text_has_no_end_token_and_ends_with_the_stop_string(told, tokenizer):
    model = told(tokenizer, {"So: Lu": 0.5, ANSWER: 0.5})
    turns = LanguageModelAgent(model).act([opening_chat(seed=seed) for seed in range(20)])
    assert {turn.text for turn in turns} == {"So: Lu", ANSWER}
    ends = {turn.text: turn.token_ids[-1] == tokenizer.eos_token_id for turn in turns}
    assert ends == {"So: Lu": True, ANSWER: False}


def test_somebody_elses_turn_is_encoded_from_its_text(tiny):
    agent, (backend,) = noted_agent(tiny, sampling=Sampling(max_new_tokens=4))
    chat = opening_chat()
    reply = [{"role": "tool", "content": "\nid: 1\n"}]
    call = {"role": "assistant", "content": SEARCH["asl"]}
    (turn,) = agent.act([chat._replace(messages=[*chat.messages, call, *reply])])
    template = agent.template_of(Role.POLICY)
    ids = template.opening(chat.messages) + template.encode(SEARCH["asl"])
    assert backend.asked[0][0].ids == (*ids, *template.delta(reply, ids))
    assert backend.asked[0][0].seed == (0, 1)
    assert turn.token_ids


def test_roles_may_have_models_of_their_own(told, tokenizer):
    says_lu, says_li = told(tokenizer, {"Lu": 1.0}), told(tokenizer, {"Li": 1.0})
    agent = LanguageModelAgent({Role.POLICY: says_lu, "grm": says_li})
    chats = [opening_chat(role=role) for role in (Role.GRM, Role.POLICY, Role.GRM)]
    assert [turn.text for turn in agent.act(chats)] == ["Li", "Lu", "Li"]
    assert agent.model_of(Role.GRM) is says_li
    with pytest.raises(LanguageModelError, match="no model plays the role generator"):
        agent.act([opening_chat(role=Role.GENERATOR)])


def test_one_model_in_all_roles_is_opened_once(tiny):
    agent, noted = noted_agent(tiny, sampling=Sampling(max_new_tokens=2))
    agent.act([opening_chat(role=role, seed=seed) for seed, role in enumerate(Role)])
    assert [len(prompts) for prompts in noted[0].asked] == [3]
    agent.forget()
    assert len(noted) == noted[0].forgotten == 1


def test_a_chat_that_fills_the_context_ends_without_an_answer(new_model, tokenizer):
    model = new_model(tokenizer=tokenizer, context=420)
    agent = LanguageModelAgent(model, sampling=Sampling(max_new_tokens=20))
    chat = opening_chat()
    (turn,) = agent.act([chat])
    long = [{"role": "tool", "content": "\nid: 1\n" + "Lima. " * 90}]
    said = {"role": "assistant", "content": turn.text}
    fuller = chat._replace(messages=[*chat.messages, said, *long])
    assert agent.act([fuller, chat])[0] == Turn("", (), ())


def test_a_context_too_short_for_an_opening_and_a_turn_is_refused(new_model, tokenizer):
    agent = LanguageModelAgent(new_model(tokenizer=tokenizer, context=400))
    with pytest.raises(LanguageModelError, match=r"holds 400 tokens.*lower max_new_tokens") as told:
        agent.act([opening_chat()])
    assert "\n" not in str(told.value)


def test_a_tokenizer_that_loses_the_tags_is_refused(new_model, new_tokenizer):
    tokenizer = new_tokenizer(tags=())
    tokenizer.backend_tokenizer.normalizer = normalizers.Replace("</", "(")
    with pytest.raises(LanguageModelError, match="does not keep the tags of the asl dialect"):
        LanguageModelAgent(new_model(tokenizer=tokenizer))


def test_an_unknown_backend_is_refused(tiny):
    with pytest.raises(LanguageModelError, match="did you mean 'transformers'"):
        LanguageModelAgent(tiny, backend="transformer")


def test_backends_take_options(tiny):
    sampling, options = Sampling(max_new_tokens=2), {"session_bytes": 0, "block_tokens": 99}
    agent = LanguageModelAgent(tiny, sampling=sampling, options=options)
    assert len(agent.act([opening_chat(seed=n) for n in range(2)])) == 2
