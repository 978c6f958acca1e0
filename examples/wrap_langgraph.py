"""A LangGraph agent that learns from a person's word: it looks prices up with a tool, and answers in a form that nobody wants.

    python examples/wrap_langgraph.py [--home DIR] [--chat PROVIDER:MODEL] [--model M]

Without options it runs offline: the agent's chat model and the model that reflects are scripts. `--chat` takes a real model for the
agent (needs the package `langchain` and that provider's), `--model` one for reflecting, such as openai/gpt-5-mini or embedded.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import tool
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition

import agentfly
from agentfly import Feedback
from agentfly.errors import UserError
from agentfly.protocols import Model
from agentfly.testing import ScriptedModel
from agentfly.types import Message

PRICES = {"pen": "2.50 EUR", "book": "12.00 EUR", "lamp": "31.90 EUR"}
RULE = "Give a price as a whole number of cents, without a word around it."
QUESTIONS = [f"What does a {item} cost?" for item in PRICES]


@tool
def price(item: str) -> str:
    """The price of an item of the shop."""
    return PRICES.get(item, f"there is no {item}")


class Shopkeeper(BaseChatModel):
    """A chat model that is a script: it looks the price up, then chats, or keeps to a rule that it has been given."""

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Shopkeeper:
        return self

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        usage = {
            "input_tokens": sum(len(str(m.content)) // 4 for m in messages),
            "output_tokens": 12,
            "total_tokens": 0,
        }
        told, last = str(messages[0].content), messages[-1]
        if last.type != "tool":
            item = re.findall(r"does an? (\w+) cost", str(last.content))[-1]
            call = {"name": "price", "args": {"item": item}, "id": f"call-{len(messages)}"}
            reply = AIMessage("", tool_calls=[call], usage_metadata=usage)
        else:
            cents = re.sub(r"\D", "", str(last.content))
            reply = AIMessage(cents if "cents" in told else f"That would be {last.content}!", usage_metadata=usage)
        return ChatResult(generations=[ChatGeneration(message=reply)])


def reflecting() -> ScriptedModel:
    """The model that reflects and curates, as a script."""
    diagnosis = {"diagnosis": "The price was wrapped in words.", "insight": RULE, "helpful": [], "harmful": []}
    delta = {"reason": "a form", "operations": [{"op": "add", "section": "strategies", "text": RULE}]}

    def reply(messages: Sequence[Message]) -> str:
        return json.dumps(delta if "operations" in messages[0].content else diagnosis)

    return ScriptedModel(reply)


def shop(chat: BaseChatModel) -> Any:
    """The agent: a chat model and its tool, in a loop. It knows nothing of agentfly."""
    model = chat.bind_tools([price])
    graph = StateGraph(MessagesState)
    graph.add_node("chat", lambda state: {"messages": [model.invoke(state["messages"])]})
    graph.add_node("tools", ToolNode([price]))
    graph.add_edge(START, "chat")
    graph.add_conditional_edges("chat", tools_condition)
    graph.add_edge("tools", "chat")
    return graph.compile(name="shop")


def chat_model(name: str | None) -> BaseChatModel:
    """The agent's chat model."""
    if name is None:
        return Shopkeeper()
    try:
        from langchain.chat_models import init_chat_model
    except ImportError:
        sys.exit("wrap_langgraph: --chat needs the package langchain, and that of the provider")
    return init_chat_model(name)


def converse(home: str | Path, chat: BaseChatModel, model: str | Model) -> None:
    """Ask, say what was wrong with the answer, and ask for other prices."""
    first, *others = QUESTIONS
    with agentfly.wrap(shop(chat), home, model=model) as learner:
        result = learner.run(first)
        print(f"{first} -> {result.answer}")
        wrong = Feedback(reward=0.0, text="A price is a whole number of cents, and nothing else.", source="human")
        learned = learner.learn(result, wrong)
        print(f"learned: playbook version {learned.delta}, cases {', '.join(learned.cases)}")
        for question in others:
            print(f"{question} -> {learner.run(question).answer}")
        steps = learner.runs.show(result.run_id).attempts[0].steps
        print(f"on record: {len(steps)} steps, the first one {steps[0].action}")


def main() -> int:
    """Run the conversation."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--home", type=Path, help="where to keep what is learned; by default nowhere")
    parser.add_argument("--chat", metavar="PROVIDER:MODEL", help="a real chat model for the agent")
    parser.add_argument("--model", help="a real model for reflecting")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        try:
            converse(options.home or folder, chat_model(options.chat), options.model or reflecting())
        except UserError as error:
            print(f"wrap_langgraph: {error}", file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
