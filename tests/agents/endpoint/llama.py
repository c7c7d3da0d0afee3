"""A llama.cpp server in a process of its own: ``python llama.py MODEL.gguf [TEMPLATE]``.

Prints its address once it listens, and serves until standard input is closed.
"""

import json
import sys
from pathlib import Path

#: A ChatML template that knows tools (SmolLM2's own does not) and shows three examples first: the
#: model is too small to search on instructions alone.
TEMPLATE = """\
{%- if tools %}
{{- '<|im_start|>system\\n' + messages[0]['content'] }}
{{- '\\n\\n# Tools\\n<tools>' }}
{%- for tool in tools %}{{- '\\n' }}{{- tool | tojson }}{%- endfor %}
{{- '\\n</tools>\\nFor each call, return a json object within <tool_call></tool_call>:\\n' }}
{{- '<tool_call>\\n{"name": <function-name>, "arguments": <args-json-object>}\\n</tool_call>' }}
{{- '<|im_end|>\\n' }}
{%- elif messages[0]['role'] == 'system' %}
{{- '<|im_start|>system\\n' + messages[0]['content'] + '<|im_end|>\\n' }}
{%- endif %}
EXAMPLES
{%- for message in messages %}
{%- if message.role == 'user' or (message.role == 'assistant' and not message.tool_calls) %}
{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}
{%- elif message.role == 'assistant' %}
{{- '<|im_start|>assistant' }}
{%- if message.content %}{{- '\\n' + message.content }}{%- endif %}
{%- for call in message.tool_calls %}
{%- if call.function is defined %}{%- set call = call.function %}{%- endif %}
{{- '\\n<tool_call>\\n{"name": "' + call.name + '", "arguments": ' }}
{{- call.arguments | tojson }}{{- '}\\n</tool_call>' }}
{%- endfor %}
{{- '<|im_end|>\\n' }}
{%- elif message.role == 'tool' %}
{{- '<|im_start|>user\\nFound:\\n' + message.content + '<|im_end|>\\n' }}
{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}
"""

EXAMPLES = [
    ("Who wrote Hamlet?", "Hamlet author", "Hamlet is by Shakespeare.", "Shakespeare"),
    ("In which country is Oslo?", "Oslo country", "Oslo is the capital of Norway.", "Norway"),
    ("What is the capital of Japan?", "capital of Japan", "Tokyo is the capital.", "Tokyo"),
]


def template():
    """The template with its examples."""
    shown = ""
    for question, query, found, answer in EXAMPLES:
        call = json.dumps({"name": "retrieve", "arguments": {"query": query}})
        for role, text in (
            ("user", question),
            ("assistant", f"<tool_call>\n{call}\n</tool_call>"),
            ("user", f"Found:\n{found}"),
            ("assistant", f"<answer>{answer}</answer>"),
        ):
            shown += f"<|im_start|>{role}\n{text}<|im_end|>\n"
    return TEMPLATE.replace("EXAMPLES", f"{{{{- {json.dumps(shown)} }}}}")


def main():
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = sys.argv[1]
    params.n_ctx = 8192
    params.n_parallel = 2
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.port = 0
    if len(sys.argv) > 2:
        params.chat_template = Path(sys.argv[2]).read_text(encoding="utf-8")
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
