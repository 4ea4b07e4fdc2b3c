"""The key of a server and the key of `evaluate.served` are named by one rule."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from evalsuite.asking.backends.configs import EndpointConfig
from train.serve.key import given_key
from workspace.errors import UsageError

KEY = "abcdefghijklmnop1234"


def test_both_sides_take_and_refuse_the_same_names(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TKEY", "TICKETS_API_KEY"):
        monkeypatch.setenv(name, KEY)
    at = "http://127.0.0.1:8000/v1"
    assert given_key("TICKETS_API_KEY") == KEY
    assert EndpointConfig(base_url=at, model="m", api_key="env:TICKETS_API_KEY").api_key
    with pytest.raises(UsageError) as serve:
        given_key("TKEY")
    with pytest.raises(ValidationError) as served:
        EndpointConfig(base_url=at, model="m", api_key="env:TKEY")
    assert "ends in API_KEY" in serve.value.cause and KEY not in str(serve.value)
    assert "ends in API_KEY" in str(served.value) and "env:TKEY" in str(served.value)


@pytest.mark.parametrize("written", [KEY, f"env:{KEY}", "env:AKIA" + "A" * 16])
def test_what_may_be_a_key_is_not_repeated(written: str) -> None:
    with pytest.raises(ValidationError) as caught:
        EndpointConfig(base_url="http://127.0.0.1:8000/v1", model="m", api_key=written)
    assert written.removeprefix("env:") not in str(caught.value)
