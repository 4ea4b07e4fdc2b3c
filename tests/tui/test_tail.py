from pathlib import Path

from tui.tail import Tail


def test_only_new_whole_lines_are_given(tmp_path: Path):
    path = tmp_path / "log"
    path.write_bytes(b"one\ntwo\nthr")
    tail = Tail(path)
    assert tail.read().lines == (b"one", b"two")
    assert tail.read().lines == ()
    with path.open("ab") as stream:
        stream.write(b"ee\nfour")
    assert tail.read().lines == (b"three",)


def test_a_missing_file_gives_nothing_and_is_read_when_it_comes(tmp_path: Path):
    tail = Tail(tmp_path / "log")
    assert tail.read().lines == ()
    (tmp_path / "log").write_bytes(b"now\n")
    chunk = tail.read()
    assert chunk.lines == (b"now",)
    assert not chunk.restarted


def test_a_replaced_file_begins_anew(tmp_path: Path):
    path = tmp_path / "log"
    path.write_bytes(b"old\n")
    tail = Tail(path)
    tail.read()
    other = tmp_path / "other"
    other.write_bytes(b"newer\n")
    other.replace(path)
    chunk = tail.read()
    assert chunk.restarted
    assert chunk.lines == (b"newer",)


def test_a_cut_file_begins_anew(tmp_path: Path):
    path = tmp_path / "log"
    path.write_bytes(b"one\ntwo\n")
    tail = Tail(path)
    tail.read()
    path.write_bytes(b"x\n")
    assert tail.read().lines == (b"x",)


def test_a_long_file_is_read_in_pieces(tmp_path: Path):
    path = tmp_path / "log"
    path.write_bytes(b"".join(b"%06d\n" % number for number in range(1000)))
    tail = Tail(path)
    lines: list[bytes] = []
    more = True
    while more:
        chunk = tail.read(limit=100)
        lines += chunk.lines
        more = chunk.more
        assert chunk.bytes_read <= 100
    assert lines == [b"%06d" % number for number in range(1000)]


def test_a_line_longer_than_the_limit_is_passed_over(tmp_path: Path):
    path = tmp_path / "log"
    path.write_bytes(b"a\n" + b"x" * 5000 + b"\nb\n")
    tail = Tail(path)
    lines: list[bytes] = []
    more = True
    while more:
        chunk = tail.read(limit=100)
        lines += chunk.lines
        more = chunk.more
    assert lines == [b"a", b"b"]


def test_it_can_begin_near_the_end_at_a_whole_line(tmp_path: Path):
    path = tmp_path / "log"
    path.write_bytes(b"".join(b"%06d\n" % number for number in range(1000)))
    tail = Tail(path)
    tail.skip_to_last(20)
    assert tail.read().lines == (b"000998", b"000999")
