"""Whole evaluations with other models' opinions, and what is refused before weights load."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from evalsuite.engine.request import EvalRequest
from evalsuite.engine.subjects import find_subject
from evalsuite.models.source import directory_source
from evalsuite.opinions.checks import refuse_opinions
from evalsuite.recipe import EvalSection
from evalsuite.report import read_results
from evalsuite.report.judgement_words import judge_sentence, win_sentence
from evalsuite.run import run_evaluation
from evalsuite.tasks import LoadedSuite, load_suite
from tests.curate.synth.conftest import Served
from tests.evalsuite.opinions.conftest import SuiteMaker, asked, section
from workspace.errors import ModelError, RecipeError, UsageError
from workspace.layout import Workspace

HEAD = "schema_version: 1\nname: mine\npurpose: retention\nmin_items: 4\nmargin: 0.4\ntasks:\n"
TASK = """\
  - name: {name}
    kind: generation
    data: rows.jsonl
    prompt: "{{{{ question }}}}"
    max_new_tokens: 5
    scorer: {scorer}
"""


class Silent:
    def doing(self, what: str) -> None:
        pass

    def answered(self, model: str, task: str, done: int, total: int) -> None:
        pass


@pytest.fixture(scope="module")
def reward_model(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A reward model with the tiny model's tokenizer and template."""
    import shutil

    import torch
    from transformers import LlamaConfig, LlamaForSequenceClassification

    path = tmp_path_factory.mktemp("reward") / "model"
    shutil.copytree(tiny_model, path, ignore=shutil.ignore_patterns("*.safetensors"))
    torch.manual_seed(3)
    config = LlamaConfig.from_pretrained(tiny_model, num_labels=1)
    LlamaForSequenceClassification(config).save_pretrained(path)
    return path


def suite_in(directory: Path, rows: int = 8, **scorers: Any) -> LoadedSuite:
    """Write a suite with a task for each scorer."""
    directory.mkdir(exist_ok=True)
    lines = [json.dumps({"id": n, "question": f"say {'abcdefgh'[n % 8]}{n}"}) for n in range(rows)]
    (directory / "rows.jsonl").write_text("\n".join(lines))
    tasks = [TASK.format(name=name, scorer=json.dumps(one)) for name, one in scorers.items()]
    (directory / "suite.yaml").write_text(HEAD + "".join(tasks))
    return load_suite(directory / "suite.yaml")


def judged_by(served: Served, **settings: Any) -> dict[str, Any]:
    return {
        "backend": served.backend(patience_seconds=0.2),
        "rubric": "Is it kind? [bold]\x1b[31m<script>",
        "budget": {"requests": 500},
        "repairs": 0,
        **settings,
    }


def request_for(base: Path, tuned: Path, *suites: LoadedSuite, root: Path) -> EvalRequest:
    return EvalRequest(
        "test",
        directory_source(base, name="tiny"),
        (find_subject(str(tuned), Workspace(root)),),
        suites,
        EvalSection(noise_items=4),
        "float32",
    )


def test_an_evaluation_waits_for_opinions_and_reports_them(
    served: Served, tiny_model: Path, tiny_adapter: Path, reward_model: Path, tmp_path: Path
) -> None:
    def answer(body: Any) -> str:
        text = asked(body)
        if "SECOND ANSWER" in text:
            return '{"better": "first", "reason": "[red]<b>\\u001b[0m"}'
        return json.dumps({"score": 1 + len(section(text, "ANSWER")) % 5})

    served.script.answer = answer
    down = served.backend(base_url="http://127.0.0.1:9/v1", patience_seconds=0.1)
    suite = suite_in(
        tmp_path / "suites",
        compared={"kind": "pairwise", **judged_by(served)},
        graded={"kind": "judge", **judged_by(served)},
        nobody={"kind": "judge", **judged_by(served, backend=down)},
        rewarded={"kind": "reward_model", "model": str(reward_model)},
        short={"kind": "length", "most": 9, "least": 0},
    )
    request = request_for(tiny_model, tiny_adapter, suite, root=tmp_path)
    done = run_evaluation(request, Workspace(tmp_path), Silent())
    results = read_results(done.directory)
    (comparison,) = results.comparisons
    found = {one.name: one for one in comparison.verdict.abilities}
    assert comparison.verdict.status != "invalid"
    assert (found["compared"].base, found["compared"].tuned) == (0.5, 0.5)
    assert found["graded"].n == found["short"].n == 8
    assert found["nobody"].verdict == "not measured" and found["nobody"].state == "error"
    assert "does not answer" in found["nobody"].detail
    assert not found["rewarded"].bounded and found["rewarded"].n == 8
    assert found["rewarded"].chance is None
    assert [one.kind for one in results.judges] == ["pairwise", "judge", "judge", "reward_model"]
    assert results.win_rates[0].first_position_bias == 1.0
    rows = pq.read_table(done.directory / "samples.parquet").to_pylist()
    rewards = [row["score"] for row in rows if row["task"] == "rewarded"]
    assert len({round(value, 6) for value in rewards}) > 8
    html = (done.directory / "report.html").read_text()
    text = (done.directory / "report.md").read_text()
    for page in (html, text):
        assert "What other models judged" in page
        assert "uncalibrated" in page and "<b>\x1b" not in page
    assert win_sentence(results.win_rates[0]) in text.replace("\\|", "|")
    sent = len(served.script.requests)
    run_evaluation(request, Workspace(tmp_path), Silent())
    assert len(served.script.requests) == sent


def test_a_model_with_a_failed_check_is_not_judged(
    served: Served, tiny_model: Path, adapter_maker: Callable[..., Path], tmp_path: Path
) -> None:
    idle = adapter_maker(tiny_model, tmp_path / "idle", active=False)
    suite = suite_in(tmp_path / "suites", rows=4, graded={"kind": "judge", **judged_by(served)})
    request = request_for(tiny_model, idle, suite, root=tmp_path)
    results = run_evaluation(request, Workspace(tmp_path), Silent()).results
    assert results.comparisons[0].verdict.status == "invalid"
    assert results.judges == [] and results.win_rates == []
    assert served.script.requests == []


def test_a_reward_model_scores_as_transformers_does(
    suite_of: SuiteMaker, reward_model: Path, tmp_path: Path
) -> None:
    import torch
    from transformers import AutoTokenizer, LlamaForSequenceClassification

    from evalsuite.opinions.stage import with_opinions
    from tests.evalsuite.opinions.conftest import answers

    suite = suite_of({"kind": "reward_model", "model": str(reward_model), "dtype": "float32"})
    long = "very " * 200  # 1,000 bytes; the model reads 512
    given = answers(suite, base=["yes", "no", ""], tuned=["maybe so", "[b]\x1b[0m", long])
    judged = with_opinions([suite], given, tmp_path, lambda what: None)
    found = [one.score for one in judged.samples["tuned"]["mine", "tone"]]
    tokenizer = AutoTokenizer.from_pretrained(reward_model)
    model = LlamaForSequenceClassification.from_pretrained(reward_model, dtype=torch.float32)
    chat = [
        {"role": "user", "content": "question 0?"},
        {"role": "assistant", "content": "maybe so"},
    ]
    ids = tokenizer.apply_chat_template(chat, return_tensors="pt", return_dict=True)
    with torch.inference_mode():
        wanted = float(model(**ids).logits[0, 0])
    assert found[0] == pytest.approx(wanted, abs=1e-5)
    assert found[2] != found[2]
    assert "more than the 512" in judged.samples["tuned"]["mine", "tone"][2].detail
    assert judged.judges[0].ungraded == 1


def test_rewards_within_0_and_1_are_still_no_shares() -> None:
    from evalsuite.gate import judge
    from evalsuite.verdict import PairedAbility

    base, tuned = [0.2, 0.4, 0.6, 0.8] * 3, [0.3, 0.5, 0.6, 0.9] * 3
    ids = [str(number) for number in range(12)]
    plain, rewards = (
        judge([PairedAbility("a", "retention", base, tuned, ids, min_items=2, bounded=bounded)])
        for bounded in (None, False)
    )
    assert plain.abilities[0].bounded and not rewards.abilities[0].bounded
    assert "+7.5 points" in plain.abilities[0].sentence
    assert (
        "+0.075" in rewards.abilities[0].sentence and "points" not in rewards.abilities[0].sentence
    )


def test_no_model_judges_itself(
    served: Served,
    tiny_model: Path,
    tiny_adapter: Path,
    run_writer: Callable[..., Path],
    model_maker: Callable[..., Path],
    tmp_path: Path,
) -> None:
    run = run_writer(tmp_path / "run-7", tiny_model, tiny_adapter)
    other = model_maker(tmp_path / "other", seed=5)

    def check(backend: Any, tuned: Path, kind: str = "judge") -> None:
        suite = suite_in(tmp_path / "suites", one={"kind": kind, **judged_by(served)} | backend)
        request_for(tiny_model, tuned, suite, root=tmp_path).check()

    for kind in ("judge", "pairwise"):
        for name in ("tiny", "owner/Tiny", "mine", "run-7"):
            named = {"backend": served.backend(model=name)}
            with pytest.raises(UsageError, match="may not judge itself") as caught:
                check(named, run, kind)
            assert "task one, scorer.backend" in str(caught.value)
    for path, tuned in ((tiny_model, run), (other, other)):
        with pytest.raises(UsageError, match="may not judge itself"):
            check({"backend": {"path": str(path)}}, tuned)
    check({"backend": served.backend(model="tiny-instruct")}, run)
    check({"backend": {"path": str(other)}}, run)


def test_a_missing_key_is_told_before_weights_load(
    served: Served, tiny_model: Path, tiny_adapter: Path, tmp_path: Path
) -> None:
    backend = served.backend(api_key="env:NO_SUCH_JUDGE_API_KEY")
    suite = suite_in(
        tmp_path / "suites", one={"kind": "judge", **judged_by(served)} | {"backend": backend}
    )
    with pytest.raises(UsageError, match="NO_SUCH_JUDGE_API_KEY"):
        request_for(tiny_model, tiny_adapter, suite, root=tmp_path).check()


def test_what_needs_scores_at_once_refuses_opinions(served: Served, tmp_path: Path) -> None:
    judged = suite_in(tmp_path / "suites", one={"kind": "pairwise", **judged_by(served)})
    with pytest.raises(UsageError, match=r"the probe cannot wait.*temper eval"):
        refuse_opinions([judged], "the probe")
    plain = suite_in(tmp_path / "suites", one={"kind": "length", "most": 3})
    refuse_opinions([plain], "the probe")


def test_scores_of_different_units_have_no_common_ability(
    served: Served, reward_model: Path, tmp_path: Path
) -> None:
    directory = tmp_path / "suites"
    directory.mkdir()
    one = json.dumps({"kind": "pairwise", **judged_by(served)})
    tasks = TASK.format(name="one", scorer=one) + TASK.format(name="two", scorer="length")
    text = HEAD + tasks.replace("kind: generation", "kind: generation\n    ability: same")
    (directory / "suite.yaml").write_text(text)
    with pytest.raises(RecipeError, match="no comparisons beside right or wrong in ability same"):
        load_suite(directory / "suite.yaml")


def test_what_is_no_reward_model_is_refused_when_the_suite_is_read(
    tiny_model: Path, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match="this is no reward model"):
        suite_in(tmp_path / "a", one={"kind": "reward_model", "model": str(tiny_model)})
    with pytest.raises(ModelError, match="there is no such reward model"):
        suite_in(tmp_path / "b", one={"kind": "reward_model", "model": "nowhere"})


def test_judges_are_described_in_words(served: Served, tmp_path: Path) -> None:
    from evalsuite.report.judgements import JudgeRecord, WinRateRecord

    record = JudgeRecord(
        suite="s", task="tone", ability="tone", kind="judge", judge="m at u", votes=3,
        vote_variance=0.0125, ungraded=2, problem="no grade", human_labels=100,
        agreement=0.85, kappa=0.699519, spent="9 requests",
    )  # fmt: skip
    assert judge_sentence(record) == (
        "tone: graded by m at u; 3 votes each, variance 0.0125; 2 without a score (no grade); "
        "agrees with people on 85.0\u202f% of 100 labels (Cohen's kappa 0.70); 9 requests"
    )
    rate = WinRateRecord(
        suite="s", task="tone", ability="tone", tuned="mine", n=200, rate=0.565, low=0.5023,
        high=0.6276, wins=96, ties=34, losses=70, sign_p=0.0520058, alike=3, consistency=0.65,
        first_position_bias=-0.1, controlled_rate=0.51, controlled_low=0.4, controlled_high=0.6,
        length_difference=-40.2,
    )  # fmt: skip
    said = win_sentence(rate).replace("\u202f", " ")
    assert "mine wins 56.5 % against the base (95 % interval 50.2 % to 62.8 %" in said
    assert "96 won, 34 tied, 70 lost; sign test p 0.052" in said
    assert "51.0 % at equal length (its answers are 40 characters shorter in the mean)" in said
    assert "both orders agree on 65.0 %, what comes first gets −10.0 points" in said
