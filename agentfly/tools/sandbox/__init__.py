"""How the process that runs model-written code is confined: one file a tier, `launch.py` chooses."""
