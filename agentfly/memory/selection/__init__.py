"""Which recalled candidates are shown: policies that score them, and the choice that follows."""
