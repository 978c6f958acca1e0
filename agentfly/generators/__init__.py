"""Strategies for acting on a task; each is one `agentfly.protocols.Generator`."""
