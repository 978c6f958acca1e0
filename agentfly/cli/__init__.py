"""The command line: a thin shell over `agentfly.agent` and the records in the home."""
