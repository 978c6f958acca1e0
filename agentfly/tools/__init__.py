"""Tools that generators use: Python in a sandbox, any function as a tool, looks at files."""
