"""The nano model's tokenizer: byte-level BPE with the tags and the fixed texts of prompts whole.

Two things make copying easy for a small model. A word that starts with a capital, and every digit,
is cut off from the blank before it, so that a name has the same tokens wherever it stands. And what
never varies (system prompts, the frame of a request, of a claim, of a tool call, of a document) is
one token each, so that almost all tokens of a chat say something.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from asl_env import prompts
from asl_env.dialects.asl import AslDialect
from asl_env.episode import Claim, Request, Role
from asl_env.rewards.verdict import write_verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

VOCABULARY = 4096
PAD, END = "<|pad|>", "<|end|>"
ROLES = {name: f"<|{name}|>" for name in ("system", "user", "assistant", "tool")}
TAGS = ("think", "tool_call", "question", "answer")

#: A word keeps the blank before it only if it is in lower case; the blank before a capital belongs
#: to what stands before it, unless that is a part of a name too.
_PIECES = (
    r"\p{N}| ?\p{Ll}+(?: (?=\p{Lu}))?|\p{L}[\p{L}\p{M}]*"
    r"| ?[^\s\p{L}\p{N}]+(?: (?=\p{Lu}))?|\s"
)

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] not in ['system', 'user', 'assistant', 'tool'] %}"
    "{{ raise_exception('there is no role ' + message['role']) }}"
    "{% endif %}"
    "{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def fixed_texts() -> list[str]:
    """What stands in chats of the ASL dialect again and again: each becomes one token."""
    dialect = AslDialect()
    marks = ("\0", "\1", "\2")
    found = [dialect.system_prompt(role) for role in Role]
    found += _around(prompts.user_message(Claim("", marks[0], marks[1])), marks)
    found += _around(prompts.user_message(Request("", "seed", marks[0])), marks)
    for kind in ("harder", "easier"):
        for style in ("width", "depth"):
            request = Request("", kind, marks[2], style, marks[0], marks[1])
            found += _around(prompts.user_message(request), marks)
    call = dialect.write_search("QUERY").replace("<tool_call>", "\0").replace("</tool_call>", "\0")
    found += _around(call.replace("QUERY", "\0"), marks)
    found += [write_verdict("correct"), write_verdict("wrong")]
    found += ["\nid: mw-", '\ncontent:\n"', '"\n', "\nNo documents found.\n"]
    return sorted(dict.fromkeys(found), key=len, reverse=True)


def _around(text: str, marks: Sequence[str]) -> Iterator[str]:
    """The pieces of a text between marks, long enough to be worth a token."""
    for mark in marks:
        text = text.replace(mark, "\0")
    return (piece for piece in text.split("\0") if len(piece) > 3)


def train_tokenizer(texts: Iterable[str], vocabulary: int = VOCABULARY) -> Any:
    """Trains the tokenizer.

    Args:
        texts: Contents of messages.
        vocabulary: Tokens in all.

    Returns:
        A ``transformers.PreTrainedTokenizerFast`` with its chat template.
    """
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    specials = [PAD, END, *ROLES.values()]
    fixed = [tag for name in TAGS for tag in (f"<{name}>", f"</{name}>")] + fixed_texts()
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_PIECES), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary - len(specials) - len(fixed),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_without(texts, fixed), trainer)
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in specials])
    tokenizer.add_tokens([AddedToken(text, normalized=False, special=False) for text in fixed])
    make: Any = PreTrainedTokenizerFast
    return make(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=END,
        chat_template=CHAT_TEMPLATE,
        clean_up_tokenization_spaces=False,
        model_max_length=4096,
    )


def _without(texts: Iterable[str], fixed: Sequence[str]) -> Iterator[str]:
    """Texts without what gets a token of its own, so that BPE learns the rest."""
    for text in texts:
        for piece in fixed:
            if piece in text:
                text = text.replace(piece, "\n")
        yield text
