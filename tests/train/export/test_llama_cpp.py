"""GGUF and Ollama, with a stand-in for llama.cpp's tools that is a real program."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from evalsuite.models import ChatTokenizer
from train.export.gguf_header import read_header
from train.export.ollama import go_template
from train.export.turns import wrapped_turns
from workspace.errors import ModelError, UsageError, WorkError

CONVERTER = """#!{python}
# Writes the beginning of a GGUF file as llama.cpp's converter does: tokens, template, end token.
import argparse, json, struct, sys
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("model", type=Path)
parser.add_argument("--outfile", type=Path)
parser.add_argument("--outtype")
given = parser.parse_args()
tokenizer = json.loads((given.model / "tokenizer.json").read_text())
tokens = {{**tokenizer["model"]["vocab"]}}
tokens |= {{one["content"]: one["id"] for one in tokenizer["added_tokens"]}}
ordered = [text for text, _ in sorted(tokens.items(), key=lambda one: one[1])]
template = (given.model / "chat_template.jinja").read_text()
{change}

def text(value):
    data = value.encode()
    return struct.pack("<Q", len(data)) + data

def pair(key, kind, value):
    return text(key) + struct.pack("<I", kind) + value

array = struct.pack("<IQ", 8, len(ordered)) + b"".join(map(text, ordered))
pairs = [
    pair("general.architecture", 8, text("stand-in")),
    pair("general.file_type", 4, struct.pack("<I", 1)),
    pair("tokenizer.ggml.tokens", 9, array),
    pair("tokenizer.ggml.eos_token_id", 4, struct.pack("<I", 2)),
    pair("tokenizer.chat_template", 8, text(template)),
]
assert (given.model / "model.safetensors").is_file()
data = b"GGUF" + struct.pack("<IQQ", 3, 1, len(pairs)) + b"".join(pairs)
given.outfile.write_bytes(data + given.outtype.encode())
"""
QUANTIZER = """#!{python}
import sys
from pathlib import Path
Path(sys.argv[2]).write_bytes(Path(sys.argv[1]).read_bytes() + sys.argv[3].encode())
"""


def program(path: Path, text: str, **values: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.format(python=sys.executable, **values))
    path.chmod(0o755)
    return path


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A directory like a checkout of llama.cpp with its quantiser built."""
    program(tmp_path / "llama" / "convert_hf_to_gguf.py", CONVERTER, change="")
    program(tmp_path / "llama" / "build" / "bin" / "llama-quantize", QUANTIZER)
    return tmp_path / "llama"


def test_a_gguf_file_has_the_runs_tokens_template_and_end(
    trained: Any, checkout: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    done = trained.export("gguf", out, override="x", llama_cpp=checkout)
    header = read_header(out / "model-bf16.gguf")
    tokenizer = trained.open().tokenizer
    assert header.template == tokenizer.template.source and header.eos_id == 2
    assert len(header.tokens) == tokenizer.vocab_size
    assert (out / "model-bf16.gguf").read_bytes().endswith(b"bf16")
    assert {path.name for path in out.iterdir()} == {
        "model-bf16.gguf", "README.md", "parity.json", "manifest.json",
    }  # fmt: skip
    assert done.parity.status == "not measured"
    card = (out / "README.md").read_text()
    assert "**Not measured.**" in card and "llama-server -m model-bf16.gguf" in card


def test_a_quantised_file_says_that_the_gate_was_not_run_on_it(
    yard: Any, checkout: Path, tmp_path: Path
) -> None:
    yard.judge("pass")
    yard.export("gguf", tmp_path / "out", llama_cpp=checkout, quantize="Q4_K_M")
    file = tmp_path / "out" / "model-q4_k_m.gguf"
    assert file.read_bytes().endswith(b"bf16Q4_K_M")
    card = (tmp_path / "out" / "README.md").read_text()
    assert "The gate was not run on this form of the model" in card and "It was not: " in card


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("ordered[10:12] = ordered[11:9:-1]", "2 tokens are others"),
        ("template = template.replace('user', 'human') + ' '", "chat template is another"),
        ("ordered = ordered[:-3]", "tokens, the run"),
        ("raise SystemExit('unknown architecture')", "unknown architecture"),
    ],
)
def test_a_converter_that_loses_something_is_not_believed(
    trained: Any, checkout: Path, tmp_path: Path, change: str, says: str
) -> None:
    program(checkout / "convert_hf_to_gguf.py", CONVERTER, change=change)
    with pytest.raises(WorkError) as caught:
        trained.export("gguf", tmp_path / "out", override="x", llama_cpp=checkout)
    assert says in caught.value.cause
    assert [path.name for path in tmp_path.iterdir()] == ["llama"]


def test_without_llama_cpp_the_way_out_is_told(
    trained: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(WorkError, match="converter was not found") as caught:
        trained.export("gguf", tmp_path / "out", override="x")
    assert "git clone" in caught.value.cure
    with pytest.raises(UsageError, match="there is no llama"):
        trained.export("gguf", tmp_path / "out", override="x", llama_cpp=tmp_path)
    with pytest.raises(UsageError, match="no GGUF type") as typo:
        trained.export("gguf", tmp_path / "out", override="x", quantize="q8_1")
    assert "q8_0" in typo.value.cure


def test_a_converter_on_the_path_is_found(
    trained: Any, checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{checkout}{os.pathsep}{os.environ['PATH']}")
    trained.export("gguf", tmp_path / "out", override="x", quantize="q8_0")
    assert (tmp_path / "out" / "model-q8_0.gguf").read_bytes().endswith(b"q8_0")


@pytest.mark.parametrize("data", [b"", b"GGUF", b"PK\3\4", b"GGUF" + b"\xff" * 40])
def test_what_is_no_gguf_file_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.gguf").write_bytes(data)
    with pytest.raises(WorkError, match="did not write a GGUF"):
        read_header(tmp_path / "x.gguf")


# ---- Ollama


def test_a_modelfile_has_template_and_stops(
    trained: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    done = trained.export("ollama", tmp_path / "out", override="x")
    text = (tmp_path / "out" / "Modelfile").read_text()
    assert text.startswith('FROM .\nTEMPLATE """{{ range .Messages }}')
    assert 'PARAMETER stop """<|im_end|>"""' in text
    assert "<|im_start|>assistant\n" in text
    assert done.parity.status == "pass" and (tmp_path / "out" / "model.safetensors").is_file()
    assert "ollama create toy -f Modelfile" in (tmp_path / "out" / "README.md").read_text()


def test_with_llama_cpp_the_modelfile_names_a_gguf_file(
    trained: Any, checkout: Path, tmp_path: Path
) -> None:
    trained.export("ollama", tmp_path / "out", override="x", llama_cpp=checkout)
    assert (tmp_path / "out" / "Modelfile").read_text().startswith("FROM ./model.gguf\n")
    assert read_header(tmp_path / "out" / "model.gguf").tensors == 1


def test_the_parts_of_a_template_make_what_the_template_writes(tiny_model: Path) -> None:
    tokenizer = ChatTokenizer.from_dir(tiny_model)
    chat = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}] * 2
    found = wrapped_turns(tokenizer, [chat[:3]])
    assert found is not None and found.before["user"] == "<|im_start|>user\n"
    assert found.after["assistant"] == "<|im_end|>\n"
    assert found.prompt == "<|im_start|>assistant\n"
    assert go_template(found).count("{{ .Content }}") == 3


@pytest.mark.parametrize(
    "template",
    [
        "{% for m in messages %}[{{ m.role }}] {{ m.content | trim }}\n{% endfor %}"
        "{% if add_generation_prompt %}[assistant] {% endif %}",
        "{% for m in messages %}[{{ loop.index }}{{ m.role }}] {{ m.content }}\n{% endfor %}"
        "{% if add_generation_prompt %}[assistant] {% endif %}",
        "{% for m in messages[-1:] %}{{ m.content }}{% endfor %}",
    ],
)
def test_a_template_that_does_more_is_not_guessed_at(model_with: Any, template: str) -> None:
    tokenizer = ChatTokenizer.from_dir(model_with(template))
    odd = [{"role": "user", "content": "  spaces "}]
    assert wrapped_turns(tokenizer, [odd]) is None


@pytest.mark.parametrize("hostile", ['say """ now', "{{ 1 }}"])
def test_hostile_words_in_a_template_do_not_end_the_modelfiles_text(
    yard: Any, hostile: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    from evalsuite.models.template import ChatTemplate
    from train.export.ollama import modelfile

    shipment = yard.open()
    own = shipment.tokenizer.template
    source = own.source.replace(
        "{{ message.role }}", f"{{{{ {json.dumps(hostile)} }}}}{{{{ message.role }}}}"
    )
    template = ChatTemplate(source, where="x", special_tokens=own.special_tokens)
    changed = replace(shipment, tokenizer=replace(shipment.tokenizer, template=template))
    if '"""' in hostile:
        with pytest.raises(ModelError, match="cannot be written into a Modelfile"):
            modelfile(changed, ".")
    else:
        assert '{{ "<|im_start|>{{ 1 }}user\\n" }}{{ .Content }}' in modelfile(changed, ".")
