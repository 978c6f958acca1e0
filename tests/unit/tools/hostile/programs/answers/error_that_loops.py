"""An exception whose text has no end, raised when the clock has been stopped."""


class Endless(Exception):
    def __str__(self):
        while True:
            with contextlib.suppress(BaseException):
                while True:
                    pass

    __repr__ = __str__


raise Endless
