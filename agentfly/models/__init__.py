"""Chat models behind `agentfly.protocols.Model`: providers, the embedded model, and fakes."""
