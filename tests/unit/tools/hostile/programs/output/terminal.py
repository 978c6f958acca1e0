"""Escapes: clear the screen, set the title, write the clipboard, ask the terminal to type, forge a prompt."""

for text in (
    "\x1b[2J\x1b[H",
    "\x1b]0;title\x07",
    "\x1b]52;c;aG9zdGlsZQ==\x07",
    "\x1b[6n\x1b[c\x1bP+q544e\x1b\\",
    "\r$ sudo rm",
    "\x9b31m",
    "\x1b]8;;http://host.invalid\x07click\x1b]8;;\x07",
    "\x1b[?1049h\x1b[8m",
    "\x08" * 200,
    "\x0e\x1b(0",
):
    print(text)
    print(text, file=sys.stderr)
raise ValueError("\x1b]0;title\x07\x1b[2J")
