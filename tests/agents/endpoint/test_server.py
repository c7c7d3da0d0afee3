"""Whole episodes in every seat against a real server: llama.cpp's, serving SmolLM2-135M."""

import subprocess
import sys
from pathlib import Path

import llama
import peer as peers
import pytest

from asl_env.agents.endpoint.agent import EndpointAgent
from asl_env.agents.endpoint.errors import EndpointError
from asl_env.agents.endpoint.settings import EndpointSettings
from asl_env.agents.lm import catalog
from asl_env.corpora.passages import Passage
from asl_env.dialects import make_dialect
from asl_env.episode import Chat, Claim, Request, Role, Task
from asl_env.play import play
from asl_env.retrieval.bm25 import BM25Retriever
from asl_env.rewards import GRMReward
from asl_env.tool import SearchTool

pytestmark = pytest.mark.slow

PASSAGES = [
    Passage("peru", "Peru", "Peru is a country in South America. Its capital is Lima."),
    Passage("france", "France", "France is a country in Europe. Its capital is Paris."),
    Passage("vistula", "Vistula", "The Vistula is a river in Poland. It flows through Warsaw."),
]
SEATS = [
    Task("t", "What is the capital of Peru?", ("Lima",)),
    Request("r", "seed", "Peru"),
    Claim("c", "What is the capital of France?", "Paris"),
]


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    catalog.fetch("smollm2-135m")
    template = tmp_path_factory.mktemp("llama") / "template.jinja"
    template.write_text(llama.template(), encoding="utf-8")
    command = [sys.executable, llama.__file__, str(catalog.gguf("smollm2-135m")), str(template)]
    log = (template.parent / "log").open("wb")
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
    ) as server:
        address = server.stdout.readline().strip()
        assert address, Path(log.name).read_text()
        yield f"{address}/v1"
        server.stdin.close()


@pytest.fixture
def tool():
    return SearchTool(BM25Retriever.from_passages(PASSAGES, compiled=False), top_k=1)


def agent(url, **options):
    options = {
        "max_tokens": 64,
        "concurrency": 2,
        "read_timeout": 600.0,
        "top_k": 0,
        "min_p": 0.0,
    } | options
    return EndpointAgent(EndpointSettings(url=url, model="smollm2", **options))


@pytest.mark.parametrize("tools", ["text", "native"])
def test_the_policy_searches_reads_and_answers(url, tool, tools):
    player = agent(url, tools=tools)
    tasks = [SEATS[0], Task("f", "What is the capital of France?", ("Paris",))]
    episodes = play(player, tasks, tool=tool, greedy=True, max_turns=4)
    for episode in episodes:
        assert episode.answer  # a right one would be much to ask of so small a model
        assert episode.tool_calls >= 1
        for turn in episode.turns:
            assert turn.text.endswith(("</tool_call>", "</answer>"))
    usage = player.usage
    assert usage.requests == usage.replies == sum(len(episode.turns) for episode in episodes)
    assert usage.retries == usage.failures == usage.unreported == 0
    assert usage.prompt_tokens > 100 * usage.requests
    assert 0 < usage.completion_tokens <= 64 * usage.requests
    assert play(player, tasks, tool=tool, greedy=True, max_turns=4) == episodes


@pytest.mark.parametrize("tools", ["text", "native"])
@pytest.mark.parametrize("dialect", ["asl", "search-r1"])
def test_every_seat_is_played_to_its_end(url, tool, tools, dialect):
    player = EndpointAgent(agent(url, tools=tools).settings, dialect=dialect)
    for greedy in (True, False):
        episodes = play(player, SEATS, tool=tool, dialect=dialect, greedy=greedy, max_turns=3)
        assert [episode.role for episode in episodes] == [Role.POLICY, Role.GENERATOR, Role.GRM]
        for episode in episodes:
            assert episode.invalid is None
            assert 1 <= len(episode.turns) <= 3
    assert player.usage.failures == 0


def test_a_sampled_turn_depends_on_its_seed_alone(url):
    # A prompt from the server's cache differs from a computed one in the last bits.
    player = agent(url, max_tokens=24, concurrency=1, extra={"cache_prompt": False})
    said = [{"role": "user", "content": "Tell me a story about a bird."}]
    turns = player.act([Chat(Role.POLICY, said, seed) for seed in (1, 2, 1)])
    assert turns[0] == turns[2] != turns[1]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("stops", ["server", "client"])
def test_turns_end_with_their_stop_string_in_every_way_of_asking(url, stream, stops):
    player = agent(url, stream=stream, stops=stops)
    chat = Chat(Role.POLICY, [{"role": "user", "content": "What is the capital of Peru?"}])
    (turn,) = player.act([chat], greedy=True)
    assert turn.text.endswith("</tool_call>")
    assert make_dialect("asl").parse(turn.text, Role.POLICY).calls[0].error is None


def test_it_judges_in_a_reward(url, tool):
    (episode,) = play(agent(url), SEATS[:1], tool=tool, greedy=True)
    (parts,) = GRMReward(agent(url), tool, max_turns=3).score([episode])
    assert parts.invalid in (None, "verdict")  # so small a judge may not find the grammar


def test_a_chat_beyond_the_context_is_an_empty_turn(url):
    player = agent(url)
    long = Chat(Role.POLICY, [{"role": "user", "content": "hello " * 9000}])
    assert player.act([long])[0].text == ""
    assert player.usage.overflows == 1


def test_what_the_server_refuses_is_one_line(url):
    with pytest.raises(EndpointError, match="HTTP 4"):
        agent(url, extra={"temperature": "hot"}).act([Chat(Role.POLICY, SEATS_CHAT)])
    with pytest.raises(EndpointError, match="check the model's name and the address"):
        agent(f"{url}/nowhere").act([Chat(Role.POLICY, SEATS_CHAT)])


SEATS_CHAT = [{"role": "user", "content": "Hello"}]


def test_a_server_that_dies_in_the_middle_is_a_failure(url):
    """The real server's own stream, broken off by a peer that passes on half of it."""
    import requests

    body = agent(url).request(Chat(Role.POLICY, SEATS_CHAT), greedy=True)
    raw = requests.post(f"{url}/chat/completions", json=body, timeout=60).content
    with peers.Peer() as peer:
        peer.script = [peers.stream(raw[: len(raw) // 3], end=False)]
        with pytest.raises(EndpointError, match="broke"):
            agent(peer.url, retries=0).act([Chat(Role.POLICY, SEATS_CHAT)])
