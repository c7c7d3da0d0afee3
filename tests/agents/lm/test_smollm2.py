"""A real model, SmolLM2-135M-Instruct: fetched, loaded both ways, played in every seat, trained."""

import math

import pytest
import torch

from asl_env.agents.lm import catalog
from asl_env.agents.lm.agent import LanguageModelAgent
from asl_env.agents.lm.checks import check_context, check_dialect
from asl_env.agents.lm.estimate import Plan, estimate
from asl_env.agents.lm.loading import load_language_model
from asl_env.agents.lm.record import audit, record_of
from asl_env.agents.lm.sampling import Sampling
from asl_env.corpora.passages import Passage
from asl_env.dialects import make_dialect
from asl_env.envs.seat import Seat
from asl_env.envs.vector import SeatVectorEnv
from asl_env.episode import Claim, Request, RewardParts, Role, Task, Turn
from asl_env.play import play
from asl_env.retrieval.bm25 import BM25Retriever
from asl_env.tool import SearchTool

pytestmark = pytest.mark.slow

NAME = "smollm2-135m"
PASSAGES = [
    Passage("1", "Lima", "Lima is the capital of Peru. The Rímac flows through Lima."),
    Passage("2", "Oslo", "Oslo is the capital of Norway."),
]
ASSIGNMENTS = {
    Role.POLICY: Task("t", "What is the capital of Peru?", ("Lima",)),
    Role.GRM: Claim("c", "What is the capital of Peru?", "Oslo", "wrong"),
    Role.GENERATOR: Request("r", "seed", "capitals"),
}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home of its own, into which the model is fetched as a user would."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASL_ENV_HOME", str(tmp_path_factory.mktemp("home")))
        catalog.fetch(NAME)
        yield


@pytest.fixture(scope="module")
def smollm2(home):
    return load_language_model(NAME, device="cpu")


@pytest.fixture
def tool():
    return SearchTool(BM25Retriever.from_passages(PASSAGES))


def full_pass(model, ids):
    """Log-probabilities of every token but the first, by one forward pass."""
    sequence = torch.tensor([list(ids)])
    with torch.inference_mode():
        scores = model(sequence).logits[0, :-1].log_softmax(-1)
    return scores.gather(-1, sequence[0, 1:, None])[:, 0].tolist()


def test_it_is_what_the_catalogue_says(smollm2):
    assert smollm2.context == 8192
    assert sum(one.numel() for one in smollm2.model.parameters()) == 134_515_008
    for dialect in ("asl", "search-r1"):
        assert check_dialect(smollm2.tokenizer, dialect) == []
        check_context(smollm2, dialect)
    found = estimate(smollm2, Plan("train", 4, 512), probe=False)
    assert found.total / 1e9 == pytest.approx(7.0, rel=0.2)


def test_the_converted_model_says_what_the_gguf_file_says(smollm2):
    unpacked = load_language_model(catalog.gguf(NAME), device="cpu")
    chat = [{"role": "user", "content": "What is the capital of France?"}]
    texts = []
    for loaded in (smollm2, unpacked):
        ids = loaded.tokenizer.apply_chat_template(
            chat, add_generation_prompt=True, return_tensors="pt", return_dict=True
        )["input_ids"]
        with torch.inference_mode():
            said = loaded.model.generate(ids, max_new_tokens=8, do_sample=False)
        texts.append(loaded.tokenizer.decode(said[0, ids.shape[1] :], skip_special_tokens=True))
    assert texts == ["The capital of France is Paris."] * 2


def test_it_plays_every_seat_token_by_token(smollm2, tool):
    agent = LanguageModelAgent(smollm2, sampling=Sampling(max_new_tokens=12))
    episodes = play(agent, list(ASSIGNMENTS.values()), tool=tool, max_turns=2, seeds=[1, 2, 3])
    for episode in episodes:
        record = record_of(episode, agent.template_of(episode.role))
        again = full_pass(smollm2.model, record.ids)
        for at in range(1, len(record.ids)):
            if record.mask[at]:
                assert record.logprobs[at] == pytest.approx(again[at - 1], abs=1e-3)
        assert 0 < record.sampled <= 24
        assert episode.turns[0].text in audit(record, smollm2.tokenizer)


def test_a_turn_after_search_results_is_sampled_from_the_whole_chat(smollm2, tool):
    agent = LanguageModelAgent(smollm2, sampling=Sampling(max_new_tokens=12))
    search = make_dialect("asl").write_search("capital of Peru")

    class SearchesFirst:
        def act(self, chats, *, greedy=False):
            if chats[0].turn == 0:
                return [Turn(search)]
            return agent.act(chats, greedy=greedy)

    task = ASSIGNMENTS[Role.POLICY]
    (episode,) = play(SearchesFirst(), [task], tool=tool, max_turns=2, greedy=True)
    turn, template = episode.turns[1], agent.template_of(Role.POLICY)
    before = template.opening(episode.messages[:2]) + template.encode(search)
    before += template.delta([episode.messages[3]], before[-1:])
    again = full_pass(smollm2.model, [*before, *turn.token_ids])[-len(turn.token_ids) :]
    assert turn.logprobs == pytest.approx(again, abs=1e-3)


def test_one_grpo_step_with_lora_moves_the_adapter_alone(home, tool, tmp_path):
    from asl_env.agents.lm.learner import GRPOLearner

    smollm2 = load_language_model(NAME, device="cpu")  # its own: the adapter is put into it

    class Shorter:
        """Pays something else to every episode of a group, so that there is a gradient."""

        def score(self, episodes):
            return [RewardParts(float(at % 2)) for at, _ in enumerate(episodes)]

    base = {name: one.clone() for name, one in smollm2.model.named_parameters()}
    settings = {"lora": {"rank": 4, "alpha": 8}, "max_new_tokens": 4, "learning_rate": 1e-3}
    learner = GRPOLearner(smollm2, settings={**settings, "micro_batch_tokens": 1024})
    tasks = [ASSIGNMENTS[Role.POLICY]]
    seat = Seat(Role.POLICY, tasks, tool, "asl", Shorter(), max_turns=1)
    seen = []
    summary = learner.learn(
        Role.POLICY, SeatVectorEnv(seat, 4, 4), 4, [lambda metrics: not seen.append(metrics)]
    )
    assert summary["updates"] == 1 and math.isfinite(seen[0]["loss"])
    assert seen[0]["logprob_gap"] < 1e-3, "what was sampled is what is trained on"
    learner.save(tmp_path)
    trained = load_language_model(tmp_path / "model")
    assert trained.kind == "adapter"
    moved = {
        name for name, one in trained.model.named_parameters() if "lora_B" in name and one.any()
    }
    assert len(moved) == 30 * 7
    kept = {
        name.replace("base_model.model.", "").replace(".base_layer", ""): one
        for name, one in trained.model.named_parameters()
        if "lora" not in name
    }
    assert all(torch.equal(kept[name], one) for name, one in base.items())
