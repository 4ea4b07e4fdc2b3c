"""`--to hub`: an adapter or a merged model in a repository of the hub, private unless told.

The token is the one of huggingface_hub: `HF_TOKEN` in the environment, or what `hf auth login`
keeps. It is never an argument, and no file of ours holds it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from evalsuite.models.source import hub_offline
from train.export.adapter import AdapterExporter
from train.export.base import Artefact, Options, Target
from train.export.merged import MergedExporter
from train.export.shipment import Shipment
from workspace.errors import TemperError, UsageError, WorkError
from workspace.files import read_json, write_json
from workspace.secrets import looks_like_secret, redact

if TYPE_CHECKING:
    from huggingface_hub import HfApi

_LEFTOVERS = [
    "adapter_*",
    "*.safetensors",
    "*.safetensors.index.json",
    "config.json",
    "base.json",
]
"""Weights and settings that an earlier push of another form may have left in the repository."""
_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)


class HubExporter:
    """A repository."""

    name: ClassVar[Target] = "hub"
    about: ClassVar[str] = "a repository of the Hugging Face hub, private by default"

    def check(self, shipment: Shipment, options: Options) -> None:
        """Refuse a wrong name, a missing token, a hub that does not answer."""
        if not _NAME.fullmatch(options.out) or looks_like_secret(options.out):
            raise UsageError(
                "the hub's names are owner/name",
                where="OUT" if looks_like_secret(options.out) else options.out,
                cure="For example: temper export RUN --to hub yourname/triage",
            )
        inner = _inner(shipment, options)
        if shipment.begins and isinstance(inner, AdapterExporter):
            raise UsageError(
                "nobody else could load this adapter",
                where=shipment.run.name,
                cause=f"It fits the weights that its run began with, made of "
                f"{shipment.begins['root']['name']} by an earlier run; they are on no hub.",
                cure="Push the whole model: --push merged",
            )
        inner.check(shipment, _local(options, shipment.run / "hub"))
        if hub_offline():
            raise WorkError(
                "the hub may not be asked", cause="HF_HUB_OFFLINE is set.", cure="Unset it."
            )
        _check_repository(options)

    def write(self, shipment: Shipment, options: Options, directory: Path) -> Artefact:
        """Write what will be pushed, without this machine's paths."""
        artefact = _inner(shipment, options).write(shipment, options, directory)
        config = directory / "adapter_config.json"
        if config.is_file() and not shipment.base.revision:
            document = read_json(config, kind="adapter")
            write_json(
                config, {**document, "base_model_name_or_path": Path(shipment.base.name).name}
            )
        return artefact

    def deliver(self, shipment: Shipment, options: Options, directory: Path) -> str:
        """Push it in one commit, so that the repository has all of it or nothing."""
        api = _api()
        try:
            api.create_repo(options.out, private=not options.public, exist_ok=True)
            found = api.upload_folder(
                repo_id=options.out,
                folder_path=directory,
                delete_patterns=_LEFTOVERS,
                commit_message=f"{shipment.run.name}, exported by welltempered",
            )
        except Exception as error:  # the hub's library raises a dozen kinds
            raise _refused(options.out, error) from error
        return str(found.commit_url)


def _inner(shipment: Shipment, options: Options) -> AdapterExporter | MergedExporter:
    kind = options.push or ("adapter" if shipment.subject.kind == "adapter" else "merged")
    return AdapterExporter() if kind == "adapter" else MergedExporter()


def _local(options: Options, directory: Path) -> Options:
    from dataclasses import replace

    return replace(options, out=str(directory))


def _api() -> HfApi:
    from huggingface_hub import HfApi

    return HfApi()


def _check_repository(options: Options) -> None:
    from huggingface_hub import get_token
    from huggingface_hub.errors import RepositoryNotFoundError

    if get_token() is None:
        raise UsageError(
            "there is no token for the hub",
            where=options.out,
            cure="export HF_TOKEN=… (with write access), or `hf auth login`. It is never given on "
            "the command line, where other users of the machine could read it.",
        )
    try:
        found = _api().repo_info(options.out)
    except RepositoryNotFoundError:
        return
    except Exception as error:
        raise _refused(options.out, error) from error
    if not found.private and not options.public:
        raise UsageError(
            "this repository is public",
            where=options.out,
            cause="It exists already, and everybody may read it.",
            cure="Give --public if that is meant, or another name.",
        )


def _refused(name: str, error: Exception) -> TemperError:
    said = redact(str(error)).strip().splitlines() or [type(error).__name__]
    return WorkError(
        "the hub refused this",
        where=name,
        cause=said[0][:300],
        cure="Check the name, that the token may write there, and HF_ENDPOINT.",
    )
