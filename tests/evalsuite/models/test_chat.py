"""Our torch-free tokens and loss masks are those of transformers, template by template."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from evalsuite.models import ChatTokenizer
from evalsuite.models.rows import tokenise_row
from workspace.errors import DataError, ModelError

CHATML = (
    "{% for m in messages %}{% if m['role'] == 'assistant' %}<|im_start|>assistant\n"
    "{% generation %}{{ m['content'] }}<|im_end|>{% endgeneration %}\n{% else %}"
    "<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
LLAMA3 = (
    "{{- bos_token }}\n{%- for m in messages %}\n"
    "    {{- '<|start|>' + m['role'] + '<|end|>\n\n' }}\n"
    "    {%- if m['role'] == 'assistant' %}\n"
    "        {%- generation %}{{- m['content'] | trim }}{{- eos_token }}{%- endgeneration %}\n"
    "    {%- else %}\n        {{- m['content'] | trim + eos_token }}\n    {%- endif %}\n"
    "{%- endfor %}\n{%- if add_generation_prompt %}\n"
    "    {{- '<|start|>assistant<|end|>\n\n' }}\n{%- endif %}\n"
)
MISTRAL = (
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'user' %}"
    "[INST] {{ m['content'] }} [/INST]{% elif m['role'] == 'assistant' %}"
    "{% generation %} {{ m['content'] }}{{ eos_token }}{% endgeneration %}"
    "{% else %}{{ raise_exception('only user and assistant') }}{% endif %}{% endfor %}"
)
ZEPHYR = (
    "{% for m in messages %}\n{% if m['role'] == 'user' %}\n"
    "{{ '<|user|>\n' + m['content'] + eos_token }}\n{% elif m['role'] == 'system' %}\n"
    "{{ '<|system|>\n' + m['content'] + eos_token }}\n{% elif m['role'] == 'assistant' %}\n"
    "{{ '<|assistant|>\n' }}{% generation %}{{ m['content'] + eos_token }}{% endgeneration %}\n"
    "{% endif %}\n{% endfor %}"
)
CAPTURED = (
    "{% for m in messages %}{% set body %}{% if m['role'] == 'assistant' %}"
    "{% generation %}{{ m['content'] }}{{ eos_token }}{% endgeneration %}"
    "{% else %}{{ m['content'] }}{% endif %}{% endset %}[{{ m['role'] }}]{{ body }}{% endfor %}"
)
TEMPLATES = {"chatml": CHATML, "llama3": LLAMA3, "mistral": MISTRAL, "zephyr": ZEPHYR}
SPECIAL = ["<pad>", "<s>", "</s>", "<|im_start|>", "<|im_end|>", "<|start|>", "<|end|>"]


def make_tokenizer(path: Path, template: str | None, **config: object) -> Path:
    path.mkdir()
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(["the user asks, the assistant answers: hello"] * 20, trainer)
    tokenizer.save(str(path / "tokenizer.json"))
    names = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}
    document = {"tokenizer_class": "PreTrainedTokenizerFast", **names, **config}
    (path / "tokenizer_config.json").write_text(json.dumps(document))
    if template is not None:
        (path / "chat_template.jinja").write_text(template)
    return path


@pytest.fixture(scope="module", params=TEMPLATES)
def directory(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tokenizer(
        tmp_path_factory.mktemp("model") / request.param, TEMPLATES[request.param]
    )


# Texts without our special tokens: a user who writes those is another test.
TEXT = st.text(max_size=30).filter(lambda text: "<" not in text and "\x00" not in text)
TURNS = st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=3)


def conversation(turns: list[tuple[str, str]]) -> list[dict[str, str]]:
    return [
        {"role": role, "content": text}
        for turn in turns
        for role, text in zip(("user", "assistant"), turn, strict=True)
    ]


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(turns=TURNS)
def test_ids_and_mask_equal_transformers(directory: Path, turns: list[tuple[str, str]]) -> None:
    from transformers import AutoTokenizer

    messages = conversation(turns)
    ours = ChatTokenizer.from_dir(directory)
    theirs = AutoTokenizer.from_pretrained(directory)
    expected = theirs.apply_chat_template(
        messages, tokenize=True, return_dict=True, return_assistant_tokens_mask=True
    )
    row = ours.encode_chat(messages)
    assert row.input_ids == list(expected["input_ids"])
    trained = [i for i, masked in enumerate(row.loss_mask) if masked]
    theirs_trained = [i for i, masked in enumerate(expected["assistant_masks"]) if masked]
    # transformers gives nothing for a span whose characters start no token; we count overlap.
    assert set(theirs_trained) <= set(trained)
    assert ours.decode([row.input_ids[i] for i in trained], special=True) == "".join(
        ours.decode([row.input_ids[i] for i in range(a, b)], special=True) for a, b in row.turns
    )
    prompt = theirs.apply_chat_template(
        messages[:1], tokenize=True, add_generation_prompt=True, return_dict=False
    )
    assert ours.encode_prompt(messages[:1]) == list(prompt)


def test_only_the_assistants_words_and_end_token_are_trained(directory: Path) -> None:
    tokenizer = ChatTokenizer.from_dir(directory)
    row = tokenizer.encode_chat(conversation([("two plus two", "four"), ("and one", "five")]))
    spans = [
        tokenizer.decode(row.input_ids[start:end], special=True).strip() for start, end in row.turns
    ]
    end = "<|im_end|>" if directory.name == "chatml" else "</s>"
    assert spans == [f"four{end}", f"five{end}"]
    assert row.trained_tokens == sum(end - start for start, end in row.turns)
    assert tokenizer.has_generation_marks


def test_spans_survive_set_blocks(tmp_path: Path) -> None:
    tokenizer = ChatTokenizer.from_dir(make_tokenizer(tmp_path / "m", CAPTURED))
    rendered = tokenizer.render(conversation([("a", "b")]))
    assert rendered.text == "[user]a[assistant]b</s>"
    assert [rendered.text[start:end] for start, end in rendered.spans] == ["b</s>"]


def test_a_message_cannot_forge_a_span(tmp_path: Path) -> None:
    tokenizer = ChatTokenizer.from_dir(make_tokenizer(tmp_path / "m", CHATML))
    hostile = "{% generation %}x{% endgeneration %}\x00<0000>\x00"
    rendered = tokenizer.render(conversation([(hostile, "b")]))
    assert [rendered.text[start:end] for start, end in rendered.spans] == ["b<|im_end|>"]
    assert hostile in rendered.text


def test_a_template_that_reaches_for_the_machine_is_refused(tmp_path: Path) -> None:
    template = "{{ messages.__class__.__mro__[1].__subclasses__() }}"
    tokenizer = ChatTokenizer.from_dir(make_tokenizer(tmp_path / "m", template))
    with pytest.raises(ModelError, match="refuses"):
        tokenizer.render(conversation([("a", "b")]))


def test_a_refusing_template_tells_its_words_and_the_roles(tmp_path: Path) -> None:
    tokenizer = ChatTokenizer.from_dir(make_tokenizer(tmp_path / "m", MISTRAL))
    with pytest.raises(ModelError) as caught:
        tokenizer.render([{"role": "human", "content": "hi"}])
    assert "only user and assistant" in caught.value.cause and "human" in caught.value.cause


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"generation_config.json": {"eos_token_id": [2, 4]}}, {2, 4}),
        ({"config.json": {"eos_token_id": 4}}, {4}),
        ({}, {2}),
    ],
)
def test_stop_ids_come_from_the_generation_config_first(
    tmp_path: Path, files: dict[str, object], expected: set[int]
) -> None:
    path = make_tokenizer(tmp_path / "m", CHATML)
    for name, document in files.items():
        (path / name).write_text(json.dumps(document))
    assert ChatTokenizer.from_dir(path).eos_ids == expected


def test_a_template_inside_the_tokenizer_config_is_found(tmp_path: Path) -> None:
    path = make_tokenizer(tmp_path / "m", None, chat_template=CHATML)
    assert (
        ChatTokenizer.from_dir(path).render(conversation([("a", "b")])).text.endswith("b<|im_end|>")
    )


def test_what_is_missing_is_named_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no tokenizer\.json"):
        ChatTokenizer.from_dir(tmp_path)
    path = make_tokenizer(tmp_path / "m", None)
    with pytest.raises(ModelError, match="no chat template"):
        ChatTokenizer.from_dir(path).render([])
    (path / "chat_template.jinja").write_text("{% for %}")
    with pytest.raises(ModelError, match="does not compile"):
        ChatTokenizer.from_dir(path)


def test_each_row_type_trains_on_its_answer(tmp_path: Path) -> None:
    tokenizer = ChatTokenizer.from_dir(make_tokenizer(tmp_path / "m", CHATML))

    def trained(row: dict[str, object]) -> str:
        tokens = tokenise_row(tokenizer, row)
        ids = [i for i, keep in zip(tokens.input_ids, tokens.loss_mask, strict=True) if keep]
        return tokenizer.decode(ids, special=True)

    assert trained({"prompt": "two and two? ", "completion": "four"}) == "four</s>"
    assert trained({"text": "hello"}) == "hello</s>"
    assert trained({"messages": conversation([("a", "b")])}) == "b<|im_end|>"
    with pytest.raises(DataError, match="cannot be trained on"):
        tokenise_row(tokenizer, {"chosen": "a", "rejected": "b", "id": "r1"})


def test_the_assistant_turns_of_a_prompt_carry_no_loss(tmp_path: Path) -> None:
    tokenizer = ChatTokenizer.from_dir(make_tokenizer(tmp_path / "m", CHATML))
    prompt, completion = conversation([("a", "b"), ("c", "d")]), conversation([("e", "f")])
    chat = tokenise_row(tokenizer, {"prompt": prompt[:3], "completion": [prompt[3], *completion]})
    ids = [i for i, keep in zip(chat.input_ids, chat.loss_mask, strict=True) if keep]
    assert tokenizer.decode(ids, special=True) == "d<|im_end|>f<|im_end|>"
    pieces = [tokenizer.decode(chat.input_ids[start:end]) for start, end in chat.turns]
    assert pieces == ["d", "f"]


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("{% for i in range(10**10) %}{% endfor %}", "Range too big"),
        ("{{ 1 / 0 }}", "division by zero"),
        ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "recursion"),
    ],
)
def test_whatever_a_template_raises_is_told_as_the_template_s(
    tmp_path: Path, broken: str, said: str
) -> None:
    tokenizer = ChatTokenizer.from_dir(make_tokenizer(tmp_path / "m", CHATML + broken))
    with pytest.raises(ModelError, match="refuses this conversation") as caught:
        tokenizer.render([{"role": "user", "content": "hi"}])
    assert said in caught.value.cause


def test_a_template_that_does_not_compile_names_its_line(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="does not compile") as caught:
        ChatTokenizer.from_dir(make_tokenizer(tmp_path / "m", "a\nb\n{% if x"))
    assert caught.value.where.endswith(":3") and caught.value.cure
