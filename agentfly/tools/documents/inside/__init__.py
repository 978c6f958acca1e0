"""The program that reads files that nobody vouches for.

It runs in a process of its own with little memory and little time (see `agentfly.tools.documents.converting`), sees nothing of
agentfly, and imports parsers only when a file needs them.
"""
