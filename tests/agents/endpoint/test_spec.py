"""Specifications on the command line: every mistake is one line that names the option."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asl_env.agents.endpoint.settings import EndpointSettings
from asl_env.agents.endpoint.spec import make_settings, parse_endpoint
from asl_env.errors import AgentError

URL = "http://127.0.0.1:8080/v1"


def test_address_model_and_options():
    spec = f"endpoint:{URL}#org/model:7b?temperature=0.7&tools=native&concurrency=4&seeded=false"
    assert parse_endpoint(spec) == EndpointSettings(
        url=URL, model="org/model:7b", temperature=0.7, tools="native", concurrency=4, seeded=False
    )


def test_what_people_copy_is_understood():
    for url in (URL, f"{URL}/", f"{URL}/chat/completions"):
        found = parse_endpoint(f"endpoint:{url}#m")
        assert found.address == f"{URL}/chat/completions"
    assert parse_endpoint("endpoint:https://[::1]:9/v1#m").local


def test_values_may_be_none_quoted_or_json():
    spec = f'endpoint:{URL}#a%23b?temperature=none&extra={{"logit_bias":{{"1":"%26"}}}}'
    found = parse_endpoint(spec)
    assert found.model == "a#b"
    assert found.temperature is None
    assert found.extra == {"logit_bias": {"1": "&"}}


@pytest.mark.parametrize(
    ("tail", "says"),
    [
        ("?temprature=1", "no option 'temprature'; did you mean 'temperature'?"),
        ("?temperature=hot", "option 'temperature'"),
        ("?tools=natve", "option 'tools': Input should be 'text' or 'native'"),
        ("?concurrency=0", "option 'concurrency'"),
        ("?concurrency", "option 'concurrency' has no value"),
        ("?top_p=nan", "option 'top_p'"),
        ("?max_wait=inf", "option 'max_wait'"),
        ("?extra={", "option 'extra' is not a JSON object"),
        ("?extra=3", "option 'extra'"),
        ("?key_env=sk-123", "option 'key_env'"),
        ("?url=http://other", "no option 'url'"),
    ],
)
def test_a_bad_option_is_named(tail, says):
    with pytest.raises(AgentError) as caught:
        parse_endpoint(f"endpoint:{URL}#m{tail}")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "spec",
    ["endpoint:", "endpoint:#m", f"endpoint:{URL}", f"endpoint:{URL}#", "endpoint:#", "lexical"],
)
def test_a_specification_without_address_or_model_shows_the_form(spec):
    with pytest.raises(AgentError, match=r"write it like endpoint:http://127\.0\.0\.1:8080/v1#"):
        parse_endpoint(spec)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://host/v1",
        "host:80/v1",
        "http://",
        "http://h:99999",
        "http://h:0",
        "http://[x",
        "http://a b",
    ],
)
def test_a_bad_address_is_one_line(url):
    with pytest.raises(AgentError, match="option 'url'"):
        parse_endpoint(f"endpoint:{url}#m")


@pytest.mark.parametrize("url", ["http://me:hunter2secret@h/v1", "http://h/v1?key=hunter2secret"])
def test_a_password_in_the_address_is_refused_and_not_repeated(url):
    for make in (
        lambda: parse_endpoint(f"endpoint:{url}#m"),
        lambda: parse_endpoint(f"endpoint:{url}#m?nonsense=1"),
        lambda: make_settings({"url": url, "model": "m"}),
    ):
        with pytest.raises(AgentError) as caught:
            make()
        assert "hunter2secret" not in f"{caught.value!r} {caught.value.__context__!r}"


@given(st.text(max_size=60))
def test_no_text_gives_anything_but_settings_or_one_line(text):
    try:
        found = parse_endpoint(f"endpoint:{URL}#{text}")
    except AgentError as error:
        assert len(str(error).splitlines()) == 1
    else:
        assert found.url == URL
