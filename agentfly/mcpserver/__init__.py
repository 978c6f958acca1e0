"""An agent's run, recall, playbook and learn, offered to other agents over MCP."""
