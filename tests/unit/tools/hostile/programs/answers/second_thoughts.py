"""Answer, then go on and answer something else; and make `final_answer` another function."""

try:
    final_answer("first")
except BaseException:
    pass
try:
    final_answer("second")
except BaseException:
    final_answer = print
    __builtins__["final_answer"] = print
