"""What other libraries call things, and what they are called here: one table, which everything by name looks into.

Where the meaning is the same, their word works. Where it differs, an error says what to write, and why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache, wraps
from typing import TYPE_CHECKING, Any, TypeVar

from tensorgrad.signatures import taken_by_name

if TYPE_CHECKING:
    from tensorgrad.words import Word

__all__ = [
    "VALUES", "called", "check_new", "did_you_mean", "find", "instead", "layer", "missing", "no_such_name", "speaks",
    "translated",
]  # fmt: skip

F = TypeVar("F", bound=Callable[..., Any])

VALUES = {"activation", "initializer", "kind", "loss", "opt", "metrics"}  # arguments whose values are words


def find(theirs: Any, *places: str) -> Word | None:
    """The word of the table for the first of the places that has it.

    Upper and lower case, and underscores, make no difference for values.
    """
    found = (_index().get((place, _folded(str(theirs), place))) for place in places)
    return next((word for word in found if word is not None), None)


@cache
def _index() -> dict[tuple[str, str], Word]:
    """The table by place and word; of several, the first."""
    from tensorgrad.words import WORDS  # here, as programs without other libraries' words need not wait for it

    pairs = [((place, _folded(word.theirs, place)), word) for word in WORDS for place in word.where.split(", ")]
    return dict(reversed(pairs))


def _folded(text: str, place: str) -> str:
    return text.lower().replace("_", "") if place in VALUES else text


def instead(word: Word) -> str:
    """What to write in place of a word that does not work, and why."""
    why = f" ({word.differs})" if word.differs else ""
    is_ours = "has no counterpart" if word.ours == "nothing" else f"is {word.ours}"
    return f"{word.theirs!r} of {word.of} {is_ours} here{why}"


def did_you_mean(given: Any, known: Iterable[str]) -> str:
    """A suggestion for the end of a message, ``"; did you mean 'relu'?"``; empty if no name is similar."""
    if not isinstance(given, str):
        return ""
    from difflib import SequenceMatcher, get_close_matches  # here, as only errors need them

    names = {name.lower(): name for name in known}
    word = given.lower()

    def likeness(name: str) -> float:
        """The share of common letters, less a little for each letter of difference in length."""
        return SequenceMatcher(None, word, name).ratio() - 0.03 * abs(len(name) - len(word))

    best = max(get_close_matches(word, names, n=3), key=likeness, default="")
    return f"; did you mean {names[best]!r}?" if best and likeness(best) > 0.65 else ""


def translated(value: Any, argument: str) -> Any:
    """A value in our words: a name, or a sequence of names."""
    if isinstance(value, list | tuple):
        return type(value)(translated(each, argument) for each in value)
    word = find(value, argument) if isinstance(value, str) else None
    return word.ours if word is not None and word.works else value


def check_new(name: str, argument: str, owner: str) -> None:
    """Raise if a new name for a value of an argument is another library's word for one that there is."""
    word = find(name, argument)
    if word is not None and word.works and word.ours != name:
        raise ValueError(f"{owner}: {name!r} is taken, as another name of {word.ours!r}; give another name")


def speaks(name: str = "") -> Callable[[F], F]:
    """Decorate a function so that it takes other libraries' words for its arguments, and says so of unknown ones.

    The words are those that the table has for its name. Without one, it is a constructor, and they are those of the
    class of what it makes, and of that class's bases.
    """

    def decorate(function: F) -> F:
        names, takes_any = taken_by_name(function)
        known = [each for each in names if each != "self"]
        valued = VALUES & set(known)
        places = {each: place for place, each in enumerate(names) if each in valued}

        @wraps(function)
        def speaking(*args: Any, **kwargs: Any) -> Any:
            for argument in valued:
                if argument in kwargs:
                    kwargs[argument] = translated(kwargs[argument], argument)
                elif len(args) > places[argument]:
                    place = places[argument]
                    args = (*args[:place], translated(args[place], argument), *args[place + 1 :])
            try:
                return function(*args, **kwargs)
            except TypeError as error:
                accepted = takes_any or kwargs.keys() <= set(names)
                trace = error.__traceback__
                if accepted and (trace is None or trace.tb_next is not None):  # from inside
                    raise
                said = str(error).partition("() ")[2]
            owners = (name,) if name else tuple(base.__name__ for base in type(args[0]).__mro__)
            if accepted:
                if said.endswith("given"):  # where Python counts self
                    said = f"{len(args) - (names[:1] == ['self'])} arguments without a name are too many"
                raise TypeError(f"{owners[0]}: {said}; it takes {', '.join(known)}")
            return speaking(*args, **_in_our_words(kwargs, known, owners))

        return speaking  # type: ignore[return-value]

    return decorate


def _in_our_words(kwargs: Mapping[str, Any], known: list[str], places: tuple[str, ...]) -> dict[str, Any]:
    ours: dict[str, Any] = {}
    name = places[0]
    for key, value in kwargs.items():
        word = find(key, *places) if key not in known else None
        if word is not None and word.works and not set(word.ours.replace("=", "").split(", ")) <= set(known):
            word = None  # of a base, whose argument this class has not
        if key not in known and word is None:
            theirs = (w.theirs for (place, _), w in _index().items() if w.works and place in places)
            near = did_you_mean(key, [*known, *theirs])
            takes = f"{near + ' It' if near else '; it'} takes {', '.join(known)}"
            raise TypeError(f"{name}: there is no argument {key!r}{takes}")
        if word is not None and not word.works:
            raise TypeError(f"{name}: {instead(word)}")
        if word is not None and word.theirs == "validation_data":
            pair = isinstance(value, list | tuple) and len(value) == 2
            if isinstance(value, tuple) and len(value) == 3 and all(hasattr(each, "shape") for each in value):
                raise TypeError(f"{name}: validation_data is (x, y) here; its samples have no weights")
            new = dict(zip(("val_x", "val_y"), value, strict=True)) if pair else {"val_x": value}
        else:
            new = {key if word is None else word.ours: value}
        twice = [each for each in new if each in ours or (each in kwargs and each != key)]
        if twice:
            raise TypeError(f"{name}: {key!r} is {twice[0]!r} here, and both were given; leave one out")
        ours.update(new)
    return ours


def called(function: F, theirs: str) -> F:
    """A function under another name, which its errors say too: those of ``fit`` begin with it."""

    @wraps(function)
    def renamed(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except (TypeError, ValueError, ArithmeticError) as error:
            text = str(error)
            if text.startswith((f"{function.__name__}:", f"{function.__name__},")):
                error.args = (theirs + text[len(function.__name__) :],)
            raise

    renamed.__name__ = theirs
    return renamed  # type: ignore[return-value]


def layer(name: str, layers: Mapping[str, Any]) -> Callable[..., Any]:
    """What makes a layer by another library's name, with that library's order of arguments."""
    word = find(name, "layers")
    if word is None or not word.works:
        raise no_such_name("tensorgrad.layers", name, layers)

    def made(*args: Any, **kwargs: Any) -> Any:
        if len(args) > len(word.order):
            raise TypeError(f"{name}: expected at most {len(word.order)} arguments without their name; see {word.ours}")
        for key, value in zip(word.order, args, strict=False):
            if key in kwargs:
                raise TypeError(f"{name}: {key!r} was given twice")
            kwargs[key] = value
        given = {**word.given, **kwargs}
        for key, meanings in word.values.items():
            if isinstance(given.get(key), str):
                given[key] = meanings.get(given[key], given[key])
        return layers[word.ours](**given)

    made.__name__ = made.__qualname__ = name
    made.__doc__ = f"Make a :class:`{word.ours}`, under the name that it has in {word.of}."
    return made


def no_such_name(module: str, name: str, known: Mapping[str, Any]) -> ImportError | AttributeError:
    """The error for a name that a module has not: an ImportError if its message can say what ours is."""
    word = find(name, module.rpartition(".")[2])
    if word:  # the text of an AttributeError would be lost where the name is imported
        return ImportError(f"{module}: {instead(word)}")
    public = [each for each in known if not each.startswith("_")]
    return AttributeError(f"module {module!r} has no attribute {name!r}{did_you_mean(name, public)}")


def missing(kind: str, name: str, known: Iterable[str], where: str = "model") -> str:
    """The message about a missing attribute."""
    word = find(name, where)
    return f"{kind} has no {name!r}: " + instead(word) if word else f"{kind} has no {name!r}{did_you_mean(name, known)}"
