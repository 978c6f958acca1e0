"""Close the output and put something else in its place."""

os.close(1)
os.close(2)
sys.stdout = sys.stderr = sys.__stdout__ = None
