"""A value whose text is as long as a book, in a list of them."""

["x" * 1_000_000] * 100
