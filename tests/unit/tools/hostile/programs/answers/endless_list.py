"""Containers that never end, and that lie about their length."""


class Endless(list):
    def __iter__(self):
        while True:
            yield "x"

    def __len__(self):
        return -1


class Mapping(dict):
    def items(self):
        while True:
            yield "key", Endless()


final_answer({"a": Endless([1]), "b": Mapping(a=1)})
