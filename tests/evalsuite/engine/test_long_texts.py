"""Texts longer than the model reads, and texts of nothing: as lm_eval cuts and scores them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from evalsuite.engine.forward import Engine
from evalsuite.engine.perplexity import rolling_windows, score_texts
from evalsuite.engine.questions import Asker
from evalsuite.engine.requests import TextRequest
from evalsuite.models import ChatTokenizer
from evalsuite.models.load import load_model
from evalsuite.tasks import Item, LoadedTask
from evalsuite.tasks.schema import Task
from workspace.errors import DataError

PREFIX = 2
WINDOW = 24
LENGTHS = (1, 2, WINDOW - 1, WINDOW, WINDOW + 1, 2 * WINDOW, 3 * WINDOW - 1, 100)


@pytest.mark.parametrize("longest", [1, 2, 3, 7])
def test_each_token_is_predicted_once_from_what_is_before_it(longest: int) -> None:
    for length in range(25):
        tokens = list(range(100, 100 + length))
        text = [PREFIX, *tokens]
        predicted: list[int] = []
        for window in rolling_windows(tokens, PREFIX, longest):
            done = len(predicted)
            predicted += window.targets
            assert 1 <= len(window.targets) <= len(window.inputs) <= longest
            end = done + len(window.targets)
            assert list(window.inputs) == text[end - len(window.inputs) : end]
            # all the context that there is, but for full windows, which see one token
            assert len(window.inputs) == min(longest, end)
        assert predicted == tokens


def test_a_long_text_is_the_sum_of_its_windows_scored_alone(tiny_model: Path) -> None:
    model = load_model(tiny_model).requires_grad_(False)
    tokenizer = ChatTokenizer.from_dir(tiny_model)
    tokens = tuple(tokenizer.encode("the quick brown fox jumps over the lazy dog " * 2))
    (whole,) = score_texts(Engine(model, 0), [TextRequest(tokens, PREFIX, WINDOW)])
    assert len(tokens) > 3 * WINDOW
    total = 0.0
    for window in rolling_windows(tokens, PREFIX, WINDOW):
        import torch

        logits = model(torch.tensor([window.inputs])).logits[0].float().log_softmax(-1)
        kept = logits[len(window.inputs) - len(window.targets) :]
        total += float(kept.gather(1, torch.tensor(window.targets)[:, None]).sum())
    assert whole.logprob == pytest.approx(total, abs=1e-4)
    assert whole.tokens == len(tokens)
    (one_window,) = score_texts(Engine(model, 0), [TextRequest(tokens, PREFIX, 512)])
    assert one_window.logprob != pytest.approx(total, abs=1e-3)


def test_a_text_without_tokens_is_refused_and_not_scored_as_perfect(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer = ChatTokenizer.from_dir(tiny_model)
    monkeypatch.setattr(ChatTokenizer, "encode", lambda self, text: [])
    task = Task(name="t", kind="perplexity", data="x.jsonl", text="{{ t }}")
    item = Item("1", text="\u200b", where="x.jsonl:1")
    with pytest.raises(DataError, match="no tokens") as caught:
        Asker(tokenizer, 64).requests(LoadedTask(task, (item,)))
    assert caught.value.where == "x.jsonl:1"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_windows_and_likelihoods_are_those_of_lm_eval(tiny_model: Path) -> None:
    pytest.importorskip("lm_eval", reason="needs the extra `bench`")
    from lm_eval import utils
    from lm_eval.models.huggingface import HFLM
    from transformers import AutoTokenizer

    for length in range(30):
        tokens = list(range(100, 100 + length))
        theirs = utils.get_rolling_token_windows(tokens, PREFIX, 7, 1)
        ours = [(list(w.inputs), list(w.targets)) for w in rolling_windows(tokens, PREFIX, 7)]
        assert ours == [(list(one), list(two)) for one, two in theirs]
    model = load_model(tiny_model).requires_grad_(False)
    tokenizer = ChatTokenizer.from_dir(tiny_model)
    text = "Zwölf große Boxkämpfer jagen Viktor quer über den Sylter Deich. " * 4
    texts = [text[:length] for length in LENGTHS]
    assert max(len(tokenizer.encode(one)) for one in texts) > 3 * WINDOW
    peer = HFLM(
        pretrained=model, tokenizer=AutoTokenizer.from_pretrained(tiny_model), batch_size=3,
        softmax_dtype="float32", max_length=WINDOW,
    )  # fmt: skip
    wanted = peer.loglikelihood_rolling(
        [SimpleNamespace(args=(one,)) for one in [*texts, ""]], disable_tqdm=True
    )
    prefix = tokenizer.bos_id if tokenizer.bos_id is not None else tokenizer.eos_id
    assert prefix == peer.prefix_token_id
    requests = [TextRequest(tuple(tokenizer.encode(one)), prefix, WINDOW) for one in [*texts, ""]]
    ours_of = [answer.logprob for answer in score_texts(Engine(model, 0), requests)]
    assert ours_of == pytest.approx(wanted, abs=1e-4)
    assert ours_of[-1] == 0
