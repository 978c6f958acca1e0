"""An object that never comes to an end of its text."""


class Endless:
    def __str__(self):
        while True:
            pass

    __repr__ = __len__ = __str__


final_answer(Endless())
