"""End with a core dump."""

os.abort()
