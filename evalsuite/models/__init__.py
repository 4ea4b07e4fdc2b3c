"""The only place that loads models, tokenizers and chat templates and makes loss masks.

Training, evaluation, token counts, chat and export all come here, so they cannot differ.
`chat`, `rows`, `section` and `source` import no torch; `load` does.
"""

from evalsuite.models.chat import ChatTokenizer, Message, TokenisedChat, unknown_token
from evalsuite.models.section import ModelSection
from evalsuite.models.source import ModelSource, is_hub_name, resolve_model

__all__ = [
    "ChatTokenizer",
    "Message",
    "ModelSection",
    "ModelSource",
    "TokenisedChat",
    "is_hub_name",
    "resolve_model",
    "unknown_token",
]
