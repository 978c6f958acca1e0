"""Every error agentfly raises, named by who must act on it.

AgentflyError
├── UserError                 the person must change something         exit 2
│   ├── ConfigError           a setting (says which key, from which layer)
│   ├── InputError            the question, a file, a dataset, an option
│   ├── HomeError             the home folder
│   │   ├── HomeTooNewError   written by a newer agentfly
│   │   ├── HomeBusyError     another process holds a lock past the wait
│   │   └── PolicyError       the learned state of a selection policy
│   ├── ModelUnavailableError no model, unknown model, refused key
│   │   └── WeightsError      embedded weights missing, damaged or no room for them
│   └── SandboxError          model-written code cannot be run here
├── ProviderError             a model provider failed after retries     exit 1
│   └── ProviderTimeout       it did not answer within the time allowed
├── ModelMistake              the model must act: becomes an observation
│   ├── ReplyError            its structured reply could not be used
│   └── ToolError             it called a tool wrongly, or the tool refused
└── LimitReached              a budget of the run is spent
"""

from __future__ import annotations

from agentfly.types import Usage


class AgentflyError(Exception):
    """Base of every error that agentfly raises on purpose."""


class UserError(AgentflyError):
    """Something the person can put right; the message says how. Command-line exit status 2."""


class ConfigError(UserError):
    """A setting has an unknown name or an impossible value."""


class InputError(UserError):
    """The question, a file, a dataset or an argument cannot be used as given."""


class HomeError(UserError):
    """The home folder cannot be used."""


class HomeTooNewError(HomeError):
    """The home was written by a newer version of agentfly and is left untouched."""


class HomeBusyError(HomeError):
    """Another process held the home's lock for longer than we wait."""


class PolicyError(HomeError):
    """The learned state of a case-selection policy cannot be used."""


class ModelUnavailableError(UserError):
    """No model can be used: none configured, an unknown name, or a refused key."""


class WeightsError(ModelUnavailableError):
    """The embedded model's weights are missing or damaged, or there is no room for them."""


class SandboxError(UserError):
    """No sandbox tier works on this machine, and running without one was not allowed."""


class ProviderError(AgentflyError):
    """A model provider failed, and kept failing after the retries.

    Args:
        message: what happened, in one line.
        usage: what the failed calls cost, to be billed all the same.
    """

    def __init__(self, message: str, *, usage: Usage | None = None) -> None:
        super().__init__(message)
        self.usage = usage or Usage()


class ProviderTimeout(ProviderError):
    """The provider did not answer within the time allowed."""


class ModelMistake(AgentflyError):
    """The model did something wrong; its text is shown to the model as an observation."""


class ReplyError(ModelMistake):
    """A structured reply stayed unusable after the repair turn.

    Args:
        message: why it could not be used, in one line.
        usage: what the calls cost.
    """

    def __init__(self, message: str, *, usage: Usage | None = None) -> None:
        super().__init__(message)
        self.usage = usage or Usage()


class ToolError(ModelMistake):
    """A tool was called wrongly or refused; the message tells the model what to do instead."""


class LimitReached(AgentflyError):
    """A budget is spent.

    Args:
        limit: which one: ``steps``, ``tokens``, ``cost`` or ``seconds``.
        message: the amount allowed and the amount used.
    """

    def __init__(self, limit: str, message: str) -> None:
        super().__init__(message)
        self.limit = limit
