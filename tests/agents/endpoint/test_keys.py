"""The key goes to the server and nowhere else."""

import copy
import logging
import pickle
import traceback

import peer as peers
import pytest

from asl_env.agents.endpoint.agent import EndpointAgent
from asl_env.agents.endpoint.errors import EndpointError
from asl_env.agents.endpoint.keys import read_key
from asl_env.agents.endpoint.settings import EndpointSettings
from asl_env.dialects import make_dialect
from asl_env.episode import Chat, Role, Task
from asl_env.evaluation.runner import evaluate
from asl_env.prompts import opening

KEY = "sk-secret-0123456789abcdef"
DIALECT = make_dialect("asl")
ANSWER = DIALECT.write_final("Lima")
TASKS = [Task("t", "Capital of Peru?", ("Lima",))]


class NoTool:
    def run(self, calls):
        raise AssertionError("nothing is searched here")


@pytest.fixture
def key(monkeypatch):
    monkeypatch.setenv("ASL_API_KEY", KEY)


def agent(peer, **options):
    options = {"retries": 1, "max_wait": 0.01, "read_timeout": 30.0} | options
    return EndpointAgent(EndpointSettings(url=peer.url, model="m", **options))


def chat():
    return Chat(Role.POLICY, opening(TASKS[0], DIALECT), 0)


def everything(error):
    """All that a log could hold of an error, its causes and their local variables included."""
    return "".join(
        traceback.TracebackException.from_exception(error, capture_locals=False).format()
    ) + repr(vars(error))


def echo(kind):
    """Servers that send the key back in every way one can think of."""

    def answer(got):
        said = got.headers["authorization"]
        long = "x" * 190 + " " + said  # cut in the middle of the key
        return {
            "refusal": peers.http({"error": {"message": f"Incorrect API key: {said}"}}, 401),
            "cut": peers.http({"error": {"message": long}}, 400),
            "text": peers.http(long, 400),
            "busy": peers.http({"error": {"message": said}}, 503),
            "event": peers.stream(peers.event({"error": {"message": said}})),
            "turn": peers.said(f"<answer>{said}</answer>"),
            "thought": peers.stream(peers.delta(ANSWER, "stop", reasoning_content=said)),
            "call": peers.completion(
                None,
                tool_calls=[{"function": {"name": "retrieve", "arguments": {"query": said}}}],
            ),
            "escaped": peers.completion(
                None,
                tool_calls=[
                    {
                        "function": {
                            "name": "retrieve",
                            "arguments": '{"query": "' + said.replace("s", "\\u0073") + '"}',
                        }
                    }
                ],
            ),
            "name": peers.completion(
                None, tool_calls=[{"function": {"name": said, "arguments": "{}"}}]
            ),
            "header": [f"{said} {said}\r\n\r\n".encode()],
            "redirect": peers.http(status=302, Location=f"http://localhost/{said}"),
            "junk": peers.http(said),
        }[kind]

    return answer


@pytest.mark.parametrize(
    "kind",
    "refusal cut text busy event turn thought call escaped name header redirect junk".split(),
)
def test_a_server_that_sends_the_key_back_cannot_make_us_show_it(peer, key, caplog, kind):
    caplog.set_level(logging.DEBUG)
    peer.script = [echo(kind)]
    with pytest.raises(EndpointError) as caught:
        agent(peer).act([chat()])
    assert peer.got[0].headers["authorization"] == f"Bearer {KEY}"
    shown = everything(caught.value) + caplog.text
    assert KEY not in shown
    assert KEY[:12] not in shown  # nor half of it


def test_nothing_that_is_kept_holds_the_key(peer, key, caplog, tmp_path, capfd):
    caplog.set_level(logging.DEBUG)
    peer.script = [peers.http(status=503), peers.said(ANSWER)]
    player = agent(peer)
    result = evaluate(player, TASKS, tool=NoTool(), folder=tmp_path / "out")
    assert result.metrics["em"].mean == 1.0
    kept = [path.read_bytes().decode() for path in (tmp_path / "out").rglob("*") if path.is_file()]
    kept += [repr(player), repr(vars(player)), repr(player.settings), caplog.text]
    kept += [player.settings.model_dump_json(), repr(player.usage), *capfd.readouterr()]
    kept += [repr(vars(player._client)), repr(pickle.dumps(player.settings))]
    kept += [repr(player._client._session.headers), repr(copy.copy(player).__dict__)]
    assert len(kept) > 8
    assert all(KEY not in text for text in kept)


def test_redirects_are_not_followed_and_carry_nothing_anywhere(peer, key):
    with peers.Peer() as other:
        other.script = [peers.said(ANSWER)]
        for status in (301, 302, 303, 307, 308):
            peer.script = [peers.http(status=status, Location=f"{other.url}/chat/completions")]
            with pytest.raises(EndpointError, match="redirects are not followed"):
                agent(peer).act([chat()])
        assert other.got == []


def test_a_netrc_file_does_not_take_the_place_of_the_key(peer, key, tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password another\n")
    monkeypatch.setenv("NETRC", str(netrc))
    peer.script = [peers.said(ANSWER)]
    agent(peer).act([chat()])
    assert peer.got[0].headers["authorization"] == f"Bearer {KEY}"
    monkeypatch.delenv("ASL_API_KEY")
    agent(peer).act([chat()])
    assert "authorization" not in peer.got[1].headers


def test_cookies_are_not_kept(peer):
    peer.script = [peers.http(status=503, Set_Cookie="a=b"), peers.said(ANSWER)]
    agent(peer).act([chat()])
    assert "cookie" not in peer.got[1].headers


def test_keys_are_looked_up_in_order():
    both = {"ASL_API_KEY": "one", "OPENAI_API_KEY": " two\n"}
    assert read_key(None, private=True, environ=both) == "one"
    assert read_key(None, private=True, environ={"OPENAI_API_KEY": " two\n"}) == "two"
    assert read_key("MINE", private=True, environ=both | {"MINE": "three"}) == "three"
    assert read_key(None, private=True, environ={}) is None


def test_the_cloud_key_does_not_travel_in_the_clear_to_other_machines():
    environ = {"OPENAI_API_KEY": "two"}
    assert read_key(None, private=False, environ=environ) is None
    assert read_key("OPENAI_API_KEY", private=False, environ=environ) == "two"
    assert not EndpointSettings(url="http://10.0.0.1/v1", model="m").private
    assert EndpointSettings(url="https://10.0.0.1/v1", model="m").private
    assert EndpointSettings(url="http://localhost:1/v1", model="m").private


@pytest.mark.parametrize("bad", ["sk-secret\nX-Evil: 1", "sk-secret two", "sk-sęcret", "sk\x00x"])
def test_a_key_that_cannot_stand_in_a_header_is_not_shown(bad):
    with pytest.raises(EndpointError) as caught:
        read_key(None, private=True, environ={"ASL_API_KEY": bad})
    assert "sk" not in str(caught.value)
    assert "ASL_API_KEY" in str(caught.value)


def test_a_named_variable_must_be_set(peer):
    with pytest.raises(EndpointError, match="the variable MY_KEY with the API key is not set"):
        agent(peer, key_env="MY_KEY").act([chat()])
    assert peer.got == []


def test_a_placeholder_is_no_secret(peer, monkeypatch):
    monkeypatch.setenv("ASL_API_KEY", "EMPTY")
    peer.script = [peers.said("<answer>EMPTY</answer>")]
    assert agent(peer).act([chat()])[0].text == "<answer>EMPTY</answer>"
