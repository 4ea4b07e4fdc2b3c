"""Where a value of the form comes from, also while the plan's answer is of an earlier text."""

from __future__ import annotations

from tui.form.estimate import Estimate
from tui.form.fields import find
from tui.form.state import RecipeState
from tui.widgets.field_help import help_of

RATE, MICRO = ("train", "learning_rate"), ("train", "micro_batch_size")
PLANNED = Estimate(
    reasons={
        "train.learning_rate": ("0.0002", "recipe"),
        "train.micro_batch_size": ("8", "least padding"),
    }
)


def told(state, key):
    field = find(state.reading.fields, key)
    return state.value_of(field), *state.origin_of(field)


def test_what_the_recipe_said_is_not_told_as_the_plans_once_it_is_taken_out(read, recipe_text):
    state = RecipeState(reading=read(recipe_text), estimates=(PLANNED,))
    assert told(state, RATE)[0] == "0.0002"
    assert told(state, MICRO) == ("8", "plan", "plan")
    without = recipe_text.replace("  learning_rate: 2e-4\n", "")
    state = RecipeState(reading=read(without), estimates=(PLANNED,), is_stale=True)
    value, kind, _ = told(state, RATE)
    assert (value, kind) == ("not set", "default")
    assert "0.0002" not in str(help_of(find(state.reading.fields, RATE), state))
    assert told(state, MICRO) == ("8", "plan", "earlier plan")
