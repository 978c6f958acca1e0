"""What went wrong in a provider's answer, and whether to ask again. Pure: reads attributes, imports no client."""

from __future__ import annotations

import email.utils
import math
import re
import time
from dataclasses import dataclass
from typing import Literal

Kind = Literal["transient", "refused", "unknown_model", "bad_request", "fatal"]

# litellm prefix -> variable that holds the key, where it is not simply PREFIX_API_KEY
KEY_VARIABLES = {
    "together_ai": "TOGETHERAI_API_KEY",
    "huggingface": "HF_TOKEN",
    "fireworks_ai": "FIREWORKS_AI_API_KEY",
    "bedrock": "AWS_ACCESS_KEY_ID",
    "vertex_ai": "GOOGLE_APPLICATION_CREDENTIALS",
    "perplexity": "PERPLEXITYAI_API_KEY",
}

_NO_KEY = re.compile(
    r"missing [^.]{0,40}(api.?key|credentials)|_API_KEY\W* is not set|api_key client option", re.IGNORECASE
)
_NO_SUCH_MODEL = re.compile(
    r"model[^.]{0,80}(not (exist|found|valid|supported)|does not exist|unknown)"
    r"|(not a valid|no such|unknown|invalid) model|provider not provided",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One failed call."""

    kind: Kind
    text: str
    """What the provider said, in one short line."""
    status: int | None = None
    retry_after: float | None = None
    """Seconds that the provider asks us to wait."""


def diagnose(error: Exception) -> Failure:
    """Classify what a provider client raised.

    Args:
        error: of litellm, openai or httpx, or what a parser tripped over when the answer was garbage.
    """
    status = getattr(error, "status_code", None)
    status = status if isinstance(status, int) else None
    text = one_line(str(getattr(error, "message", "") or error) or type(error).__name__)
    name = type(error).__name__
    if name in {"UnsupportedParamsError", "LiteLLMUnknownProvider"}:
        kind: Kind = "unknown_model" if name == "LiteLLMUnknownProvider" else "fatal"
    elif status in {401, 403} or _NO_KEY.search(text):
        kind = "refused"
    elif status == 404 or (status in {400, 422} and _NO_SUCH_MODEL.search(text)):
        kind = "unknown_model"
    elif status == 429:
        kind = "fatal" if "insufficient_quota" in text else "transient"
    elif status is None or status in {408, 409, 425} or status >= 500 or status < 400:
        kind = "transient"  # no status: the connection broke, or what came back was no answer
    else:
        kind = "bad_request" if status in {400, 422} else "fatal"
    return Failure(kind=kind, text=text, status=status, retry_after=_retry_after(error))


def key_variable(model: str) -> str:
    """The environment variable that holds the key for a model: ``openai/x`` -> ``OPENAI_API_KEY``."""
    prefix = model.split("/", 1)[0] if "/" in model else "openai"
    return KEY_VARIABLES.get(prefix) or re.sub(r"\W", "_", prefix).upper() + "_API_KEY"


def one_line(text: str, limit: int = 300) -> str:
    """Whitespace folded, markup and litellm's class prefixes dropped, cut to `limit` characters."""
    text = re.sub(r"<[^>]{1,200}>", " ", text.partition("Traceback (most recent")[0])
    text = re.sub(r"\blitellm\.\w+: ", "", " ".join(text.split()))
    text = re.sub(r"^((\w+(Error|Exception)(: | - ))+)", "", text)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def parse_retry_after(value: str, now: float | None = None) -> float | None:
    """Seconds to wait from a Retry-After header, in its two forms (RFC 9110, 10.2.3); None when it is neither.

    Args:
        value: seconds, or an HTTP date.
        now: seconds since the epoch.
    """
    try:
        seconds = float(value)
    except ValueError:
        try:
            date = email.utils.parsedate_to_datetime(value)
        except ValueError:
            return None
        seconds = date.timestamp() - (time.time() if now is None else now)
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _retry_after(error: Exception) -> float | None:
    response = getattr(error, "response", None)
    for headers in (getattr(response, "headers", None), getattr(error, "litellm_response_headers", None)):
        value = headers.get("retry-after") if headers else None
        if value:
            return parse_retry_after(str(value))
    return None
