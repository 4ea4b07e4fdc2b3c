"""Why a row was not kept: the closed list of codes in `dropped.parquet` and `ledger.json`."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """A code; what it means to a person is its description."""

    BAD_JSON = "bad_json"
    INVALID_UTF8 = "invalid_utf8"
    DUPLICATE_KEY = "duplicate_key"
    NOT_AN_OBJECT = "not_an_object"
    RAGGED_ROW = "ragged_row"
    TOO_LONG = "too_long"
    UNREADABLE_VALUE = "unreadable_value"

    NO_FORMAT = "no_format"
    NULL_ANSWER = "null_answer"
    NULL_PROMPT = "null_prompt"
    NO_ANSWER = "no_answer"
    UNKNOWN_ROLE = "unknown_role"
    NOT_TEXT = "not_text"
    MISSING_COLUMN = "missing_column"
    BAD_IMAGE = "bad_image"
    NO_IMAGE = "no_image"
    IMAGE_URL = "image_url"
    IMAGE_REFUSED = "image_refused"
    IMAGE_COUNT = "image_count"
    TYPE = "type"

    DECIDED = "decided"
    EXACT_DUPLICATE = "exact_duplicate"
    NORMALISED_DUPLICATE = "normalised_duplicate"
    NEAR_DUPLICATE = "near_duplicate"
    SEMANTIC_DUPLICATE = "semantic_duplicate"
    LEXICAL_DUPLICATE = "lexical_duplicate"
    EMPTY_ANSWER = "empty_answer"
    CONTRADICTION = "contradiction"
    REPEATED_PROMPT = "repeated_prompt"
    REPEATED_ANSWER = "repeated_answer"
    CHOSEN_IS_REJECTED = "chosen_is_rejected"
    BOTH_WAYS = "both_ways"
    PROMPTS_DIFFER = "prompts_differ"
    PREFIX = "prefix"
    LEAK_EXACT = "leak_exact"
    LEAK_NGRAM = "leak_ngram"
    LEAK_NEAR = "leak_near"
    INCONSISTENT = "inconsistent"
    OVER_SHARE = "over_share"
    REPEATED = "repeated"
    NOT_SELECTED = "not_selected"

    MOJIBAKE = "mojibake"
    CONTROL_CHARACTERS = "control_characters"
    UNICODE_FORM = "unicode_form"
    PERSONAL_DATA = "personal_data"
    UNDER_LENGTH = "under_length"
    OVER_LENGTH = "over_length"
    LANGUAGE = "language"
    REPETITION = "repetition"
    PLACEHOLDER = "placeholder"
    REFUSAL = "refusal"
    IDENTITY = "identity"
    UNSEEN_URL = "unseen_url"
    UNSEEN_IMAGE = "unseen_image"
    TRUNCATED = "truncated"
    WRONG_ARITHMETIC = "wrong_arithmetic"
    NOT_PROSE = "not_prose"
    PATTERN = "pattern"

    UNDER_SCORE = "under_score"
    OVER_SCORE = "over_score"
    OUTSIDE_SHARE = "outside_share"
    LOW_MARGIN = "low_margin"
    NO_SCORE = "no_score"

    REQUEST_FAILED = "request_failed"
    BAD_OUTPUT = "bad_output"
    CUT_OUTPUT = "cut_output"
    NOT_PROVEN = "not_proven"
    WRONG_ANSWER = "wrong_answer"
    NO_CONTRAST = "no_contrast"
    JUDGED_LOW = "judged_low"
    JUDGE_UNSURE = "judge_unsure"
    NOT_CHECKED = "not_checked"
    SURPLUS = "surplus"

    @property
    def description(self) -> str:
        """What the code means, in a few words."""
        return _DESCRIPTIONS[self]


_DESCRIPTIONS = {
    Reason.BAD_JSON: "the line is not JSON",
    Reason.INVALID_UTF8: "the bytes are not UTF-8",
    Reason.DUPLICATE_KEY: "an object gives one key twice",
    Reason.NOT_AN_OBJECT: "the row is JSON, but not an object",
    Reason.RAGGED_ROW: "the row has more or fewer fields than the header",
    Reason.TOO_LONG: "the row is longer than any conversation or document should be",
    Reason.UNREADABLE_VALUE: "a value of the table cannot be read",
    Reason.NO_FORMAT: "the fields fit no known format",
    Reason.NULL_ANSWER: "the answer is null",
    Reason.NULL_PROMPT: "the prompt is null",
    Reason.NO_ANSWER: "the conversation has no assistant turn",
    Reason.UNKNOWN_ROLE: "a message has a role that is not known",
    Reason.NOT_TEXT: "a text field holds something else",
    Reason.MISSING_COLUMN: "a column that the recipe names is not in the row",
    Reason.BAD_IMAGE: "an image that cannot be opened, or is too large",
    Reason.NO_IMAGE: "an image's file is not there",
    Reason.IMAGE_URL: "an image is elsewhere, and nothing is fetched",
    Reason.IMAGE_REFUSED: "an image's path leaves the folder of its source",
    Reason.IMAGE_COUNT: "not one place for each image",
    Reason.TYPE: "the row is of another type than the dataset",
    Reason.DECIDED: "a person decided so",
    Reason.EXACT_DUPLICATE: "equal to another row, byte for byte",
    Reason.NORMALISED_DUPLICATE: "equal but for case, spaces and punctuation",
    Reason.NEAR_DUPLICATE: "nearly the same words, and the same answer",
    Reason.SEMANTIC_DUPLICATE: "nearly the same meaning, by an embedding",
    Reason.LEXICAL_DUPLICATE: "nearly the same words, weighted by rarity",
    Reason.EMPTY_ANSWER: "the answer is empty",
    Reason.CONTRADICTION: "the same prompt has different answers",
    Reason.REPEATED_PROMPT: "its prompt has enough answers without it",
    Reason.REPEATED_ANSWER: "its answer is given to many prompts",
    Reason.CHOSEN_IS_REJECTED: "chosen and rejected say the same",
    Reason.BOTH_WAYS: "the same answer is preferred in one row and not in another",
    Reason.PROMPTS_DIFFER: "chosen and rejected were not asked the same",
    Reason.PREFIX: "the beginning of a longer conversation",
    Reason.LEAK_EXACT: "the prompt of an evaluation item",
    Reason.LEAK_NGRAM: "contains an evaluation item",
    Reason.LEAK_NEAR: "nearly the prompt of an evaluation item",
    Reason.INCONSISTENT: "does otherwise than nearly all rows in form or style",
    Reason.OVER_SHARE: "its group (label, source …) has its share without it",
    Reason.REPEATED: "a copy, so that its group has its share",
    Reason.NOT_SELECTED: "other rows were chosen to represent all",
    Reason.MOJIBAKE: "text that was read in a wrong encoding",
    Reason.CONTROL_CHARACTERS: "control or invisible characters in the text",
    Reason.UNICODE_FORM: "characters written in more ways than one",
    Reason.PERSONAL_DATA: "personal data or a key",
    Reason.UNDER_LENGTH: "shorter than asked for",
    Reason.OVER_LENGTH: "longer than asked for",
    Reason.LANGUAGE: "in another language",
    Reason.REPETITION: "repeats itself",
    Reason.PLACEHOLDER: "a placeholder that nobody filled",
    Reason.REFUSAL: "the answer declines",
    Reason.IDENTITY: "another assistant speaks about itself",
    Reason.UNSEEN_URL: "asks about a page that the model cannot see",
    Reason.UNSEEN_IMAGE: "asks about an image that the model cannot see",
    Reason.TRUNCATED: "the answer ends in the middle",
    Reason.WRONG_ARITHMETIC: "an equation of numbers is false",
    Reason.NOT_PROSE: "words or lines unlike any prose",
    Reason.PATTERN: "a pattern of the recipe's own",
    Reason.UNDER_SCORE: "a model scores it lower than asked for",
    Reason.OVER_SCORE: "a model scores it higher than asked for",
    Reason.OUTSIDE_SHARE: "its score is not in the share that is kept",
    Reason.LOW_MARGIN: "the reward model does not find chosen better, or not enough",
    Reason.NO_SCORE: "no score could be computed, and one was asked for",
    Reason.REQUEST_FAILED: "the model gave no answer",
    Reason.BAD_OUTPUT: "the model's reply has not the wanted form",
    Reason.CUT_OUTPUT: "the model's reply ran into its token limit",
    Reason.NOT_PROVEN: "the passage given as proof is not in the document",
    Reason.WRONG_ANSWER: "a verifier finds the answer wrong",
    Reason.NO_CONTRAST: "no two answers differ enough for a pair",
    Reason.JUDGED_LOW: "the judge grades it too low",
    Reason.JUDGE_UNSURE: "the judge says something else when the order is swapped",
    Reason.NOT_CHECKED: "a check that was asked for could not be made",
    Reason.SURPLUS: "enough rows were accepted before it",
}
