"""An object that runs code where it is unpickled, and its pickle."""

import pickle


class Evil:
    def __reduce__(self):
        return os.system, (f"echo hostile >> {HOST['canary']}",)

    __reduce_ex__ = lambda self, protocol: self.__reduce__()  # noqa: E731


final_answer([Evil(), pickle.dumps(Evil()), {"__reduce__": "os.system"}, {"py/object": "os.system"}])
