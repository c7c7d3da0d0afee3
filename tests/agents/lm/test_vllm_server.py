"""vLLM by its wire form and its Python interface: both are served here with a tiny model.

The two stand-ins take only what vLLM 0.22 to 0.31 documents and answer in its form; they are not
vLLM. What they sample greedily must be what our own backend samples.
"""

import json
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import ModuleType, SimpleNamespace

import pytest
import torch

from asl_env.agents.lm.agent import LanguageModelAgent
from asl_env.agents.lm.backend import Backend, Prompt, Sampled
from asl_env.agents.lm.loading import LanguageModel
from asl_env.agents.lm.sampling import Sampling
from asl_env.agents.lm.template import ChatTemplate
from asl_env.agents.lm.transformers_backend import TransformersBackend
from asl_env.agents.lm.vllm_backend import VllmBackend, make_vllm
from asl_env.agents.lm.vllm_sampling import mode_for, seed_of
from asl_env.agents.lm.vllm_server import VllmServerBackend
from asl_env.episode import Task
from asl_env.errors import LanguageModelError
from asl_env.play import play
from asl_env.retrieval.registry import make_retriever
from asl_env.tool import SearchTool

#: Fields of SamplingParams that ``/v1/completions`` takes under the same names.
SAMPLING = {
    *("temperature", "top_p", "top_k", "min_p", "max_tokens", "seed", "stop", "stop_token_ids"),
    *("include_stop_str_in_output", "skip_special_tokens", "spaces_between_special_tokens"),
    *("logprobs", "repetition_penalty", "presence_penalty", "frequency_penalty"),
}
REQUEST = {"model", "prompt", "return_token_ids", *SAMPLING}
STOP = ("</tool_call>", "</answer>")


class Engine:
    """Decodes like vLLM: stops after a stop string or token, which the output holds."""

    def __init__(self, loaded):
        self.loaded = loaded
        self.asked = []

    def complete(self, prompt, options):
        assert set(options) <= SAMPLING
        self.asked.append((prompt, options))
        ids, logprobs = [], []
        generator = torch.Generator().manual_seed(options["seed"])
        while len(ids) < options["max_tokens"]:
            with torch.inference_mode():
                sequence = torch.tensor([[*prompt, *ids]])
                scores = self.loaded.model(sequence).logits[0, -1].log_softmax(-1)
            if options["temperature"] == 0:
                ids.append(int(scores.argmax()))
            else:
                ids.append(int(torch.multinomial(scores.exp(), 1, generator=generator)))
            logprobs.append(float(scores[ids[-1]]))
            if ids[-1] in options["stop_token_ids"]:
                return ids, logprobs, "stop", ids[-1]
            text = self.loaded.tokenizer.decode(ids, skip_special_tokens=False)
            hit = next((one for one in options["stop"] if one in text), None)
            if hit is not None:
                return ids, logprobs, "stop", hit
        return ids, logprobs, "length", None


@contextmanager
def serving(answer):
    """A real HTTP server whose answer to every request is a status and a JSON value."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self._answer(None)

        def do_POST(self):
            size = int(self.headers.get("Content-Length") or 0)
            self._answer(json.loads(self.rfile.read(size)) if size else None)

        def _answer(self, body):
            status, value = answer(self.path, body, self.headers)
            data = value if isinstance(value, bytes) else json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def vllm_answer(engine):
    """Answers as vLLM's OpenAI server does."""

    def answer(path, body, headers):
        if path == "/v1/models":
            return 200, {"object": "list", "data": [{"id": "tiny", "object": "model"}]}
        if path == "/reset_prefix_cache":
            return 200, {"success": True}
        assert path == "/v1/completions" and set(body) <= REQUEST
        if body["model"] != "tiny":
            return 404, {"error": {"message": f"The model `{body['model']}` does not exist."}}
        options = {name: value for name, value in body.items() if name in SAMPLING}
        ids, logprobs, finish, stopped = engine.complete(body["prompt"], options)
        tokens = [engine.loaded.tokenizer.decode(one) for one in ids]
        choice = {
            "index": 0,
            "text": "".join(tokens),
            "logprobs": {
                "text_offset": [0] * len(ids),
                "token_logprobs": logprobs,
                "tokens": tokens,
                "top_logprobs": [{} for _ in ids],
            },
            "finish_reason": finish,
            "stop_reason": stopped,
            "token_ids": ids if body.get("return_token_ids") else None,
            "prompt_token_ids": body["prompt"],
        }
        usage = {"prompt_tokens": len(body["prompt"]), "completion_tokens": len(ids)}
        return 200, {"object": "text_completion", "choices": [choice], "usage": usage}

    return answer


@pytest.fixture
def engine(tiny):
    return Engine(tiny)


@pytest.fixture
def vllm(engine, monkeypatch):
    """A module named vllm with the two classes that are used, backed by the tiny model."""

    class SamplingParams:
        def __init__(self, **options):
            assert set(options) <= SAMPLING
            self.options = options

    class LLM:
        made = []  # noqa: RUF012

        def __init__(self, *, model, max_model_len, logprobs_mode, enable_prefix_caching, **more):
            self.settings = {"model": model, "context": max_model_len, "mode": logprobs_mode}
            self.settings |= more
            self.resets = 0
            LLM.made.append(self)

        def generate(self, prompts, sampling_params, use_tqdm):
            return [
                SimpleNamespace(outputs=[self._one(prompt["prompt_token_ids"], asked.options)])
                for prompt, asked in zip(prompts, sampling_params, strict=True)
            ]

        def _one(self, prompt, options):
            ids, numbers, finish, stopped = engine.complete(prompt, options)
            steps = [
                {one: SimpleNamespace(logprob=number, rank=1)}
                for one, number in zip(ids, numbers, strict=True)
            ]
            return SimpleNamespace(
                token_ids=ids, logprobs=steps, finish_reason=finish, stop_reason=stopped
            )

        def reset_prefix_cache(self):
            self.resets += 1

    module = ModuleType("vllm")
    module.LLM, module.SamplingParams = LLM, SamplingParams
    monkeypatch.setitem(sys.modules, "vllm", module)
    return LLM


@pytest.fixture
def url(engine):
    with serving(vllm_answer(engine)) as where:
        yield where


def ends_of(tiny):
    return ChatTemplate(tiny.tokenizer).end_ids


def prompts(tiny, count=3, **options):
    texts = ["<|im_start|>user\nWhat?<|im_end|>\n", "Lima is", "the capital of Peru. <answer>"]
    encoded = [tiny.tokenizer.encode(text, add_special_tokens=False) for text in texts[:count]]
    options = {"greedy": True, "limit": 24} | options
    return [Prompt(tuple(ids), (at, 0), **options) for at, ids in enumerate(encoded)]


def ours(tiny):
    ends = ends_of(tiny)
    return TransformersBackend(tiny.model, tiny.tokenizer, end_ids=ends, context=4096)


def test_both_ways_sample_what_our_own_backend_samples(tiny, url, vllm):
    expected = ours(tiny).generate(prompts(tiny), Sampling(), STOP)
    assert len({one.ids for one in expected}) == 3
    ends = ends_of(tiny)
    for backend in (
        VllmServerBackend(url, end_ids=ends, context=4096),
        VllmServerBackend(f"{url}/v1/", end_ids=ends, context=4096, model="tiny", concurrency=1),
        VllmBackend("tiny", end_ids=ends, context=4096),
    ):
        assert isinstance(backend, Backend)
        found = backend.generate(prompts(tiny), Sampling(), STOP)
        assert [one.ids for one in found] == [one.ids for one in expected]
        assert [one.reason for one in found] == [one.reason for one in expected]
        for one, other in zip(found, expected, strict=True):
            assert one.logprobs == pytest.approx(other.logprobs, abs=1e-4)


def test_stop_strings_and_end_tokens_are_kept_and_told_apart(tiny, url, vllm):
    (first,) = prompts(tiny, 1, limit=8)
    (plain,) = ours(tiny).generate([first], Sampling(), ())
    stop = tiny.tokenizer.decode(plain.ids[3:5])
    for make in (
        lambda ends: VllmServerBackend(url, end_ids=ends, context=4096),
        lambda ends: VllmBackend("tiny", end_ids=ends, context=4096),
    ):
        (cut,) = make(()).generate([first], Sampling(), (stop,))
        assert (cut.reason, cut.ids) == ("stop", plain.ids[: len(cut.ids)])
        assert stop in tiny.tokenizer.decode(cut.ids)
        (ended,) = make([plain.ids[2]]).generate([first], Sampling(), ())
        assert ended.reason == "end" and ended.ids[-1] == plain.ids[2]
        (long,) = make(()).generate([first], Sampling(), ())
        assert (long.reason, len(long.ids)) == ("length", 8)


def test_sampling_is_seeded_per_chat_and_turn(tiny, url, engine):
    backend = VllmServerBackend(url, end_ids=(), context=4096)
    (one,) = prompts(tiny, 1, greedy=False)
    same, again, other, later = backend.generate(
        [one, one, one._replace(seed=(1, 0)), one._replace(seed=(0, 1))], Sampling(), ()
    )
    assert same == again
    assert len({same.ids, other.ids, later.ids}) == 3
    assert all(0 <= options["seed"] < 2**63 for _, options in engine.asked)
    assert seed_of(one) != seed_of(one._replace(seed=(0, 1)))


def test_a_prompt_that_fills_the_context_gives_no_tokens(tiny, url, vllm):
    (one,) = prompts(tiny, 1)
    full = Sampled((), (), "length")
    for backend in (
        VllmServerBackend(url, end_ids=(), context=len(one.ids)),
        VllmBackend("tiny", end_ids=(), context=len(one.ids)),
    ):
        assert backend.generate([one], Sampling(), ()) == [full]
    nearly = VllmServerBackend(url, end_ids=(), context=len(one.ids) + 2)
    (short,) = nearly.generate([one], Sampling(), ())
    assert (len(short.ids), short.reason) == (2, "length")


def test_an_agent_plays_through_a_server(tiny, url):
    agent = LanguageModelAgent(
        tiny,
        sampling=Sampling(max_new_tokens=12),
        backend=lambda loaded, template: VllmServerBackend(
            url, end_ids=template.end_ids, context=loaded.context
        ),
    )
    local = LanguageModelAgent(tiny, sampling=Sampling(max_new_tokens=12))
    tool = SearchTool(make_retriever("miniwiki"))
    task = Task("t", "What is the capital of Peru?", ("Lima",))
    (one,) = play(agent, [task], tool=tool, greedy=True)
    (other,) = play(local, [task], tool=tool, greedy=True)
    assert one.messages == other.messages
    assert one.turns[0].token_ids == other.turns[0].token_ids
    agent.forget()


def test_log_probs_that_would_be_wrong_are_refused(tiny, url, vllm):
    assert mode_for(Sampling(temperature=1.0, top_p=0.9)) == "raw_logprobs"
    assert mode_for(Sampling(temperature=0.7)) == "processed_logprobs"
    with pytest.raises(LanguageModelError, match="before the cut at a temperature other than 1"):
        mode_for(Sampling(temperature=0.7, top_k=5))
    server = VllmServerBackend(url, end_ids=(), context=4096)
    with pytest.raises(LanguageModelError, match="start it with --logprobs-mode processed"):
        server.generate(prompts(tiny), Sampling(temperature=0.7), ())
    told = VllmServerBackend(url, end_ids=(), context=4096, logprobs_mode="processed_logprobs")
    assert len(told.generate(prompts(tiny), Sampling(temperature=0.7), ())) == 3
    assert len(told.generate(prompts(tiny), Sampling(), ())) == 3, "the same at temperature 1"
    backend = VllmBackend("tiny", end_ids=(), context=4096)
    backend.generate(prompts(tiny), Sampling(temperature=0.7), ())
    assert vllm.made[-1].settings["mode"] == "processed_logprobs"
    with pytest.raises(LanguageModelError, match="needs raw_logprobs"):
        backend.generate(prompts(tiny), Sampling(top_p=0.5), ())


def test_the_engine_starts_once_from_the_models_own_files(tiny, vllm, tmp_path):
    loaded = LanguageModel(tiny.model, tiny.tokenizer, "tiny", 4096, "full", tmp_path)
    backend = make_vllm(loaded, ChatTemplate(tiny.tokenizer), tensor_parallel_size=2)
    count = len(vllm.made)
    backend.forget()
    assert len(vllm.made) == count, "not before the first turn"
    for _ in range(2):
        backend.generate(prompts(tiny), Sampling(), STOP)
    (made,) = vllm.made[count:]
    assert made.settings["model"] == str(tmp_path) and made.settings["context"] == 4096
    assert made.settings["tensor_parallel_size"] == 2
    backend.forget()
    assert made.resets == 1
    adapter = LanguageModel(tiny.model, tiny.tokenizer, "mine", 4096, "adapter", tmp_path, tmp_path)
    with pytest.raises(LanguageModelError, match="mine: vLLM wants whole models; merge"):
        make_vllm(adapter, ChatTemplate(tiny.tokenizer))


def test_no_vllm_is_one_line(tiny, monkeypatch):
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(LanguageModelError, match=r"vLLM is not installed .*: pip install vllm"):
        VllmBackend("tiny", end_ids=(), context=99).generate(prompts(tiny), Sampling(), ())


@pytest.mark.parametrize(
    ("status", "value", "said"),
    [
        (200, {"choices": [{"text": "x", "finish_reason": "stop"}]}, "has no token ids"),
        (200, b"<html>", "is no JSON"),
        (400, {"error": {"message": "context too long"}}, "answered 400 .*context too long"),
        (401, {"error": "Unauthorized"}, "answered 401"),
        (503, {"error": "loading"}, "answered 503"),
    ],
)
def test_what_a_server_gets_wrong_is_one_line(status, value, said, tiny):
    asked = []

    def answer(path, body, headers):
        asked.append(path)
        return status, value

    with serving(answer) as url:
        backend = VllmServerBackend(url, end_ids=(), context=99, model="tiny", retries=1)
        with pytest.raises(LanguageModelError, match=said) as error:
            backend.generate(prompts(tiny, 1), Sampling(), ())
    assert "\n" not in str(error.value)
    assert len(asked) == (2 if status == 503 else 1), "only what may pass is asked again"


def test_missing_or_nan_log_probs_are_an_error(tiny, engine):
    real = vllm_answer(engine)

    def answer(path, body, headers):
        status, value = real(path, body, headers)
        if "choices" in value:
            value["choices"][0]["logprobs"]["token_logprobs"][0] = None
        return status, value

    with serving(answer) as url, pytest.raises(LanguageModelError, match="or NaN among them"):
        backend = VllmServerBackend(url, end_ids=(), context=999)
        backend.generate(prompts(tiny), Sampling(), ())


def test_a_busy_server_is_asked_again(tiny, engine):
    real, busy = vllm_answer(engine), [1, 1]

    def answer(path, body, headers):
        if busy and path == "/v1/completions":
            busy.pop()
            return 429, {"error": "too many requests"}
        return real(path, body, headers)

    with serving(answer) as url:
        backend = VllmServerBackend(url, end_ids=(), context=999, concurrency=1)
        assert len(backend.generate(prompts(tiny, 1), Sampling(), ())) == 1
    assert busy == []


def test_no_server_and_several_models_are_one_line(tiny):
    backend = VllmServerBackend("http://127.0.0.1:9", end_ids=(), context=99, retries=0)
    with pytest.raises(LanguageModelError, match="cannot be reached"):
        backend.generate(prompts(tiny), Sampling(), ())
    listed = {"data": [{"id": "a"}, {"id": "b"}]}
    with serving(lambda *_: (200, listed)) as url:
        backend = VllmServerBackend(url, end_ids=(), context=99)
        with pytest.raises(LanguageModelError, match=r"serves 2 models \(a, b\); name one"):
            backend.generate(prompts(tiny), Sampling(), ())
    with pytest.raises(LanguageModelError, match="concurrency=0"):
        VllmServerBackend("http://x", end_ids=(), context=99, concurrency=0)


def test_the_key_comes_from_the_environment_and_stays_out_of_errors(tiny, monkeypatch):
    monkeypatch.setenv("VLLM_API_KEY", "very-secret")
    seen = []

    def answer(path, body, headers):
        seen.append(headers.get("Authorization"))
        return 401, {"error": "Unauthorized"}

    with serving(answer) as url, pytest.raises(LanguageModelError) as error:
        VllmServerBackend(url, end_ids=(), context=99).generate(prompts(tiny), Sampling(), ())
    assert seen == ["Bearer very-secret"]
    assert "very-secret" not in str(error.value)
