"""``asl play --watch``: a person reads along, turn by turn."""

import io

import pytest
from rich.console import Console

from asl_env.agents.cli.watch import Watched, printable, styled
from asl_env.dialects import make_dialect
from asl_env.episode import Chat, Role, Turn
from asl_env.evaluation import records

AGENT = """
from asl_env.dialects import make_dialect
from asl_env.episode import Turn

class Agent:
    dialect = make_dialect("asl")

    def act(self, chats, *, greedy=False):
        self.greedy = greedy
        return [self.turn(chat) for chat in chats]

    def turn(self, chat):
        if chat.turn == 0:
            return Turn(self.dialect.write_search("capital of Peru", "hm"), (1, 2, 3))
        return self.dialect.write_final(f"greedy is {self.greedy}")
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    (tmp_path / "watched_agent.py").write_text(AGENT)
    monkeypatch.syspath_prepend(tmp_path)
    return "watched_agent:Agent"


@pytest.mark.parametrize("seat", list(Role))
def test_an_agent_plays_every_seat_before_ones_eyes(seat, asl):
    code, out, _ = asl("play", "--watch", "--agent", "lexical", "--seat", seat, "--seed", 3)
    assert code == 0
    lines = [line for line in out.splitlines() if line.startswith("-- ")]
    assert lines == [
        "-- assignment --",
        f"-- {seat}, turn 1 --",
        "-- results --",
        f"-- {seat}, turn 2 --",
    ]
    assert "<think>" in out and '"query": ' in out and "\n[1] " in out and "<answer>" in out
    assert "\x1b" not in out, "colours are for terminals"
    last = out.splitlines()[-1]
    expected = {
        Role.POLICY: "It said",
        Role.GRM: "Its verdict",
        Role.GENERATOR: "in MiniWiki; its own is",
    }
    assert expected[seat] in last


def test_an_agent_named_is_watched_and_the_episode_is_kept(own, tmp_path, asl):
    code, out, _ = asl("play", "--agent", own, "--out", tmp_path / "t.jsonl")
    assert code == 0
    assert "-- policy, turn 1, 3 tokens --" in out
    assert "greedy is True" in out
    (record,) = records.read(tmp_path / "t.jsonl")
    assert len(record.trajectory.turns) == 2
    assert "greedy is False" in asl("play", "--agent", own, "--sample")[1]


def test_two_players_are_one_too_many(asl):
    code, _, err = asl("play", "--agent", "lexical", "--model", "nano")
    assert code == 2
    assert err.endswith("--agent and --model both say who plays; give one of them\n")


def test_a_language_model_is_opened_by_its_folder(tiny_folder, asl):
    code, out, err = asl("play", "--model", tiny_folder, "--max-turns", 2)
    assert code == 0
    assert "-- policy, turn 1, " in out and " tokens --" in out
    code, _, err = asl("play", "--model", "./missing")
    assert code == 2
    assert "./missing: no such model folder or file" in err


@pytest.fixture
def tiny_folder(tmp_path):
    """A random model with a byte tokenizer, which splits every tag into letters."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    inner = Tokenizer(models.BPE({letter: at for at, letter in enumerate(letters)}, []))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="<|im_end|>")
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>"]})
    tokenizer.chat_template = (
        "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n"
        "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    size = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1}
    heads = {"num_attention_heads": 1, "num_key_value_heads": 1}
    config = LlamaConfig(vocab_size=len(tokenizer), max_position_embeddings=8192, **size, **heads)
    LlamaForCausalLM(config).save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def test_what_a_tokenizer_splits_badly_is_told(tiny_folder, asl):
    _, _, err = asl("play", "--model", tiny_folder, "--max-turns", 1)
    assert "dialect asl: the tag <tool_call> takes 11 tokens" in err


def test_a_terminal_gets_colours_and_nothing_that_moves_its_cursor():
    shown = io.StringIO()
    console = Console(
        file=shown, force_terminal=True, color_system="standard", no_color=False, width=80
    )
    silent = Console(file=io.StringIO())

    class Odd:
        def act(self, chats, *, greedy=False):
            return ["", "<search></search>\x1b[2Jcleared\x9b1m\x07"][len(said) :][:1]

    said = []
    watched = Watched(Odd(), make_dialect("search-r1"), console, silent)
    chat = Chat(Role.POLICY, [{"role": "user", "content": "Who?\x1b]0;title\x07"}])
    assert watched.act([chat]) == [Turn("")]
    said.append("")
    assert watched.act([chat])[0].text.startswith("<search>")
    out = shown.getvalue()
    assert "(says nothing)" in out and "(malformed call: The query is empty; write one.)" in out
    assert "Who?]0;title" in out and "[2Jcleared1m" in out
    assert "\x1b[2J" not in out and "\x1b]" not in out and "\x9b" not in out and "\x07" not in out
    assert "\x1b[1;34m-- policy, turn 1 --" in out


@pytest.mark.parametrize(
    ("turn", "words"),
    [
        (make_dialect("asl").write_search('a "b" c', "hm"), {r'"a \"b\" c"': "bold cyan"}),
        (make_dialect("search-r1").write_search("a b", "hm"), {"a b": "bold cyan"}),
        (make_dialect("asl").write_final("Lima", "Where?"), {"Lima": "green", "Where?": "magenta"}),
        ("<answer>Lima", {"Lima": "green"}),
    ],
)
def test_thoughts_are_dimmed_and_queries_and_answers_lit_up(turn, words):
    text = styled(turn)
    assert text.plain == turn, "nothing is hidden"
    if "<think>" in turn:
        words = {**words, "hm": "dim italic"}
    for word, style in words.items():
        at = turn.index(word)
        over = [span.style for span in text.spans if span.start <= at < span.end]
        assert any(style in str(one) for one in over), (word, over)


def test_line_feeds_and_tabs_stay():
    assert printable("a\n\tb\r\x00é") == "a\n\tbé"
