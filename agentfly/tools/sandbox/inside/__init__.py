"""The program that runs inside the sandbox.

It is started as a package of its own (see `agentfly.tools.sandbox.launch`), sees nothing of agentfly and imports nothing but
the standard library.
"""
