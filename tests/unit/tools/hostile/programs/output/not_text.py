"""Bytes that are no text: not UTF-8, NUL, surrogates, the marks that turn the writing round."""

os.write(1, bytes(range(256)) * 4 + b"\xc3\x28\xa0\xa1\xe2\x28\xa1\xf8\xff\xfe")
os.write(1, "\x00\u202e\u2066gpj.exe\u2069\ufeff".encode())
print("\ud800\udfff", repr("\udcff"))
"\udcfe\ud800"
