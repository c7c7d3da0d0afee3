"""Loading: what is found where, and what is refused in one line."""

import json
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file

from asl_env.agents.lm import sources
from asl_env.agents.lm.checks import check_context, check_dialect
from asl_env.agents.lm.loading import LanguageModel, load_language_model
from asl_env.dialects import make_dialect
from asl_env.errors import LanguageModelError

NARROW = LoraConfig(r=4, target_modules=["q_proj", "v_proj"], init_lora_weights=False)


@pytest.fixture(scope="module")
def kept(tiny, tmp_path_factory):
    """A folder with a whole model, as ``save_pretrained`` writes it."""
    folder = tmp_path_factory.mktemp("models") / "kept"
    tiny.model.save_pretrained(folder)
    tiny.tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def folder(kept, tmp_path):
    """A copy that a test may damage."""
    copy = tmp_path / "base"
    copy.mkdir()
    for file in kept.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    return copy


def edit(file, **changes):
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def edit_weights(folder, change):
    file = folder / "model.safetensors"
    weights = load_file(file)
    change(weights)
    save_file(weights, file, metadata={"format": "pt"})


def make_adapter(base, to, config=NARROW):
    """Writes a PEFT adapter as training would."""
    loaded = load_language_model(base)
    get_peft_model(loaded.model, replace(config)).save_pretrained(to)
    return to


def refusal(*arguments, **options):
    with pytest.raises(LanguageModelError) as error:
        load_language_model(*arguments, **options)
    said = str(error.value)
    assert "\n" not in said
    return said


def logits(model):
    with torch.no_grad():
        return model(input_ids=torch.arange(9)[None]).logits


def test_a_folder_gives_the_same_model(kept, tiny):
    loaded = load_language_model(kept)
    assert (loaded.name, loaded.kind, loaded.path) == (str(kept), "full", kept)
    assert loaded.context == 4096
    assert loaded.model.dtype is torch.float32 and not loaded.model.training
    assert torch.equal(logits(loaded.model), logits(tiny.model))
    assert loaded.tokenizer.chat_template == tiny.tokenizer.chat_template
    assert load_language_model(kept, dtype="bfloat16").model.dtype is torch.bfloat16


def test_an_adapter_folder_finds_its_base(folder, tmp_path):
    adapter = make_adapter(folder, tmp_path / "adapter")
    base = logits(load_language_model(folder).model)
    loaded = load_language_model(adapter)
    assert (loaded.kind, loaded.path, loaded.adapter) == ("adapter", folder, adapter)
    assert not torch.allclose(logits(loaded.model), base)
    given = load_language_model(folder, adapter=adapter)
    assert torch.equal(logits(given.model), logits(loaded.model))
    learns = [name for name, one in given.model.named_parameters() if one.requires_grad]
    assert learns and all("lora" in name for name in learns)


def test_a_base_is_found_beside_its_adapter_and_by_a_known_name(folder, tmp_path, monkeypatch):
    adapter = make_adapter(folder, folder / "adapter")
    edit(adapter / sources.ADAPTER_CONFIG, base_model_name_or_path="..")
    assert sources.base_of(sources.find(adapter)).path.resolve() == folder
    monkeypatch.setattr(sources.catalog, "folder_of", lambda name: folder)
    elsewhere = "/of/another/machine/models/smollm2-135m"
    edit(adapter / sources.ADAPTER_CONFIG, base_model_name_or_path=elsewhere)
    assert sources.base_of(sources.find(adapter)).name == "smollm2-135m"


def test_an_adapter_is_saved_with_the_whole_path_of_its_base(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    relative = make_adapter(Path("base"), tmp_path / "relative")
    assert sources.base_name(sources.find(relative)) == str(folder)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/elsewhere/hub/models--owner--some-model/snapshots/0a1b2c", "owner/some-model"),
        ("/elsewhere/asl-env/models/smollm2-135m", "smollm2-135m"),
        ("/elsewhere/agents/lm/nano", "nano"),
        ("/elsewhere/agents/lm/nano/data", "nano"),
        ("/elsewhere/runs/mine", "/elsewhere/runs/mine"),
        ("owner/name", "owner/name"),
    ],
)
def test_paths_of_other_machines_stand_for_names(path, name):
    assert sources.portable(path) == name


def test_an_adapter_for_another_base_is_refused(folder, tmp_path):
    adapter = make_adapter(folder, tmp_path / "adapter")
    other = folder.rename(tmp_path / "other")
    assert f"made for base '{folder}', not for" in refusal(other, adapter=adapter)
    assert "its base model cannot be loaded" in refusal(adapter)
    edit(adapter / sources.ADAPTER_CONFIG, base_model_name_or_path=str(other))
    weights = load_file(adapter / sources.ADAPTER_WEIGHTS)
    for change, said in (
        (lambda key, one: (key, one[:, :-1]), "has width 32, the adapter 31"),
        (lambda key, one: (key.replace("layers.1", "layers.7"), one), "the base has no layer"),
        (lambda key, one: (key, one.repeat(2, 1)), "does not fit the base"),
    ):
        changed = {}
        for key, one in weights.items():
            name, value = change(key, one) if "lora_A" in key else (key, one)
            changed[name] = value.contiguous()
        save_file(changed, adapter / sources.ADAPTER_WEIGHTS)
        assert said in refusal(other, adapter=adapter)


def test_adapters_and_models_are_not_mixed_up(folder, tmp_path):
    adapter = make_adapter(folder, tmp_path / "adapter")
    assert "is a whole model, not an adapter" in refusal(folder, adapter=folder)
    assert "is an adapter itself" in refusal(adapter, adapter=adapter)
    edit(adapter / sources.ADAPTER_CONFIG, base_model_name_or_path=None)
    assert "names no base; set it" in refusal(adapter)
    (adapter / sources.ADAPTER_WEIGHTS).rename(adapter / "adapter_model.bin")
    assert "pickled weights can run code" in refusal(adapter)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("./nowhere", "no such model folder or file"),
        ("nowhere.gguf", "no such model folder or file"),
        ("smollm2-135", "did you mean 'smollm2-135m'?"),
        ("nobody/nothing", "known: nano, smollm2-135m"),
    ],
)
def test_what_is_not_there_is_named_quickly(name, said, monkeypatch, tmp_path):
    import huggingface_hub

    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    # A port that nothing listens on.
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "http://127.0.0.1:9")
    started = time.perf_counter()
    assert said in refusal(name)
    assert time.perf_counter() - started < 10


def test_a_model_of_the_catalogue_that_was_not_fetched_says_how(monkeypatch, tmp_path):
    monkeypatch.setenv("ASL_ENV_HOME", str(tmp_path))
    assert refusal("smollm2-135m").endswith("run `asl model get smollm2-135m`")


def test_pickles_are_never_loaded(folder):
    for name in ("pytorch_model.bin", "model.safetensors"):
        assert (folder / "model.safetensors").exists()
        if name == "pytorch_model.bin":
            (folder / name).write_bytes(b"pickle")
            load_language_model(folder)  # the safetensors beside it are taken
    (folder / "model.safetensors").unlink()
    assert "pickled weights can run code" in refusal(folder)
    assert "save_pretrained" in refusal(folder / "pytorch_model.bin")
    (folder / "pytorch_model.bin").unlink()
    assert "has no weights" in refusal(folder)
    (folder / "config.json").unlink()
    assert "is no model" in refusal(folder)


def test_a_model_without_chat_template_says_how_to_give_one(folder, tmp_path):
    (folder / "chat_template.jinja").unlink()
    assert "pass --chat-template FILE" in refusal(folder)
    text = "{% for m in messages %}[{{ m['content'] }}]{% endfor %}"
    (tmp_path / "mine.jinja").write_text(text)
    for template in (text, tmp_path / "mine.jinja", str(tmp_path / "mine.jinja")):
        assert load_language_model(folder, template=template).tokenizer.chat_template == text
    assert "im_start" in load_language_model(folder, template="chatml").tokenizer.chat_template
    assert "cannot be read" in refusal(folder, template="missing.jinja")


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_named(bad, folder):
    def change(weights):
        weights["model.layers.1.mlp.up_proj.weight"][3, 5] = bad

    edit_weights(folder, change)
    said = refusal(folder)
    assert "model.layers.1.mlp.up_proj.weight holds NaN or infinite numbers" in said


def test_missing_and_damaged_weights_are_named(folder):
    edit_weights(folder, lambda weights: weights.pop("model.layers.0.mlp.up_proj.weight"))
    assert "1 weights are missing, the first is model.layers.0.mlp" in refusal(folder)
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[:-100])
    assert "cannot be loaded" in refusal(folder)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model_type": "t5", "architectures": ["T5ForConditionalGeneration"]}, "T5For"),
        ({"model_type": "bert", "architectures": ["BertForMaskedLM"]}, "BertForMaskedLM"),
        ({"model_type": "vit", "architectures": None}, "vit"),
    ],
)
def test_what_is_no_causal_language_model_is_refused(changes, said, folder):
    edit(folder / "config.json", **changes)
    answer = refusal(folder)
    assert said in answer and "no causal language model" in answer


def test_a_tokenizer_of_another_model_is_refused(folder):
    def change(weights):
        for key in ("model.embed_tokens.weight", "lm_head.weight"):
            weights[key] = weights[key][:100].contiguous()

    edit_weights(folder, change)
    edit(folder / "config.json", vocab_size=100)
    assert "do not belong together" in refusal(folder)
    (folder / "tokenizer.json").write_text("{")
    assert "has no usable tokenizer" in refusal(folder)


def test_too_little_memory_is_said_before_loading(folder, monkeypatch):
    from asl_env.agents.lm import memory

    monkeypatch.setattr(memory, "available", lambda device: 1000)
    assert "its weights need" in refusal(folder)


def test_memory_that_runs_out_while_loading_is_one_line(folder, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9")

    monkeypatch.setattr("transformers.AutoModelForCausalLM.from_pretrained", fail)
    assert "out of memory while loading; take a smaller model" in refusal(folder)


def test_dtypes_and_devices_are_checked(kept):
    assert "known: auto, float32" in refusal(kept, dtype="int8")
    assert "device 'cuda:99' cannot be used" in refusal(kept, device="cuda:99")


def test_no_code_of_a_model_is_run(folder):
    (folder / "evil.py").write_text("raise SystemExit('code of the model was run')")
    auto = {"AutoConfig": "evil.C", "AutoModelForCausalLM": "evil.M"}
    edit(folder / "config.json", auto_map=auto)
    load_language_model(folder)
    edit(folder / "config.json", auto_map=auto, model_type="unheard-of")
    refusal(folder)
    assert "evil" not in sys.modules


@pytest.mark.parametrize("dialect", ["asl", "search-r1"])
def test_a_good_tokenizer_gives_no_warning(dialect, tokenizer):
    assert [line for line in check_dialect(tokenizer, dialect) if "takes" not in line] == []


def test_a_tokenizer_that_splits_or_loses_tags_is_told(tokenizer):
    class Letters:
        """A token per byte, so that tags are long; it writes everything in capitals."""

        unk_token_id = None

        def encode(self, text, add_special_tokens):
            return list(text.encode())

        def decode(self, ids, **_):
            return bytes(ids).decode().upper() if self.loud else bytes(ids).decode()

    letters = Letters()
    letters.loud = False
    lines = check_dialect(letters, "asl")
    assert "dialect asl: the tag <tool_call> takes 11 tokens" in lines
    assert not any("lost" in line for line in lines)
    letters.loud = True
    lines = check_dialect(letters, "asl")
    assert "dialect asl: the tag </answer> reads '</ANSWER>' when decoded" in lines
    assert any("the stop string </tool_call> is lost" in line for line in lines)
    assert all("\n" not in line for line in lines)


def test_a_context_too_short_for_one_tool_reply_is_refused(tiny):
    check_context(tiny, "asl")
    short = LanguageModel(tiny.model, tiny.tokenizer, "short", 256)
    with pytest.raises(LanguageModelError, match="context of 256 tokens is too short: the opening"):
        check_context(short, make_dialect("search-r1"))
