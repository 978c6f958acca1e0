"""The six nodes of the loop, in the order in which they run: recall, generate, evaluate, reflect, curate, retain."""
