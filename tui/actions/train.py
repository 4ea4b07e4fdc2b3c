"""Keys of a recipe's form, of its YAML, and of its proofs."""

from __future__ import annotations

from tui.actions.action import Action, Scope

_FORM: tuple[Scope, ...] = ("train",)
_YAML: tuple[Scope, ...] = ("train-yaml",)
_BOTH: tuple[Scope, ...] = ("train", "train-yaml")
_EITHER: tuple[Scope, ...] = ("train", "proofs")

ACTIONS = (
    Action("recipe", ("e",), "e", "recipe", "The recipe of the run, as a form.", ("home",)),
    Action("edit", ("enter", "l", "right"), "enter l", "change", "Unfold, or change.", _FORM, True),
    Action("fold", ("h", "left", "escape"), "h", "fold", "Fold, or go to the block around.", _FORM),
    Action("start", ("S",), "S", "start", "Start training as shown, detached.", _FORM, True),
    Action("pane", ("tab",), "tab", "yaml", "Between the form and its YAML.", _FORM, True),
    Action("proofs", ("c",), "c", "check", "Checks, mask and rehearsal.", _FORM, True),
    Action("save", ("ctrl+s", "w"), "w", "save", "Save the recipe.", _FORM, True),
    Action("save", ("ctrl+s",), "ctrl+s", "save", "Save the recipe.", _YAML, True),
    Action("leave_yaml", ("escape", "tab"), "esc", "form", "Back to the form.", _YAML, True),
    Action("search", ("slash",), "/", "search", "Find a key or a word of its help.", _FORM, True),
    Action("undo", ("u",), "u", "undo", "Take the last change back.", _FORM, True),
    Action("redo", ("U", "ctrl+r"), "U", "redo", "Make it again.", _FORM),
    Action("unset", ("x",), "x", "default", "Take the value out: its default counts.", _FORM),
    Action("add", ("a",), "a", "add", "One more item of a list, or key of a block.", _FORM),
    Action("whole", ("space",), "space", "all of it", "All that is known here.", _EITHER),
    Action("again(1)", ("n",), "n", "next", "The next one found.", _FORM),
    Action("again(-1)", ("N",), "N", "previous", "The one found before.", _FORM),
    Action("problem", ("e",), "e", "problem", "To the next thing that is wrong.", _FORM),
    Action("recipes", ("o",), "o", "recipes", "Open another recipe.", _FORM),
    Action("new_recipe", ("ctrl+n",), "ctrl+n", "new", "A recipe for a dataset.", _FORM),
    Action("stop_run", ("X",), "X", "stop", "Stop this recipe's run.", _FORM),
    Action("resume_run", ("R",), "R", "resume", "Go on with its newest run.", _FORM),
    Action("queue", ("Q",), "Q", "queue", "Who waits for a GPU.", _FORM),
    Action("refresh", ("r",), "r", "refresh", "Read the file again.", _FORM),
    Action("refresh", ("r",), "r", "refresh", "Check again.", ("proofs",)),
)
