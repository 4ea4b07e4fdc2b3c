"""The peers of bench/dedupe.py: programs that read `source`, and find the rows that are `gone`.

All compare sets of word pairs at a Jaccard similarity of about 0.5, the first row of a group stays.
text-dedup verifies its candidates, datatrove works from files in four stages.
"""

APART = ("text_dedup", "datatrove")
"""Peers that need an interpreter of their own."""
PEERS = {
    "gaoya": """
import orjson
from gaoya.minhash import MinHashStringIndex
rows = [line for line in open(source, "rb")]
parsed = [orjson.loads(line) for line in rows]
texts = [row["instruction"] + " " + row["output"] for row in parsed]
index = MinHashStringIndex(32, 0.5, 42, 3, None, "word", True, (2, 2), id_container="smallvec")
index.par_bulk_insert_docs(list(range(len(texts))), texts)
gone = set()
for row, found in enumerate(index.par_bulk_query(texts)):
    if row not in gone:
        gone.update(other for other in found if other > row)
""",
    "rensa": """
import orjson
from rensa import RMinHash, RMinHashDeduplicator
rows = [line for line in open(source, "rb")]
parsed = [orjson.loads(line) for line in rows]
dedup = RMinHashDeduplicator(threshold=0.5, num_perm=128, use_lsh=True, num_bands=32, seed=42)
gone = set()
for number, row in enumerate(parsed):
    words = (row["instruction"] + " " + row["output"]).lower().split()
    sketch = RMinHash(num_perm=128, seed=42)
    sketch.update([first + " " + second for first, second in zip(words, words[1:])])
    if not dedup.add(str(number), sketch):
        gone.add(number)
""",
    "datasketch": """
import orjson
from datasketch import MinHash, MinHashLSH
rows = [line for line in open(source, "rb")]
parsed = [orjson.loads(line) for line in rows]
lsh = MinHashLSH(threshold=0.5, num_perm=128)
def pairs(row):
    words = (row["instruction"] + " " + row["output"]).lower().split()
    return [(first + " " + second).encode() for first, second in zip(words, words[1:])]
tokens = (pairs(row) for row in parsed)
gone = set()
for number, sketch in enumerate(MinHash.generator(tokens, num_perm=128)):
    found = lsh.query(sketch)
    if found:
        gone.add(number)
    else:
        lsh.insert(number, sketch)
""",
    "text_dedup": '''
import contextlib, logging, orjson, os, tempfile
from pathlib import Path
work = Path(tempfile.mkdtemp())
os.environ.update(HF_HOME=str(work), HF_DATASETS_OFFLINE="1", HF_DATASETS_DISABLE_PROGRESS_BARS="1")
from datasets import Dataset, load_from_disk
from text_dedup.config import Config
from text_dedup.minhash import main
rows = [line for line in open(source, "rb")]
parsed = [orjson.loads(line) for line in rows]
texts = [row["instruction"] + " " + row["output"] for row in parsed]
Dataset.from_dict({"number": range(len(texts)), "text": texts}).save_to_disk(str(work / "in"))
(work / "config.toml").write_text(f"""
[input]
input_type = "local_hf_dataset"
read_arguments = {{ dataset_path = "{work}/in" }}
[algorithm]
algorithm_name = "minhash"
text_column = "text"
num_perm = 128
threshold = 0.5
ngram_size = 2
min_length = 1
check_false_positive = true
num_proc = 2
[output]
output_dir = "{work}/out"
clean_cache = true
[debug]
""")
from text_dedup.config.base import load_config_from_toml
with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
    main(load_config_from_toml(work / "config.toml"))
gone = set(range(len(rows))) - set(load_from_disk(str(work / "out"))["number"])
''',
    "datatrove": """
import orjson, tempfile
from pathlib import Path
from datatrove.data import Document
from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.dedup import MinhashDedupBuckets, MinhashDedupCluster
from datatrove.pipeline.dedup import MinhashDedupFilter, MinhashDedupSignature
from datatrove.pipeline.dedup.minhash import MinhashConfig
from datatrove.utils.word_tokenizers import WhitespaceTokenizer
work = Path(tempfile.mkdtemp())
rows = [line for line in open(source, "rb")]
parsed = [orjson.loads(line) for line in rows]
def documents(data=None, rank=0, world_size=1):
    for number, row in enumerate(parsed):
        yield Document(row["instruction"] + " " + row["output"], str(number))
kept = []
def keep(data, rank=0, world_size=1):
    for document in data:
        kept.append(int(document.id))
        yield document
config = MinhashConfig()  # its own: with 32 buckets of 3 hashes it does not end within the hour
from loguru import logger
logger.remove()
names = ("signatures", "buckets", "remove")
signatures, buckets, remove = (str(work / name) for name in names)
signature = MinhashDedupSignature(signatures, config, WhitespaceTokenizer())
for stage in (
    [documents, signature],
    [MinhashDedupBuckets(signatures, buckets, config=config)],
    [MinhashDedupCluster(buckets, remove, config=config)],
    [documents, MinhashDedupFilter(remove), keep],
):
    tasks = config.num_buckets if isinstance(stage[0], MinhashDedupBuckets) else 1
    for rank in range(tasks):
        data = None
        for step in stage:
            data = step(data, rank, tasks)
        for _ in data or ():
            pass
gone = set(range(len(rows))) - set(kept)
""",
}
FRAME = (
    "import sys\nsource, target = sys.argv[1:]\n{body}\n"
    'with open(target, "wb") as out:\n'
    "    out.writelines(line for number, line in enumerate(rows) if number not in gone)\n"
)
