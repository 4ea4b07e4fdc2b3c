"""Secrets, GPUs and hang-ups."""

import os
from pathlib import Path

import pytest

from workspace.claims import claim
from workspace.errors import WorkError
from workspace.gpus import Gpu
from workspace.hangup import check_survival
from workspace.secrets import redact

FREE = Gpu(0, "GPU-test-free", "Test", 80 * 2**30, 79 * 2**30, 0)
FULL = Gpu(1, "GPU-test-full", "Test", 80 * 2**30, 10 * 2**30, 1)


@pytest.fixture(autouse=True)
def locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workspace.gpu_locks.LOCKS", tmp_path / "locks")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def test_the_free_gpu_is_chosen_by_uuid_and_given_back() -> None:
    with claim(found=[FULL, FREE]) as chosen:
        assert chosen.gpu == FREE and "79 GiB free" in chosen.reason
        assert os.environ["CUDA_VISIBLE_DEVICES"] == FREE.uuid
    assert "CUDA_VISIBLE_DEVICES" not in os.environ


def test_a_gpu_that_another_job_holds_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    with claim(found=[FREE]):
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
        with pytest.raises(WorkError, match="every GPU is taken") as caught, claim(found=[FREE]):
            pass
    assert f"(pid {os.getpid()})" in caught.value.cause
    with claim(found=[FREE]) as again:
        assert again.gpu == FREE


def test_another_users_processes_keep_a_gpu_out_of_reach() -> None:
    with pytest.raises(WorkError) as caught, claim(found=[FULL]):
        pass
    assert "has 1 process of others." in caught.value.cause


def test_a_persons_order_is_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with claim(found=[FREE]) as chosen:
        assert chosen.device == "cpu" and "obeyed" in chosen.reason


def test_an_order_for_one_gpu_is_obeyed_and_locks_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for order in ("1", FULL.uuid, "GPU-test-fu"):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", order)
        with claim(found=[FREE, FULL]) as chosen:  # busy, and an order all the same
            assert (chosen.device, chosen.gpu) == ("cuda", FULL)
            assert os.environ["CUDA_VISIBLE_DEVICES"] == order
            with claim(found=[FREE, FULL]) as second:
                assert "this process has it already" in second.reason


def test_of_several_ordered_gpus_the_freest_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    half = Gpu(2, "GPU-test-half", "Test", 80 * 2**30, 40 * 2**30, 0)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,2")
    with claim(found=[FREE, FULL, half]) as chosen:
        assert chosen.gpu == half and os.environ["CUDA_VISIBLE_DEVICES"] == half.uuid
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "1,2"


def test_a_slice_that_the_driver_does_not_list_is_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-4f2c")
    with claim(found=[FREE]) as chosen:
        assert (chosen.device, chosen.gpu) == ("cuda", None)


def test_without_a_gpu_the_cpu_is_used() -> None:
    with claim(found=[]) as chosen:
        assert chosen.device == "cpu"


def test_values_of_secret_variables_are_removed_from_text(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MY_TOKEN", "canary-secret-value")
    assert redact("x canary-secret-value y") == "x [secret MY_TOKEN] y"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("to postgresql://ml:hunter2@db/x, now", "to postgresql://[secret]@db/x, now"),
        ("https://ml:hunt@er2@host:1/a@b", "https://[secret]@host:1/a@b"),
        ("mysql://db/x?user=ml&password=hunter2&a=1", "mysql://db/x?user=ml&password=[secret]&a=1"),
        ("http://host:80/a@b, mail c@d", "http://host:80/a@b, mail c@d"),
    ],
)
def test_a_password_in_an_address_is_removed(said: str, shown: str) -> None:
    assert redact(said) == shown


def test_a_login_manager_that_kills_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_SESSION_ID", "3")
    monkeypatch.setattr("getpass.getuser", lambda: "ada")
    configuration = tmp_path / "logind.conf"
    configuration.write_text("[Login]\n#KillUserProcesses=no\nKillUserProcesses=yes\n")
    found = check_survival([configuration], tmp_path)
    assert not found.survives and "enable-linger ada" in found.cure
    (tmp_path / "ada").touch()
    assert check_survival([configuration], tmp_path).survives
    configuration.write_text("[Login]\n#KillUserProcesses=yes\n")
    (tmp_path / "ada").unlink()
    assert check_survival([configuration], tmp_path).survives
