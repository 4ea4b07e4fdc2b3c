"""Chat templates in the shapes of real families, written as short as their quirks allow.

None has `{% generation %}` marks, as nearly none in use has.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    pre_tokenizers,
    processors,
    trainers,
)


@dataclass(frozen=True)
class Family:
    """A template with the tokens it needs."""

    template: str
    special: tuple[str, ...]
    """Its own special tokens."""
    stops: tuple[str, ...]
    """Where generation stops, as its generation_config.json says."""
    bos: str | None = None
    eos: str = ""
    """The tokenizer's end token; the first stop if left out."""
    system: bool = True
    """Whether it takes a system message."""
    tools: bool = False
    """Whether it writes tool calls."""
    adds_bos: bool = False
    """Whether the tokenizer adds the begin token to plain texts, as Llama's do."""
    sentencepiece: bool = False
    """Whether it cuts words as sentencepiece does."""
    strips: bool = False
    """Whether white space after a special token is swallowed by it, as Phi-3's tokenizer does."""
    spans: tuple[str, str] = ("", "")
    """What is learnt of two answers `four` and `six`, the end token included."""
    learnt: int = 2
    """How many of two answers are learnt."""


CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>' "
    "+ '\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
LLAMA3 = (
    "{% set loop_messages = messages %}{% for m in loop_messages %}{% set content = "
    "'<|start_header_id|>' + m['role'] + '<|end_header_id|>\n\n' + m['content'] | trim "
    "+ '<|eot_id|>' %}{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}"
    "{{ content }}{% endfor %}{% if add_generation_prompt %}"
    "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
LLAMA2 = (
    "{% if messages[0]['role'] == 'system' %}{% set rest = messages[1:] %}"
    "{% set system = messages[0]['content'] %}{% else %}{% set rest = messages %}"
    "{% set system = false %}{% endif %}{% for m in rest %}"
    "{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Roles must alternate') }}{% endif %}"
    "{% if loop.index0 == 0 and system %}{% set content = '<<SYS>>\n' + system + '\n<</SYS>>\n\n' "
    "+ m['content'] %}{% else %}{% set content = m['content'] %}{% endif %}"
    "{% if m['role'] == 'user' %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}"
    "{% elif m['role'] == 'assistant' %}{{ ' ' + content.strip() + ' ' + eos_token }}{% endif %}"
    "{% endfor %}"
)
MISTRAL = (
    "{%- if messages[0]['role'] == 'system' %}{%- set system = messages[0]['content'] %}"
    "{%- set rest = messages[1:] %}{%- else %}{%- set rest = messages %}{%- endif %}"
    "{%- set asked = rest | selectattr('role', 'equalto', 'user') | list %}{{- bos_token }}"
    "{%- for m in rest %}{%- if m['role'] == 'user' %}"
    "{%- if tools and m == asked[-1] %}{{- '[AVAILABLE_TOOLS] ' + (tools | tojson) + "
    "'[/AVAILABLE_TOOLS]' }}{%- endif %}"
    "{%- if loop.last and system is defined %}{{- '[INST] ' + system + '\n\n' + m['content'] "
    "+ '[/INST]' }}{%- else %}{{- '[INST] ' + m['content'] + '[/INST]' }}{%- endif %}"
    "{%- elif m.tool_calls %}{{- '[TOOL_CALLS] [' }}{%- for call in m.tool_calls %}"
    "{{- call.function | tojson }}{%- if not loop.last %}{{- ', ' }}{%- endif %}{%- endfor %}"
    "{{- ']' + eos_token }}{%- elif m['role'] == 'assistant' %}{{- ' ' + m['content'] | trim "
    "+ eos_token }}{%- elif m['role'] == 'tool' %}{{- '[TOOL_RESULTS] ' + m['content'] "
    "+ '[/TOOL_RESULTS]' }}{%- else %}{{- raise_exception('Only user, assistant and tool') }}"
    "{%- endif %}{%- endfor %}"
)
QWEN_TOOLS = (
    "{%- for m in messages %}{%- if m.role == 'tool' %}"
    "{{- '<|im_start|>user\n<tool_response>\n' + m.content + '\n</tool_response><|im_end|>\n' }}"
    "{%- elif m.role == 'assistant' %}ASSISTANT{%- else %}"
    "{{- '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{%- endif %}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}{%- endif %}"
)
QWEN_CALLS = (
    "{%- if m.tool_calls %}{%- for call in m.tool_calls %}{{- '\n<tool_call>\n' + "
    "(call.function | tojson) + '\n</tool_call>' }}{%- endfor %}{%- endif %}{{- '<|im_end|>\n' }}"
)
QWEN25 = (
    "{%- if messages[0]['role'] != 'system' %}"
    "{{- '<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n' }}{%- endif %}"
) + QWEN_TOOLS.replace(
    "ASSISTANT",
    "{{- '<|im_start|>assistant' }}{%- if m.content or not m.tool_calls %}{{- '\n' + m.content }}"
    "{%- endif %}" + QWEN_CALLS,
)
QWEN3 = (
    "{%- set ns = namespace(last=-1) %}{%- for m in messages %}{%- if m.role == 'user' %}"
    "{%- set ns.last = loop.index0 %}{%- endif %}{%- endfor %}"
) + QWEN_TOOLS.replace(
    "ASSISTANT",
    "{%- set content = m.content %}{%- set thought = '' %}{%- if m.reasoning_content is string %}"
    "{%- set thought = m.reasoning_content %}{%- elif '</think>' in content %}"
    "{%- set thought = content.split('</think>')[0].rstrip('\n').split('<think>')[-1].lstrip('\n')"
    " %}{%- set content = content.split('</think>')[-1].lstrip('\n') %}{%- endif %}"
    "{%- if loop.index0 > ns.last and (loop.last or thought) %}"
    "{{- '<|im_start|>assistant\n<think>\n' + thought.strip('\n') + '\n</think>\n\n' "
    "+ content.lstrip('\n') }}{%- else %}{{- '<|im_start|>assistant\n' + content }}{%- endif %}"
    + QWEN_CALLS.replace(
        "{{- '\n<tool", "{%- if content or not loop.first %}{{- '\n' }}{%- endif %}{{- '<tool"
    ),
)
GEMMA = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}"
    "{{ raise_exception('System role not supported') }}{% endif %}{% for m in messages %}"
    "{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate') }}{% endif %}"
    "{% if m['role'] == 'assistant' %}{% set role = 'model' %}{% else %}"
    "{% set role = m['role'] %}{% endif %}{{ '<start_of_turn>' + role + '\n' + m['content'] | trim "
    "+ '<end_of_turn>\n' }}{% endfor %}{% if add_generation_prompt %}"
    "{{ '<start_of_turn>model\n' }}{% endif %}"
)
PHI3 = (
    "{% for m in messages %}{% if m['role'] == 'system' %}{{ '<|system|>\n' + m['content'] "
    "+ '<|end|>\n' }}{% elif m['role'] == 'user' %}{{ '<|user|>\n' + m['content'] + '<|end|>\n' }}"
    "{% else %}{{ '<|assistant|>\n' + m['content'] + '<|end|>\n' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}"
)
PHI4 = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '<|im_sep|>' + m['content'] "
    "+ '<|im_end|>' }}{% endfor %}{% if add_generation_prompt %}"
    "{{ '<|im_start|>assistant<|im_sep|>' }}{% endif %}"
)
ZEPHYR = (
    "{% for m in messages %}\n{% if m['role'] == 'user' %}\n"
    "{{ '<|user|>\n' + m['content'] + eos_token }}\n{% elif m['role'] == 'system' %}\n"
    "{{ '<|system|>\n' + m['content'] + eos_token }}\n{% elif m['role'] == 'assistant' %}\n"
    "{{ '<|assistant|>\n'  + m['content'] + eos_token }}\n{% endif %}\n"
    "{% if loop.last and add_generation_prompt %}\n{{ '<|assistant|>' }}\n{% endif %}\n{% endfor %}"
)
DEEPSEEK_R1 = (
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'system' %}{{ m['content'] }}"
    "{% elif m['role'] == 'user' %}{{ '<｜User｜>' + m['content'] }}{% else %}"
    "{% set content = m['content'] %}{% if '</think>' in content %}"
    "{% set content = content.split('</think>')[-1] %}{% endif %}"
    "{{ '<｜Assistant｜>' + content + '<｜end▁of▁sentence｜>' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<｜Assistant｜><think>\n' }}{% endif %}"
)
GLM4 = (
    "[gMASK]<sop>{% for m in messages %}{% if m['role'] == 'tool' %}{{ '<|observation|>\n' "
    "+ m['content'] }}{% elif m.tool_calls %}{% for call in m.tool_calls %}{{ '<|assistant|>' "
    "+ call.function.name + '\n' + (call.function.arguments | tojson) }}{% endfor %}{% else %}"
    "{{ '<|' + m['role'] + '|>\n' + m['content'] }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
GRANITE = (
    "{%- for m in messages %}{{- '<|start_of_role|>' + m['role'] + '<|end_of_role|>' "
    "+ m['content'] + '<|end_of_text|>\n' }}{%- endfor %}{%- if add_generation_prompt %}"
    "{{- '<|start_of_role|>assistant<|end_of_role|>' }}{%- endif %}"
)
COMMAND_R = (
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'assistant' %}"
    "{% set name = '<|CHATBOT_TOKEN|>' %}{% elif m['role'] == 'system' %}"
    "{% set name = '<|SYSTEM_TOKEN|>' %}{% else %}{% set name = '<|USER_TOKEN|>' %}{% endif %}"
    "{{ '<|START_OF_TURN_TOKEN|>' + name + m['content'].strip() + '<|END_OF_TURN_TOKEN|>' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>' }}"
    "{% endif %}"
)
CHANNELS = (
    "{% for m in messages %}{% if m['role'] == 'assistant' %}"
    "{{ '<|start|>assistant<|channel|>final<|message|>' + m['content'] }}"
    "{{ '<|return|>' if loop.last else '<|end|>' }}{% else %}"
    "{{ '<|start|>' + m['role'] + '<|message|>' + m['content'] + '<|end|>' }}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|start|>assistant' }}{% endif %}"
)

# How Llama-3, Qwen and their kin cut text: line ends stay together, whatever follows them.
_WORDS = r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_IM = ("<|im_start|>", "<|im_end|>")
_HEADER = ("<|start_header_id|>", "<|end_header_id|>")
_TOOLS = ("[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]", "[TOOL_RESULTS]", "[/TOOL_RESULTS]")
_COHERE = ("<|USER_TOKEN|>", "<|CHATBOT_TOKEN|>", "<|SYSTEM_TOKEN|>")
_ROLES = ("<|system|>", "<|user|>", "<|assistant|>")
FAMILIES = {
    "chatml": Family(CHATML, _IM, ("<|im_end|>",), spans=("four<|im_end|>", "six<|im_end|>")),
    "llama-3": Family(
        LLAMA3,
        (*_HEADER, "<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>"),
        ("<|end_of_text|>", "<|eot_id|>"),
        bos="<|begin_of_text|>",
        adds_bos=True,
        spans=("four<|eot_id|>", "six<|eot_id|>"),
    ),
    "llama-2": Family(
        LLAMA2,
        ("<s>", "</s>"),
        ("</s>",),
        bos="<s>",
        adds_bos=True,
        sentencepiece=True,
        spans=("four </s>", "six </s>"),
    ),
    "mistral-v3": Family(
        MISTRAL,
        ("<s>", "</s>", "[INST]", "[/INST]", "[TOOL_CALLS]", *_TOOLS),
        ("</s>",),
        bos="<s>",
        adds_bos=True,
        sentencepiece=True,
        tools=True,
        spans=("four</s>", "six</s>"),
    ),
    "qwen2.5": Family(
        QWEN25,
        (*_IM, "<|endoftext|>"),
        ("<|im_end|>", "<|endoftext|>"),
        tools=True,
        spans=("four<|im_end|>", "six<|im_end|>"),
    ),
    "qwen3": Family(
        QWEN3,
        (*_IM, "<|endoftext|>"),
        ("<|im_end|>", "<|endoftext|>"),
        tools=True,
        spans=("four<|im_end|>", "<think>\n\n</think>\n\nsix<|im_end|>"),
    ),
    "gemma-2": Family(
        GEMMA,
        ("<bos>", "<eos>", "<start_of_turn>", "<end_of_turn>"),
        ("<eos>", "<end_of_turn>"),
        bos="<bos>",
        eos="<eos>",
        adds_bos=True,
        system=False,
        spans=("four<end_of_turn>", "six<end_of_turn>"),
    ),
    "phi-3": Family(
        PHI3,
        (*_ROLES, "<s>", "<|end|>", "<|endoftext|>"),
        ("<|endoftext|>", "<|end|>"),
        bos="<s>",
        sentencepiece=True,
        strips=True,
        spans=("four<|end|>", "six<|end|>"),
    ),
    "phi-4": Family(
        PHI4,
        (*_IM, "<|im_sep|>", "<|endoftext|>"),
        ("<|im_end|>",),
        eos="<|endoftext|>",
        spans=("four<|im_end|>", "six<|im_end|>"),
    ),
    "zephyr": Family(
        ZEPHYR,
        ("<s>", "</s>"),
        ("</s>",),
        bos="<s>",
        adds_bos=True,
        sentencepiece=True,
        spans=("four</s>", "six</s>"),
    ),
    "deepseek-r1": Family(
        DEEPSEEK_R1,
        ("<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>"),
        ("<｜end▁of▁sentence｜>",),
        bos="<｜begin▁of▁sentence｜>",
        adds_bos=True,
        spans=("", "\n</think>\n\nsix<｜end▁of▁sentence｜>"),
        learnt=1,
    ),
    "glm-4": Family(
        GLM4,
        (*_ROLES, "[gMASK]", "<sop>", "<|observation|>", "<|endoftext|>"),
        ("<|endoftext|>", "<|user|>", "<|observation|>"),
        tools=True,
        spans=("\nfour<|user|>", "\nsix<|user|>"),
    ),
    "granite": Family(
        GRANITE,
        ("<|start_of_role|>", "<|end_of_role|>", "<|end_of_text|>"),
        ("<|end_of_text|>",),
        spans=("four<|end_of_text|>", "six<|end_of_text|>"),
    ),
    "command-r": Family(
        COMMAND_R,
        ("<BOS_TOKEN>", "<|START_OF_TURN_TOKEN|>", "<|END_OF_TURN_TOKEN|>", *_COHERE),
        ("<|END_OF_TURN_TOKEN|>",),
        bos="<BOS_TOKEN>",
        adds_bos=True,
        spans=("four<|END_OF_TURN_TOKEN|>", "six<|END_OF_TURN_TOKEN|>"),
    ),
    "channels": Family(
        CHANNELS,
        ("<|start|>", "<|end|>", "<|message|>", "<|channel|>", "<|return|>"),
        ("<|return|>", "<|end|>"),
        spans=(
            "<|channel|>final<|message|>four<|end|>",
            "<|channel|>final<|message|>six<|return|>",
        ),
    ),
}


def write_family(path: Path, family: Family, *, template: str | None = None) -> Path:
    """Write the tokenizer and template of a family as a model directory has them."""
    path.mkdir(parents=True, exist_ok=True)
    tokenizer = _tokenizer(family)
    tokenizer.save(str(path / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": family.eos or family.stops[0],
        "pad_token": "<pad>",
    }
    if family.bos:
        config["bos_token"] = family.bos
    (path / "tokenizer_config.json").write_text(json.dumps(config))
    stops = [tokenizer.token_to_id(token) for token in family.stops]
    (path / "generation_config.json").write_text(json.dumps({"eos_token_id": stops}))
    (path / "chat_template.jinja").write_text(template or family.template)
    return path


def _tokenizer(family: Family) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    if family.sentencepiece:
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=True)
        tokenizer.decoder = decoders.Metaspace(prepend_scheme="first", split=True)
        alphabet = ["▁", "\n", *map(chr, range(33, 127))]
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(_WORDS), "isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
        tokenizer.decoder = decoders.ByteLevel()
        alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        ["two plus two is four, and three and three is six\n\n"] * 20,
        trainers.BpeTrainer(
            vocab_size=400,
            special_tokens=["<unk>", "<pad>"],
            initial_alphabet=alphabet,
            show_progress=False,
        ),
    )
    tokenizer.add_special_tokens(
        [AddedToken(text, rstrip=family.strips, normalized=False) for text in family.special]
    )
    if family.adds_bos and family.bos:
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{family.bos} $A",
            special_tokens=[(family.bos, tokenizer.token_to_id(family.bos))],
        )
    return tokenizer
