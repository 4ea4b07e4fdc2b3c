"""What `temper plan` says of memory and time, against a GPU.

    python -P bench/plan_memory.py                       # every case that the plan says fits
    python -P bench/plan_memory.py --only qwen-0.6b      # cases whose name begins so
    python -P bench/plan_memory.py --json results.json

`-P` keeps this directory off the import path, where train.py would be taken for the package.

Random weights in the shapes of Qwen3-0.6B, Llama-3.2-3B and Llama-3.1-8B; full, LoRA and QLoRA;
trl's SFTTrainer with the arguments of `train.trl_bridge.arguments`; rows of random tokens, all of
one length and all trained. Each case is a process of its own, so that none inherits memory.
Measured are the peak of what the allocator held, with what the device held beside it (the CUDA
context), and the median seconds of a step after two to warm up. Wanted: memory within 10 %,
seconds within the plan's range or 20 % of it. QLoRA writes the weights to a temporary directory,
since bitsandbytes quantises while loading.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parent / "parts"))

from training.shapes import SHAPES

from train.estimate.compute import Hours, Work, flops_per_token, hours
from train.estimate.estimate import Question
from train.estimate.families import shape_of
from train.estimate.gpus import GpuType
from train.estimate.memory import GIB, Load, memory
from train.estimate.shapes import ModelShape
from train.estimate.ways import WAYS, Demand, Way, WayName, ways

STEPS, WARM = 8, 2
MEMORY_WITHIN, TIME_WITHIN = 0.10, 0.20


@dataclass(frozen=True)
class Case:
    """One shape, one way, so many rows of one length at once."""

    shape: str
    way: WayName
    micro_batch: int
    length: int

    @property
    def name(self) -> str:
        """As `--only` takes it."""
        return f"{self.shape} {self.way} {self.micro_batch}x{self.length}"


@dataclass(frozen=True)
class Measured:
    """What a GPU took."""

    peak_bytes: int
    step_seconds: float


@dataclass(frozen=True)
class Line:
    """A case with both numbers."""

    case: Case
    planned_bytes: int
    planned: Hours | None
    """Of one step."""
    measured: Measured

    @property
    def memory_off(self) -> float:
        """How far the plan is from what was measured, as a part of it."""
        return self.planned_bytes / self.measured.peak_bytes - 1

    @property
    def time_off(self) -> float | None:
        """How far what was measured is outside the plan's range; 0 within it."""
        if self.planned is None:
            return None
        seconds = self.measured.step_seconds
        low, high = self.planned.low * 3600, self.planned.high * 3600
        return max(0.0, low / seconds - 1) if seconds < low else min(0.0, high / seconds - 1)

    @property
    def agrees(self) -> bool:
        """Whether both are as near as wanted."""
        return abs(self.memory_off) <= MEMORY_WITHIN and abs(self.time_off or 0) <= TIME_WITHIN


def cases() -> list[Case]:
    """Return every case, the smallest shapes first."""
    sizes = [(1, 2048), (4, 1024), (8, 2048)]
    return [Case(shape, way, *size) for shape in SHAPES for way in WAYS for size in sizes]


def shape(case: Case) -> ModelShape:
    """Return the shape of a case."""
    found = shape_of(SHAPES[case.shape], case.shape)
    assert found is not None
    return found


def way(case: Case) -> Way:
    """Return the way of a case, as a recipe without settings has it."""
    return next(one for one in ways(None, "adamw", "auto") if one.name == case.way)


def planned_bytes(case: Case) -> int:
    """Return what the plan says of memory."""
    load = Load(case.micro_batch, case.length, Demand())
    return memory(shape(case), way(case), load, checkpointing=_checkpointing(case)).total


def planned_step(case: Case, gpu: GpuType) -> Hours | None:
    """Return what the plan says of one step."""
    tokens = case.micro_batch * case.length
    flops = flops_per_token(
        shape(case), way(case), Demand(), case.length, checkpointing=_checkpointing(case)
    )
    return hours(gpu, way(case), Work(tokens, case.length), flops, tokens_at_once=tokens)


def _checkpointing(case: Case) -> bool:
    question = Question(shape(case), (), case.way, Demand(), case.micro_batch, case.length, "")
    return question.checkpointing


def render(lines: Sequence[Line]) -> str:
    """Return the table in Markdown."""
    out = [
        "| case | planned GiB | measured GiB | off | planned s | measured s | off |",
        "|---|---|---|---|---|---|---|",
    ]
    for line in lines:
        seconds, off = "–", "–"
        if line.planned is not None and line.time_off is not None:
            seconds = f"{line.planned.low * 3600:.2f} to {line.planned.high * 3600:.2f}"
            off = f"{line.time_off:+.0%}"
        out.append(
            f"| {line.case.name} | {line.planned_bytes / GIB:.1f} | "
            f"{line.measured.peak_bytes / GIB:.1f} | {line.memory_off:+.0%} | {seconds} | "
            f"{line.measured.step_seconds:.2f} | {off} |"
        )
    good = sum(line.agrees for line in lines)
    out.append(f"\n{good} of {len(lines)} cases within 10 % for memory and 20 % for time.")
    return "\n".join(out)


def measure(case: Case, device: str) -> Measured:
    """Train some steps on random tokens in this process; on a CPU memory is 0."""
    import torch
    from datasets import Dataset
    from transformers import TrainerCallback
    from trl import SFTConfig, SFTTrainer
    from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

    torch.manual_seed(0)
    vocabulary = SHAPES[case.shape]["vocab_size"]
    rows = torch.randint(vocabulary, (STEPS * case.micro_batch, case.length)).tolist()
    data = Dataset.from_dict({"input_ids": rows, "labels": rows})
    times: list[float] = []
    on_gpu = device == "cuda"

    class Clock(TrainerCallback):
        def on_step_begin(self, *arguments: Any, **options: Any) -> None:
            self._wait()
            self.began = time.perf_counter()

        def on_step_end(self, *arguments: Any, **options: Any) -> None:
            self._wait()
            times.append(time.perf_counter() - self.began)

        def _wait(self) -> None:
            if on_gpu:
                torch.cuda.synchronize()

    with tempfile.TemporaryDirectory() as directory:
        model, adapter = _model(case, device, Path(directory))
        arguments = SFTConfig(
            output_dir=directory,
            max_length=None,
            max_steps=STEPS,
            per_device_train_batch_size=case.micro_batch,
            learning_rate=1e-5,
            optim="adamw_torch_fused",
            use_cpu=not on_gpu,
            bf16=on_gpu,
            gradient_checkpointing=on_gpu and _checkpointing(case),
            logging_strategy="no",
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            dataset_kwargs={"skip_prepare_dataset": True},
            packing=False,
            loss_type="nll",
        )
        SFTTrainer(
            model=model,
            args=arguments,
            train_dataset=data,
            processing_class=_tokenizer(),
            data_collator=DataCollatorForLanguageModeling(pad_token_id=0),
            peft_config=adapter,
            callbacks=[Clock()],
        ).train()
    return Measured(_peak() if on_gpu else 0, statistics.median(times[WARM:]))


def _model(case: Case, device: str, directory: Path) -> tuple[Any, Any]:
    import torch
    from peft import LoraConfig
    from transformers import AutoConfig, AutoModelForCausalLM, BitsAndBytesConfig

    options = dict(SHAPES[case.shape])
    config = AutoConfig.for_model(options.pop("model_type"), **options)
    dtype = torch.float32 if case.way == "full" or device == "cpu" else torch.bfloat16
    with torch.device(device):
        model = AutoModelForCausalLM.from_config(config, dtype=dtype)
    if case.way == "full":
        return model, None
    adapter = LoraConfig(r=way(case).r, target_modules="all-linear", task_type="CAUSAL_LM")
    if case.way == "lora":
        return model, adapter
    model.save_pretrained(directory)
    del model
    if device == "cuda":
        torch.cuda.empty_cache()
    quantised = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )
    model = AutoModelForCausalLM.from_pretrained(
        directory, quantization_config=quantised, dtype=dtype, device_map={"": device}
    )
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    return model, adapter


def _tokenizer() -> Any:
    """Return a tokenizer that trl can ask for its padding: rows are tokens already."""
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    empty = Tokenizer(models.WordLevel({"<pad>": 0}, unk_token="<pad>"))
    return PreTrainedTokenizerFast(tokenizer_object=empty, pad_token="<pad>", eos_token="<pad>")


def _peak() -> int:
    import torch

    free, total = torch.cuda.mem_get_info()
    beside = total - free - torch.cuda.memory_reserved()
    return int(torch.cuda.max_memory_reserved() + beside)


def _here() -> GpuType | None:
    from train.estimate.gpus import compared
    from workspace.gpus import list_gpus

    return next((one for one in compared(None, (), (), list_gpus()) if one.is_here), None)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print the table; 2 where there is no GPU, 1 where the plan is too far off."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--only", default="", help="beginning of the names of cases")
    parser.add_argument("--json", type=Path, help="write the figures there too")
    parser.add_argument("--case", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.case:
        print(json.dumps(asdict(measure(Case(**json.loads(given.case)), "cuda"))))
        return 0
    gpu = _here()
    if gpu is None:
        print("no NVIDIA GPU was found: there is nothing to measure the plan against")
        return 2
    lines = []
    for case in cases():
        if not case.name.startswith(given.only):
            continue
        if planned_bytes(case) > 0.95 * gpu.memory_bytes:
            print(f"{case.name}: does not fit by the plan, left out", file=sys.stderr)
            continue
        command = [sys.executable, "-P", __file__, "--case", json.dumps(asdict(case))]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            print(f"{case.name}: failed with exit code {done.returncode}", file=sys.stderr)
            continue
        measured = Measured(**json.loads(done.stdout.strip().splitlines()[-1]))
        lines.append(Line(case, planned_bytes(case), planned_step(case, gpu), measured))
        print(render(lines[-1:]).splitlines()[2], file=sys.stderr)
    print(f"{gpu.name}\n\n{render(lines)}")
    if given.json:
        given.json.write_text(json.dumps([asdict(line) for line in lines], indent=2))
    return 0 if lines and all(line.agrees for line in lines) else 1


if __name__ == "__main__":
    sys.exit(main())
