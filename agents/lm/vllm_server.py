"""A vLLM server: token ids over HTTP behind our ``Backend``.

Written against ``/v1/completions`` of vLLM 0.22 to 0.31 (see ``vllm_sampling``): a prompt of token
ids, ``return_token_ids``, and ``token_ids`` in the choices of its reply. Tested against a server of
ours that answers in this form, not against vLLM itself.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import Any

from asl_env.agents.lm.backend import Prompt, Sampled
from asl_env.agents.lm.sampling import Sampling
from asl_env.agents.lm.vllm_sampling import LogprobsMode, check_mode, parameters, room, sampled
from asl_env.errors import LanguageModelError

#: Environment variable with the server's key, if it asks for one.
KEY_VARIABLE = "VLLM_API_KEY"

_CONNECT_SECONDS = 10.0
_BUSY = (408, 409, 425, 429, 500, 502, 503, 504)


class VllmServerBackend:
    """Samples turns on a vLLM server that serves the model whose tokenizer is used here.

    One request per turn, since a request has one seed for all its prompts; the server batches the
    requests that run at the same time and finds earlier turns in its prefix cache.

    Args:
        url: Where it listens, as ``http://host:8000``.
        end_ids: Tokens that end a turn.
        context: Tokens that a sequence may have.
        model: Name under which the model is served; by default the only one.
        logprobs_mode: What the server was started with (``--logprobs-mode``).
        concurrency: Requests at the same time.
        timeout: Seconds until a turn is given up.
        retries: Further tries when the server is busy or cannot be reached.

    Raises:
        LanguageModelError: If a number is out of range.
    """

    def __init__(
        self,
        url: str,
        *,
        end_ids: Collection[int],
        context: int,
        model: str | None = None,
        logprobs_mode: LogprobsMode = "raw_logprobs",
        concurrency: int = 64,
        timeout: float = 600.0,
        retries: int = 3,
    ) -> None:
        if concurrency < 1 or retries < 0 or timeout <= 0:
            raise LanguageModelError(
                f"concurrency={concurrency}, timeout={timeout} and retries={retries} must be at "
                "least 1, above 0 and at least 0"
            )
        self._url = url.rstrip("/").removesuffix("/v1")
        self._ends = frozenset(end_ids)
        self._context = context
        self._model = model
        self._mode: LogprobsMode = logprobs_mode
        self._concurrency = concurrency
        self._timeout = timeout
        self._retries = retries
        self._http: Any = None

    def generate(
        self, prompts: Sequence[Prompt], sampling: Sampling, stop: tuple[str, ...]
    ) -> list[Sampled]:
        """Samples one turn per prompt; see ``Backend``.

        Raises:
            LanguageModelError: If the server cannot be reached, refuses, or answers in another
                form.
        """
        check_mode(self._mode, sampling)
        name = self._served()

        def one(prompt: Prompt) -> Sampled:
            limit = room(prompt, self._context)
            if limit <= 0:
                return Sampled((), (), "length")
            asked = parameters(prompt, sampling, stop, self._ends, limit)
            body = {"model": name, "prompt": list(prompt.ids), "return_token_ids": True, **asked}
            return _read(self._call("POST", "/v1/completions", body), self._url)

        with ThreadPoolExecutor(self._concurrency, "asl-vllm") as pool:
            return list(pool.map(one, prompts))

    def forget(self) -> None:
        """Asks the server to drop its prefix cache, because the weights have changed.

        Raises:
            LanguageModelError: If the server has no such call (it is there in development mode,
                ``VLLM_SERVER_DEV_MODE=1``) or cannot be reached.
        """
        self._call("POST", "/reset_prefix_cache", None)

    def _served(self) -> str:
        """Returns the name of the model, which is asked for once."""
        if self._model is None:
            told = self._call("GET", "/v1/models", None)
            try:
                names = [str(one["id"]) for one in told["data"]]
            except (KeyError, TypeError) as error:
                raise LanguageModelError(f"{self._url}: /v1/models lists no models") from error
            if len(names) != 1:
                raise LanguageModelError(
                    f"{self._url}: serves {len(names)} models ({', '.join(names[:5])}); name one"
                )
            self._model = names[0]
        return self._model

    def _call(self, method: str, path: str, body: Any) -> Any:
        """Sends a request, and sends it again while the server is busy or out of reach."""
        session = self._session()
        for attempt in range(self._retries + 1):
            if attempt:
                time.sleep(random.Random().uniform(0.5, 1.0) * min(2.0 ** (attempt - 1), 30.0))
            try:
                reply = session.request(
                    method,
                    f"{self._url}{path}",
                    json=body,
                    timeout=(_CONNECT_SECONDS, self._timeout),
                )
            except OSError as error:  # every error of requests is one
                failure = f"cannot be reached ({_short(error)})"
                continue
            if reply.ok:
                return _json(reply, f"{self._url}{path}")
            failure = f"{path} answered {reply.status_code} ({_short(reply.text)})"
            if reply.status_code not in _BUSY:
                break
        raise LanguageModelError(f"vLLM server {self._url}: {failure}; is it vLLM, and running?")

    def _session(self) -> Any:
        if self._http is None:
            requests = import_module("requests")
            self._http = requests.Session()
            size = self._concurrency
            adapter = requests.adapters.HTTPAdapter(pool_connections=1, pool_maxsize=size)
            self._http.mount("http://", adapter)
            self._http.mount("https://", adapter)
            if key := os.environ.get(KEY_VARIABLE):
                self._http.headers["Authorization"] = f"Bearer {key}"
        return self._http


def _json(reply: Any, where: str) -> Any:
    if not reply.content:
        return None
    try:
        return reply.json()
    except ValueError as error:
        raise LanguageModelError(f"{where}: answered something that is no JSON") from error


def _read(told: Any, url: str) -> Sampled:
    try:
        (choice,) = told["choices"]
        ids, numbers = choice["token_ids"], choice["logprobs"]["token_logprobs"]
        finish, stopped_by = choice["finish_reason"], choice.get("stop_reason")
        if ids is None:
            raise KeyError("token_ids")
    except (KeyError, TypeError, ValueError) as error:
        raise LanguageModelError(
            f"vLLM server {url}: a reply has no token ids or log-probs ({error}); it must be vLLM "
            "0.22 or newer"
        ) from error
    return sampled([int(one) for one in ids], numbers, finish, stopped_by)


def _short(what: object) -> str:
    return " ".join(str(what).split())[:200]
